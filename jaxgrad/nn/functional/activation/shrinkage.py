"""Shrinkage: small inputs become zero."""

import jax.numpy as jnp
from jaxtyping import Float, Inexact, Num

from jaxgrad._core.arguments import as_number
from jaxgrad._core.dtype_names import torch_name
from jaxgrad._core.elementwise import check_kernel, elementwise
from jaxgrad._core.operations import operation
from jaxgrad._core.types import Array
from jaxgrad.nn.functional.activation.sigmoids import tanh


@operation("HardshrinkBackward0")
def hardshrink(input: Float[Array, "*shape"], lambd: float = 0.5) -> Float[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.hardshrink``: 0 where :math:`|x| \le \lambda`, x elsewhere.

    The derivative is 0 at the bounds, 1 at nan.

    Args:
        input: any shape, floating point.
        lambd: the bound.

    Returns:
        The same shape and dtype.

    Raises:
        NotImplementedError: ``"hardshrink_cpu" not implemented for 'Long'``.

    >>> hardshrink(jnp.array([-1.0, 0.5, 0.6])).round(1).tolist()
    [-1.0, 0.0, 0.6...]

    Source: torch/nn/functional.py, ``hardshrink``.
    """
    input = jnp.asarray(input)
    check_kernel("hardshrink_cpu", input)
    return _hardshrink(input, as_number(lambd, "lambd", "hardshrink"))


def _where_large(g: Array, x: Array, lambd: float) -> Array:
    return jnp.where((x >= -lambd) & (x <= lambd), 0, g)


@elementwise(_where_large)
def _hardshrink(x: Array, lambd: float) -> Array:
    return _where_large(x, x, lambd)


@operation("SoftshrinkBackward0")
def softshrink(input: Float[Array, "*shape"], lambd: float = 0.5) -> Float[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.softshrink``: x moved towards 0 by :math:`\lambda`, as far as 0.

    The derivative is 0 at the bounds, 1 at nan.

    Args:
        input: any shape, floating point.
        lambd: the bound, not negative.

    Returns:
        The same shape and dtype.

    Raises:
        RuntimeError: ``lambda must be in range [0, 3.40282e+38] for input dtype Float, but found -1``.
        NotImplementedError: ``"softshrink_check" not implemented for 'Long'``.

    >>> softshrink(jnp.array([-1.0, 0.5, 2.0])).tolist()
    [-0.5, 0.0, 1.5]

    Source: torch/nn/functional.py, ``softshrink``.
    """
    input, lambd = jnp.asarray(input), as_number(lambd, "lambd", "softshrink")
    check_kernel("softshrink_check", input)
    largest = float(jnp.finfo(input.dtype).max)
    if not 0 <= lambd <= largest:
        raise RuntimeError(
            f"lambda must be in range [0, {largest:g}] for input dtype {torch_name(input.dtype)}, but found {lambd:g}"
        )
    return _softshrink(input, lambd)


@elementwise(_where_large)
def _softshrink(x: Array, lambd: float) -> Array:
    return jnp.where(x > lambd, x - lambd, jnp.where(x < -lambd, x + lambd, x * 0))


@operation("SubBackward0")
def tanhshrink(input: Num[Array, "*shape"]) -> Inexact[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.tanhshrink``: :math:`x - \tanh x`.

    Args:
        input: any shape, complex too; integers are taken as float32.

    Returns:
        The same shape; the same dtype, float32 for integers.

    Raises:
        RuntimeError: a boolean input.

    >>> tanhshrink(jnp.array([0.0, 100.0])).tolist()
    [0.0, 99.0]

    Source: torch/nn/functional.py, ``tanhshrink``.
    """
    input = jnp.asarray(input)
    if input.dtype == jnp.bool_:
        raise RuntimeError(
            "Subtraction, the `-` operator, with a bool tensor is not supported. "
            "If you are trying to invert a mask, use the `~` or `logical_not()` operator instead."
        )
    squashed = tanh(input)
    return input.astype(squashed.dtype) - squashed
