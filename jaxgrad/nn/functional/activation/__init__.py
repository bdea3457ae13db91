"""Activation functions of ``torch.nn.functional`` with torch's values and derivatives, also at their kinks.

- ``rectifiers``: relu and its kin, piecewise linear
- ``exponentials``: elu, selu, celu
- ``sigmoids``: what saturates, and softplus
- ``gates``: the input times a gate
- ``shrinkage``: what sets small inputs to zero
- ``softmax``: what sums to 1 along an axis
"""

from jaxgrad._core.arguments import refuse_inplace as refuse_inplace
from jaxgrad.nn.functional.activation.exponentials import celu, elu, selu
from jaxgrad.nn.functional.activation.gates import gelu, glu, hardswish, mish, silu
from jaxgrad.nn.functional.activation.rectifiers import hardtanh, leaky_relu, prelu, relu, relu6, threshold
from jaxgrad.nn.functional.activation.rrelu import rrelu
from jaxgrad.nn.functional.activation.shrinkage import hardshrink, softshrink, tanhshrink
from jaxgrad.nn.functional.activation.sigmoids import hardsigmoid, logsigmoid, sigmoid, softplus, softsign, tanh
from jaxgrad.nn.functional.activation.softmax import gumbel_softmax, log_softmax, softmax, softmin

__all__ = [
    "celu",
    "elu",
    "gelu",
    "glu",
    "gumbel_softmax",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leaky_relu",
    "log_softmax",
    "logsigmoid",
    "mish",
    "prelu",
    "relu",
    "relu6",
    "rrelu",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "tanh",
    "tanhshrink",
    "threshold",
]
