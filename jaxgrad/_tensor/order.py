"""Order along an axis: sorting, the k-th, the middle, the most frequent, and running extremes.

What is returned is picked out by its index, so the gradient goes to that one element. Among equals sorting is stable;
nan is greater than everything.
"""

from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.operations import operation
from jaxgrad._core.shapes import axis_of
from jaxgrad._core.types import Array
from jaxgrad._tensor.axes import drop_axis
from jaxgrad._tensor.extrema import Selected, select, share_evenly


def sort(input: Array, dim: int = -1, descending: bool = False, stable: bool = False) -> Selected:
    """Mirror of ``torch.sort``: ``(values, indices)`` along an axis.

    Equals keep their order in both directions, as torch's do whatever ``stable`` says; ``jnp.sort(descending=True)``
    turns them round, and their gradients with them. nan is the greatest.

    Args:
        input: any shape, real.
        dim: the axis.
        descending: greatest first.
        stable: as torch promises it; the order is the same with False.

    >>> sort(jnp.array([2.0, 1.0, 2.0]), descending=True).indices.tolist()
    [0, 2, 1]

    Source: torch.sort.
    """
    del stable  # always so
    at, axis, scalar = _with_axis(input, dim)
    index = _order(at, axis, descending)
    return _picked(at, index, axis, scalar)


def argsort(input: Array, dim: int = -1, descending: bool = False, *, stable: bool = False) -> Array:
    """Mirror of ``torch.argsort``: the indices of :func:`sort`.

    >>> argsort(jnp.array([2.0, 1.0, 2.0]), descending=True).tolist()
    [0, 2, 1]
    """
    return sort(input, dim, descending, stable).indices


def msort(input: Array) -> Array:
    """Mirror of ``torch.msort``: the values of :func:`sort` along the first axis.

    >>> msort(jnp.array([2.0, 1.0])).tolist()
    [1.0, 2.0]
    """
    return sort(input, 0).values


def topk(input: Array, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Selected:
    """Mirror of ``torch.topk``: the ``k`` greatest along an axis, in descending order, and their indices.

    Among equals the earliest are taken. Torch leaves that open; its CPU code takes whichever its partition leaves in
    front ([2, 3] of ``topk([1, 3, 3, 3], 2)``, where here it is [1, 2]).

    Args:
        input: real.
        k: how many.
        dim: the axis.
        largest: the greatest; False for the least.
        sorted: in order. With False torch leaves the order open; here it is the same.

    Raises:
        RuntimeError: ``selected index k out of range``.

    >>> topk(jnp.array([1.0, 3.0, 2.0]), 2)
    Selected(values=Array([3., 2.], dtype=float32), indices=Array([1, 2], dtype=int32))

    Source: torch.topk.
    """
    del sorted
    at, axis, scalar = _with_axis(input, dim)
    if not 0 <= k <= at.shape[axis]:
        raise RuntimeError("selected index k out of range")
    index = jax.lax.slice_in_dim(_order(at, axis, largest), 0, k, axis=axis)
    return _picked(at, index, axis, scalar and k == 1)


def kthvalue(input: Array, k: int, dim: int = -1, keepdim: bool = False) -> Selected:
    """Mirror of ``torch.kthvalue``: the ``k``-th least along an axis, counted from 1, and its index.

    Among equals it is the k-th in their order; torch's index comes from its partition and may be another's.

    Args:
        input: real.
        k: from 1 to the size of the axis.
        dim: the axis.
        keepdim: whether it stays with size 1.

    Raises:
        RuntimeError: ``selected number k out of range for dimension ...``.

    >>> kthvalue(jnp.array([3.0, 1.0, 2.0]), 2).values.item()
    2.0

    Source: torch.kthvalue.
    """
    at, axis, _ = _with_axis(input, dim)
    if not 1 <= k <= at.shape[axis]:
        raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {axis}")
    return _at_rank(at, axis, k - 1, keepdim, jnp.ndim(input))


def median(input: Array, dim: int | None = None, keepdim: bool = False) -> Any:
    """Mirror of ``torch.median``: the middle one, the lower of two; nan if there is any.

    Without ``dim`` all that equal it share the gradient; with it the one at the returned index gets all.
    ``jnp.median`` is the mean of the two middles.

    Args:
        input: real.
        dim: an axis; None for everything.
        keepdim: whether it stays with size 1.

    Returns:
        a scalar, or ``(values, indices)`` where ``dim`` is given.

    >>> median(jnp.array([4.0, 1.0, 3.0, 2.0])).item()
    2.0

    Source: torch.median.
    """
    if dim is None:
        return _middle_of_all(jnp.asarray(input), skip_nan=False)
    at, axis, _ = _with_axis(input, dim)
    _check_not_empty("median", at, axis, dim)
    middle = (at.shape[axis] - 1) // 2
    stable = _order(at, axis, False)
    index = jax.lax.slice_in_dim(stable, middle, middle + 1, axis=axis)
    if jnp.issubdtype(at.dtype, jnp.inexact):
        nans = jnp.isnan(at)
        first = jnp.argmax(nans, axis=axis, keepdims=True)
        index = jnp.where(jnp.any(nans, axis=axis, keepdims=True), first, index)
    return _squeezed(at, index, axis, keepdim, jnp.ndim(input))


def nanmedian(input: Array, dim: int | None = None, keepdim: bool = False) -> Any:
    """Mirror of ``torch.nanmedian``: :func:`median` of what is not nan; nan if nothing else is there.

    >>> nanmedian(jnp.array([1.0, jnp.nan, 3.0])).item()
    1.0

    Source: torch.nanmedian.
    """
    if dim is None:
        return _middle_of_all(jnp.asarray(input), skip_nan=True)
    at, axis, _ = _with_axis(input, dim)
    _check_not_empty("nanmedian", at, axis, dim)
    count = _numbers(at, axis, keepdims=True)
    rank = jnp.maximum(count - 1, 0) // 2
    index = jnp.take_along_axis(_order(at, axis, False), rank, axis=axis)
    return _squeezed(at, index, axis, keepdim, jnp.ndim(input))


def mode(input: Array, dim: int = -1, keepdim: bool = False) -> Selected:
    """Mirror of ``torch.mode``: the most frequent value along an axis, the least of several, and its last index.

    Args:
        input: real.
        dim: the axis.
        keepdim: whether it stays with size 1.

    >>> mode(jnp.array([1.0, 2.0, 2.0, 3.0]))
    Selected(values=Array(2., dtype=float32), indices=Array(2, dtype=int32))

    Source: torch.mode.
    """
    at, axis, _ = _with_axis(input, dim)
    _check_not_empty("mode", at, axis, dim)
    order = _order(at, axis, False)
    ranked = select(jax.lax.stop_gradient(at), order, axis)
    place = jax.lax.broadcasted_iota(jnp.int32, ranked.shape, axis)
    fresh = jnp.roll(ranked, 1, axis) != ranked
    start = jax.lax.cummax(jnp.where(fresh | (place == 0), place, 0), axis=axis)
    best = jnp.argmax(place - start, axis=axis, keepdims=True)  # where the longest run of equals ends
    index = jnp.take_along_axis(order, best, axis=axis)
    return _squeezed(at, index, axis, keepdim, jnp.ndim(input))


@operation("CummaxBackward0")
def cummax(input: Array, dim: int) -> Selected:
    """Mirror of ``torch.cummax``: the greatest so far along an axis, and the index of its latest occurrence.

    Args:
        input: real.
        dim: the axis.

    >>> jax.grad(lambda x: cummax(x, 0).values @ jnp.array([1.0, 2.0]))(jnp.array([1.0, 1.0])).tolist()
    [1.0, 2.0]

    Source: torch.cummax.
    """
    return _running(input, dim, lambda new, old: new >= old)


@operation("CumminBackward0")
def cummin(input: Array, dim: int) -> Selected:
    """Mirror of ``torch.cummin``: the least so far along an axis, and the index of its latest occurrence.

    >>> cummin(jnp.array([2.0, 1.0, 3.0]), 0).indices.tolist()
    [0, 1, 1]

    Source: torch.cummin.
    """
    return _running(input, dim, lambda new, old: new <= old)


def _running(input: Any, dim: int, wins: Any) -> Selected:
    at, axis, scalar = _with_axis(input, dim)
    fixed = jax.lax.stop_gradient(at)
    index = jax.lax.broadcasted_iota(jax.dtypes.canonicalize_dtype(jnp.int64), at.shape, axis)

    def later(old: tuple[Array, Array], new: tuple[Array, Array]) -> tuple[Array, Array]:
        takes = wins(new[0], old[0])
        if jnp.issubdtype(at.dtype, jnp.inexact):
            takes = jnp.isnan(new[0]) | (takes & ~jnp.isnan(old[0]))
        return jnp.where(takes, new[0], old[0]), jnp.where(takes, new[1], old[1])

    if at.size:
        _, index = jax.lax.associative_scan(later, (fixed, index), axis=axis)
    return _picked(at, index, axis, scalar)


def _with_axis(input: Any, dim: int) -> tuple[Array, int, bool]:
    """An array with at least one axis, the axis, and whether it was a scalar."""
    input = jnp.asarray(input)
    return jnp.atleast_1d(input), axis_of(dim, input.ndim), input.ndim == 0


def _order(at: Array, axis: int, descending: bool) -> Array:
    fixed = jax.lax.stop_gradient(at)
    if not descending:
        return jnp.argsort(fixed, axis=axis, stable=True)
    backward = jnp.argsort(jnp.flip(fixed, axis), axis=axis, stable=True)
    return jnp.flip(at.shape[axis] - 1 - backward, axis)


def _picked(at: Array, index: Array, axis: int, scalar: bool) -> Selected:
    found = Selected(select(at, index, axis), index)
    return Selected(*(each[0] for each in found)) if scalar else found


def _squeezed(at: Array, index: Array, axis: int, keepdim: bool, ndim: int) -> Selected:
    return Selected(*(drop_axis(each, axis, keepdim, ndim) for each in (select(at, index, axis), index)))


def _at_rank(at: Array, axis: int, rank: int, keepdim: bool, ndim: int) -> Selected:
    index = jax.lax.slice_in_dim(_order(at, axis, False), rank, rank + 1, axis=axis)
    return _squeezed(at, index, axis, keepdim, ndim)


def _middle_of_all(input: Array, skip_nan: bool) -> Array:
    if input.size == 0:
        return jnp.full((), jnp.nan if jnp.issubdtype(input.dtype, jnp.inexact) else 0, input.dtype)
    flat = jnp.sort(jax.lax.stop_gradient(input).ravel())
    count = _numbers(flat, 0) if skip_nan else flat.size
    value = flat[jnp.maximum(count - 1, 0) // 2]
    if not skip_nan and jnp.issubdtype(flat.dtype, jnp.inexact):
        value = jnp.where(jnp.any(jnp.isnan(flat)), jnp.nan, value)
    return share_evenly(input, value)


def _numbers(at: Array, axis: int, keepdims: bool = False) -> Array:
    present = ~jnp.isnan(at) if jnp.issubdtype(at.dtype, jnp.inexact) else jnp.ones(at.shape, bool)
    return jnp.sum(present, axis=axis, keepdims=keepdims)


def _check_not_empty(name: str, at: Array, axis: int, dim: int) -> None:
    if at.shape[axis] == 0:
        raise IndexError(f"{name}(): Expected reduction dim {dim} to have non-zero size.")
