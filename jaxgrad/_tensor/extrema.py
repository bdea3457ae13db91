"""Greatest and least: of two arrays, of an axis, of everything. Torch has three ways to share a gradient among equals.

- between two arrays (``maximum``): each gets half; ``fmax``: the first gets all;
- along one axis with the index (``max(input, dim)``): the one whose index is returned gets all;
- over everything or over axes (``max(input)``, ``amax``): all equals share evenly.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgrad._core.operations import operation
from jaxgrad._core.shapes import axis_of
from jaxgrad._core.types import Array
from jaxgrad._tensor.axes import drop_axis
from jaxgrad._tensor.promotion import promote


class Selected(NamedTuple):
    """What torch's ``return_types`` hold: the values, and the indices where they stood."""

    values: Array
    indices: Array


class MinMax(NamedTuple):
    """What ``torch.aminmax`` returns."""

    min: Array
    max: Array


def _pairwise(input: Any, other: Any, chosen: Array, weight: Array) -> Array:
    """``chosen`` in value; its derivative is ``weight`` to the first and the rest to the second."""
    stop = jax.lax.stop_gradient
    first = weight.astype(input.dtype)
    return stop(chosen) + _times(first, input) + _times(1 - first, other)


@jax.custom_jvp
def _times(weight: Array, x: Array) -> Array:
    """0 in value, ``weight`` in derivative: nothing of an infinite ``x`` gets into the sum."""
    return jnp.zeros_like(x)


@_times.defjvp
def _times_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (weight, x), (_, t) = primals, tangents
    return jnp.zeros_like(x), weight * t


@operation("MaximumBackward0")
def maximum(input: Array, other: Array) -> Array:
    """Mirror of ``torch.maximum``: the greater of two, nan if either is.

    Equals share the gradient, half to each; where one is nan both get all of it (JAX gives 0 to both).

    Args:
        input: any shape, real.
        other: broadcastable to it.

    >>> jax.grad(maximum)(1.0, 1.0).item()
    0.5

    Source: torch.maximum.
    """
    return _both_ways(*promote(input, other), greater=True)


@operation("MinimumBackward0")
def minimum(input: Array, other: Array) -> Array:
    """Mirror of ``torch.minimum``: the less of two, nan if either is. Gradients as in :func:`maximum`.

    >>> minimum(jnp.array([1.0, jnp.nan]), jnp.array(0.0)).tolist()
    [0.0, nan]

    Source: torch.minimum.
    """
    return _both_ways(*promote(input, other), greater=False)


def _both_ways(x: Array, y: Array, greater: bool) -> Array:
    chosen = jnp.maximum(x, y) if greater else jnp.minimum(x, y)
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        return chosen
    x_loses, y_loses = (x < y, y < x) if greater else (x > y, y > x)
    tie = jnp.where(x == y, 0.5, 1.0).astype(x.dtype)
    zero = jnp.zeros_like(tie)
    stop = jax.lax.stop_gradient
    return stop(chosen) + _times(jnp.where(x_loses, zero, tie), x) + _times(jnp.where(y_loses, zero, tie), y)


@operation("FmaxBackward0")
def fmax(input: Array, other: Array) -> Array:
    """Mirror of ``torch.fmax``: the greater of two, the other where one is nan.

    Of two equals the first gets the gradient; ``jnp.fmax`` gives it to the second.

    Args:
        input: any shape, real.
        other: broadcastable to it.

    >>> jax.grad(fmax)(1.0, 1.0).item()
    1.0

    Source: torch.fmax.
    """
    x, y = promote(input, other)
    chosen = jnp.fmax(x, y)
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        return chosen
    return _pairwise(x, y, chosen, (x >= y) | jnp.isnan(y))


@operation("FminBackward0")
def fmin(input: Array, other: Array) -> Array:
    """Mirror of ``torch.fmin``: the less of two, the other where one is nan. Gradients as in :func:`fmax`.

    >>> fmin(jnp.array([1.0, jnp.nan]), jnp.array(0.0)).tolist()
    [0.0, 0.0]

    Source: torch.fmin.
    """
    x, y = promote(input, other)
    chosen = jnp.fmin(x, y)
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        return chosen
    return _pairwise(x, y, chosen, (x <= y) | jnp.isnan(y))


def max(input: Array, dim: Any = None, keepdim: bool = False) -> Any:
    """Mirror of ``torch.max`` in its three forms: ``max(input)``, ``max(input, dim)``, ``max(input, other)``.

    Without ``dim`` the equals share the gradient evenly, and where the result is nan its nans do (JAX's gradient is
    nan). With ``dim`` the index is returned too, of the first of equals or of the first nan, and that one element gets
    the gradient (JAX shares it). With an array it is :func:`maximum`.

    Args:
        input: real, not empty.
        dim: an axis; or an array to compare with.
        keepdim: whether the axis stays with size 1.

    Returns:
        a scalar; ``(values, indices)`` with int32 indices (int64 in x64 mode) where ``dim`` is given.

    Raises:
        RuntimeError: nothing to take the greatest of.
        IndexError: ``Dimension out of range ...``.

    >>> max(jnp.array([1.0, 3.0, 3.0]), 0)
    Selected(values=Array(3., dtype=float32), indices=Array(1, dtype=int32))
    >>> jax.grad(lambda x: max(x, 0).values)(jnp.array([1.0, 3.0, 3.0])).tolist()
    [0.0, 1.0, 0.0]

    Source: torch.max.
    """
    return _extreme("max", input, dim, keepdim)


def min(input: Array, dim: Any = None, keepdim: bool = False) -> Any:
    """Mirror of ``torch.min`` in its three forms. As :func:`max`.

    >>> min(jnp.array([[1.0, 2.0], [3.0, 0.0]]), 1).indices.tolist()
    [0, 1]

    Source: torch.min.
    """
    return _extreme("min", input, dim, keepdim)


def _extreme(name: str, input: Any, dim: Any, keepdim: bool) -> Any:
    input = jnp.asarray(input)
    if dim is None:
        if input.size == 0:
            raise RuntimeError(
                f"{name}(): Expected reduction dim to be specified for input.numel() == 0. "
                "Specify the reduction dim with the 'dim' argument."
            )
        return share_evenly(input, jnp.max(input) if name == "max" else jnp.min(input))
    if not isinstance(dim, int):
        return maximum(input, dim) if name == "max" else minimum(input, dim)
    axis = axis_of(dim, input.ndim)
    if input.ndim and input.shape[axis] == 0:
        raise IndexError(f"{name}(): Expected reduction dim {dim} to have non-zero size.")
    at = jnp.atleast_1d(input)
    index = jnp.expand_dims((jnp.argmax if name == "max" else jnp.argmin)(at, axis=axis), axis)
    return Selected(*(drop_axis(each, axis, keepdim, input.ndim) for each in (select(at, index, axis), index)))


def select(input: Array, index: Array, axis: int) -> Array:
    """``input`` at an index of the same rank along one axis; the gradient goes to these places alone."""
    return jnp.take_along_axis(input, index, axis=axis, mode="promise_in_bounds")


@jax.custom_jvp
def share_evenly(input: Array, value: Array) -> Array:
    """``value``, whose gradient all elements that equal it share; the nans, where it is nan."""
    return value


@share_evenly.defjvp
def _share_evenly_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (input, value), (t, _) = primals, tangents
    equal = jnp.where(jnp.isnan(value), jnp.isnan(input), input == value)
    return share_evenly(input, value), jnp.sum(jnp.where(equal, t, 0)) / jnp.sum(equal).astype(t.dtype)


@operation("AmaxBackward0")
def amax(input: Array, dim: Any = (), keepdim: bool = False) -> Array:
    """Mirror of ``torch.amax``: the greatest along axes; equals share the gradient evenly, as in ``jnp.max``.

    Args:
        input: real.
        dim: one axis, several, or () for all.
        keepdim: whether the axes stay with size 1.

    >>> jax.grad(lambda x: amax(x, 0))(jnp.array([1.0, 3.0, 3.0])).tolist()
    [0.0, 0.5, 0.5]

    Source: torch.amax.
    """
    return _over_axes("amax", input, dim, keepdim)


@operation("AminBackward0")
def amin(input: Array, dim: Any = (), keepdim: bool = False) -> Array:
    """Mirror of ``torch.amin``: the least along axes. As :func:`amax`.

    >>> amin(jnp.array([[1.0, 3.0], [2.0, 0.0]]), 1).tolist()
    [1.0, 0.0]

    Source: torch.amin.
    """
    return _over_axes("amin", input, dim, keepdim)


def aminmax(input: Array, *, dim: int | None = None, keepdim: bool = False) -> MinMax:
    """Mirror of ``torch.aminmax``: ``(min, max)``; equals share the gradient evenly.

    Args:
        input: real.
        dim: an axis, or None for all.
        keepdim: whether it stays with size 1.

    >>> [x.item() for x in aminmax(jnp.array([1.0, 3.0, 2.0]))]
    [1.0, 3.0]

    Source: torch.aminmax.
    """
    axes = () if dim is None else dim
    input = jnp.asarray(input)
    if dim is None and input.size == 0:
        raise RuntimeError(
            "aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity."
        )
    if dim is not None and input.ndim and input.shape[axis_of(dim, input.ndim)] == 0:
        raise IndexError(f"aminmax: Expected reduction dim {dim} to have non-zero size.")
    return MinMax(amin(input, axes, keepdim), amax(input, axes, keepdim))


def _over_axes(name: str, input: Any, dim: Any, keepdim: bool) -> Array:
    input = jnp.asarray(input)
    axes = _axes(dim, input.ndim)
    if axes is None and input.size == 0:
        raise RuntimeError(
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0. "
            "Specify the reduction dim with the 'dim' argument."
        )
    for axis in axes or ():
        if (axes or ()).count(axis) > 1:
            raise RuntimeError(f"dim {axis} appears multiple times in the list of dims")
        if input.shape[axis] == 0:
            raise IndexError(f"{name}(): Expected reduction dim {axis} to have non-zero size.")
    return (jnp.max if name == "amax" else jnp.min)(input, axis=axes, keepdims=keepdim)


def _axes(dim: Any, ndim: int) -> tuple[int, ...] | None:
    axes = (dim,) if isinstance(dim, int) else tuple(dim)
    if not axes or ndim == 0:
        return None
    return tuple(axis_of(each, ndim) for each in axes)
