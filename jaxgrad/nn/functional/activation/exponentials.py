r"""Exponential units: the input where it is positive, a shifted exponential below.

All three are :math:`\lambda x` for x > 0 and :math:`\lambda \alpha (e^{x / \beta} - 1)` elsewhere. At 0 the derivative
is that of the lower branch, the second derivative 0.
"""

import jax.numpy as jnp
from jaxtyping import Float

from jaxgrad._core.arguments import as_number, refuse_inplace
from jaxgrad._core.elementwise import check_kernel, elementwise
from jaxgrad._core.operations import operation
from jaxgrad._core.types import Array

_ALPHA = 1.6732632423543772848170429916717
_SCALE = 1.0507009873554804934193349852946


def _gradient(g: Array, x: Array, below: float, above: float, inside: float) -> Array:
    curved = jnp.where(x < 0, inside * below * jnp.exp(jnp.where(x < 0, x, 0) * inside), inside * below)
    return g * jnp.where(x <= 0, curved, above)


@elementwise(_gradient)
def _exponential(x: Array, below: float, above: float, inside: float) -> Array:
    return jnp.where(x < 0, jnp.expm1(jnp.where(x < 0, x, 0) * inside) * below, x * above)


@operation("EluBackward0")
def elu(input: Float[Array, "*shape"], alpha: float = 1.0, inplace: bool = False) -> Float[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.elu``: x where x > 0, :math:`\alpha (e^x - 1)` elsewhere.

    The derivative at 0 is :math:`\alpha`, at nan 1.

    Args:
        input: any shape, floating point.
        alpha: minus the limit at minus infinity.
        inplace: must be False, since arrays are values.

    Returns:
        The same shape and dtype.

    Raises:
        NotImplementedError: ``"elu_cpu" not implemented for 'Long'``.
        ValueError: ``inplace=True``.

    >>> elu(jnp.array([-100.0, 2.0])).tolist()
    [-1.0, 2.0]

    Source: torch/nn/functional.py, ``elu``; Clevert et al., 2016.
    """
    refuse_inplace(inplace)
    input = jnp.asarray(input)
    check_kernel("elu_cpu", input)
    return _exponential(input, as_number(alpha, "alpha", "elu"), 1.0, 1.0)


@operation("EluBackward0")
def selu(input: Float[Array, "*shape"], inplace: bool = False) -> Float[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.selu``: :math:`1.0507 x` where x > 0, :math:`1.7581 (e^x - 1)` elsewhere.

    The derivative at 0 is 1.7581. Arguments and errors as :func:`elu`.

    >>> [f"{y:.4f}" for y in selu(jnp.array([-100.0, 1.0])).tolist()]
    ['-1.7581', '1.0507']

    Source: torch/nn/functional.py, ``selu``; Klambauer et al., 2017.
    """
    refuse_inplace(inplace)
    input = jnp.asarray(input)
    check_kernel("elu_cpu", input)
    return _exponential(input, _ALPHA * _SCALE, _SCALE, 1.0)


@operation("CeluBackward0")
def celu(input: Float[Array, "*shape"], alpha: float = 1.0, inplace: bool = False) -> Float[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.celu``: x where x > 0, :math:`\alpha (e^{x/\alpha} - 1)` elsewhere.

    The derivative is continuous: 1 at 0. Arguments as :func:`elu`.

    Raises:
        RuntimeError: ``ZeroDivisionError: alpha cannot be 0 for CELU``.
        NotImplementedError: ``"elu_cpu" not implemented for 'Long'``.

    >>> celu(jnp.array([-100.0, 2.0]), 0.5).tolist()
    [-0.5, 2.0]

    Source: torch/nn/functional.py, ``celu``; Barron, 2017.
    """
    refuse_inplace(inplace)
    input, alpha = jnp.asarray(input), as_number(alpha, "alpha", "celu")
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    check_kernel("elu_cpu", input)
    return _exponential(input, alpha, 1.0, 1 / alpha)
