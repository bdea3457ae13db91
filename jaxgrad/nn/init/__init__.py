r"""Initial values, after ``torch.nn.init``: pure functions of a generator and a shape.

Where torch fills a tensor in place, ``fn_(tensor, ...)``, here the shape takes the tensor's place and the values come
back: ``value, generator = fn(generator, shape, ...)`` for what is random, ``value = fn(shape, ...)`` for what is
not. The numbers are torch's own, bit for bit, for the same state of the generator; :func:`orthogonal` alone depends
on the linear algebra library behind it.

Fans are those of a weight in torch's layout, (out, in, \*receptive field).
"""

from jaxgrad.nn.init.constant import constant, ones, zeros
from jaxgrad.nn.init.distributions import normal, trunc_normal, uniform
from jaxgrad.nn.init.fans import _calculate_fan_in_and_fan_out as _calculate_fan_in_and_fan_out
from jaxgrad.nn.init.gain import calculate_gain
from jaxgrad.nn.init.identity import dirac, eye
from jaxgrad.nn.init.kaiming import kaiming_normal, kaiming_uniform
from jaxgrad.nn.init.orthogonal import orthogonal
from jaxgrad.nn.init.sparse import sparse
from jaxgrad.nn.init.xavier import xavier_normal, xavier_uniform

__all__ = [
    "calculate_gain",
    "uniform",
    "normal",
    "trunc_normal",
    "constant",
    "ones",
    "zeros",
    "eye",
    "dirac",
    "xavier_uniform",
    "xavier_normal",
    "kaiming_uniform",
    "kaiming_normal",
    "orthogonal",
    "sparse",
]
