"""Modules as pure functions of their parameters, after ``torch.func``.

``torch.func``'s transforms are JAX's own: ``grad`` is ``jax.grad``, ``vmap`` is ``jax.vmap``, ``vjp``, ``jvp``,
``jacrev``, ``jacfwd``, ``hessian`` and ``linearize`` are found under the same names in ``jax``.
"""

from jaxgrad.func.bind import bind
from jaxgrad.func.call import Aux
from jaxgrad.func.cast import cast
from jaxgrad.func.extract import extract
from jaxgrad.func.functional_call import functional_call

__all__ = ["Aux", "bind", "cast", "extract", "functional_call"]
