"""Spread and mean, with torch's defaults (the unbiased estimate) and its derivative where the spread is 0."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgrad._core.operations import operation
from jaxgrad._core.shapes import axis_of
from jaxgrad._core.types import Array
from jaxgrad._tensor.promotion import as_float


class VarMean(NamedTuple):
    """The spread (variance or standard deviation) and the mean, as ``torch.var_mean`` returns them."""

    spread: Array
    mean: Array


@operation("VarBackward0")
def var(
    input: Array, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float | None = 1
) -> Array:
    r"""Mirror of ``torch.var``: :math:`\frac{1}{\max(0, n - c)} \sum_i (x_i - \bar x)^2`.

    The correction c is 1 by default, so that the estimate is unbiased; ``jnp.var`` has 0.

    Args:
        input: floating or complex.
        dim: an axis, several, or None for all; a bool in its place is ``unbiased``, as in torch.
        unbiased: True for c = 1, False for c = 0; None leaves it to ``correction``.
        correction: c.
        keepdim: whether the axes stay with size 1.

    >>> var(jnp.array([1.0, 2.0, 4.0])).item()
    2.333333...

    Source: torch.var.
    """
    return _var_and_mean(_floating("var", input), dim, unbiased, keepdim, correction)[0]


@operation("StdBackward0")
def std(
    input: Array, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float | None = 1
) -> Array:
    """Mirror of ``torch.std``: the root of :func:`var`.

    Where it is 0 the derivative is 0, and nan in JAX.

    Args:
        input: floating or complex.
        dim: an axis, several, or None for all; a bool in its place is ``unbiased``, as in torch.
        unbiased: True for a correction of 1, False for 0; None leaves it to ``correction``.
        correction: 1 for the unbiased variance, which is torch's default; ``jnp.std`` has 0.
        keepdim: whether the axes stay with size 1.

    >>> jax.grad(lambda x: std(x))(jnp.array([2.0, 2.0])).tolist()
    [0.0, 0.0]

    Source: torch.std.
    """
    return _root(_var_and_mean(_floating("std", input), dim, unbiased, keepdim, correction)[0])


def var_mean(
    input: Array, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float | None = 1
) -> VarMean:
    """Mirror of ``torch.var_mean``: ``(var, mean)``.

    >>> [x.item() for x in var_mean(jnp.array([1.0, 3.0]))]
    [2.0, 2.0]
    """
    return VarMean(*_var_and_mean(_floating("var_mean", input), dim, unbiased, keepdim, correction))


def std_mean(
    input: Array, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float | None = 1
) -> VarMean:
    """Mirror of ``torch.std_mean``: ``(std, mean)``.

    >>> [x.item() for x in std_mean(jnp.array([2.0, 2.0]))]
    [0.0, 2.0]
    """
    spread, mean = _var_and_mean(_floating("std_mean", input), dim, unbiased, keepdim, correction)
    return VarMean(_root(spread), mean)


@operation("MeanBackward0")
def nanmean(input: Array, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Array:
    """Mirror of ``torch.nanmean``: the mean of what is not nan.

    Where all are nan so is every derivative; JAX's is 0.

    Args:
        input: floating or complex.
        dim: an axis, several, or None for all.
        keepdim: whether the axes stay with size 1.
        dtype: computes and returns in this dtype.

    Raises:
        RuntimeError: an integer input.

    >>> nanmean(jnp.array([1.0, jnp.nan, 3.0])).item()
    2.0

    Source: torch.nanmean.
    """
    input = jnp.asarray(input)
    if not jnp.issubdtype(input.dtype, jnp.inexact):
        raise RuntimeError("nanmean(): expected input to have floating point or complex dtype but got Long")
    if dtype is not None:
        input = input.astype(dtype)
    axes = _axes(dim, input.ndim)
    present = ~jnp.isnan(input)
    clean = _weighted(jnp.where(present, jax.lax.stop_gradient(input), 0), input, present.astype(input.dtype))
    return jnp.sum(clean, axes, keepdims=keepdim) / jnp.sum(present, axes, keepdims=keepdim).astype(input.dtype)


@jax.custom_jvp
def _weighted(clean: Array, x: Array, weight: Array) -> Array:
    """``clean`` in value, ``weight`` in derivative by ``x``: a product, so that inf times 0 is nan as in torch."""
    return clean


@_weighted.defjvp
def _weighted_jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
    (clean, x, weight), (_, t, _) = primals, tangents
    return _weighted(clean, x, weight), weight * t


@jax.custom_jvp
def _root(variance: Array) -> Array:
    return jnp.sqrt(variance)


@_root.defjvp
def _root_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    root = _root(*primals)
    return root, jnp.where(root == 0, jnp.zeros_like(root), tangents[0] / (2 * jnp.where(root == 0, 1, root)))


def _var_and_mean(
    input: Array, dim: Any, unbiased: bool | None, keepdim: bool, correction: float | None
) -> tuple[Array, Array]:
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if unbiased is not None:
        correction = int(unbiased)
    axes = _axes(dim, input.ndim)
    mean = jnp.mean(input, axes, keepdims=True)
    count = input.size // max(mean.size, 1)
    difference = input - mean
    square = difference.real**2 + difference.imag**2 if jnp.iscomplexobj(input) else difference**2
    freedom = max(0.0, count - (1 if correction is None else correction))
    spread = jnp.sum(square, axes, keepdims=keepdim) / jnp.asarray(freedom, square.dtype)
    return spread, jnp.mean(input, axes, keepdims=keepdim)


def _axes(dim: Any, ndim: int) -> tuple[int, ...] | None:
    if dim is None:
        return None
    axes = (dim,) if isinstance(dim, int) else tuple(dim)
    axes = tuple(axis_of(each, ndim) for each in axes)
    return axes if axes and ndim else None


_NAMES = {"std": "std and var", "var": "std and var"}


def _floating(name: str, input: Any) -> Array:
    input = jnp.asarray(input)
    if not jnp.issubdtype(input.dtype, jnp.inexact):
        raise RuntimeError(f"{_NAMES.get(name, name)} only support floating point and complex dtypes")
    return as_float(input)
