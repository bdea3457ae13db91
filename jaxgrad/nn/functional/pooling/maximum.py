"""The greatest element of every window, and where it lies: along one axis, then along the next.

Torch's order decides ties: of equal elements the first counts, of several nan the last. The gradient goes to the one
element that counts, whole (``jnp.max`` would share it out).
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.types import Array
from jaxgrad.nn.functional.windows import count, piece

_FEW = 8
"""Windows up to this size are compared element by element, longer ones gathered."""


@dataclass(frozen=True)
class Windows:
    """Places of the elements of all windows along one axis.

    Attributes:
        at: (windows, kernel); outside the axis where ``inside`` is False.
        inside: (windows, kernel); every window has an element inside.
        step: the stride, where the windows are equally spaced, with ``start`` and ``dilation``; None otherwise.
    """

    at: np.ndarray
    inside: np.ndarray
    step: tuple[int, int, int] | None = None


def regular(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> Windows:
    """Windows of a pool, equally spaced.

    >>> regular(4, 2, 2, 1, 1, False).at.tolist()
    [[-1, 0], [1, 2], [3, 4]]
    """
    n = count(size, kernel, stride, padding, dilation, ceil_mode)
    at = np.arange(n)[:, None] * stride - padding + np.arange(kernel)[None, :] * dilation
    return Windows(at, (at >= 0) & (at < size), (stride, -padding, dilation))


def adaptive(size: int, out: int) -> Windows:
    """``out`` windows of nearly equal length that cover an axis.

    >>> adaptive(5, 2).at.tolist()
    [[0, 1, 2], [2, 3, 4]]
    """
    if out and size % out == 0:
        length = size // out
        return regular(size, length, max(length, 1), 0, 1, False)
    start = np.arange(out) * size // max(out, 1)
    stop = -(-(np.arange(1, out + 1) * size) // max(out, 1))
    at = start[:, None] + np.arange(int((stop - start).max(initial=0)))[None, :]
    return Windows(at, at < stop[:, None])


def max_along(x: Array, index: Array | None, axis: int, windows: Windows) -> tuple[Array, Array | None]:
    """The greatest of each window along an axis, and what ``index`` says of it.

    >>> max_along(jnp.array([1.0, 3.0, 3.0]), jnp.arange(3), 0, adaptive(3, 1))
    (Array([3.], dtype=float32), Array([1], dtype=int32))
    """
    if windows.step is not None and windows.at.shape[1] <= _FEW:
        return _compared(x, index, axis, windows)
    return _gathered(x, index, axis, windows)


def _compared(x: Array, index: Array | None, axis: int, windows: Windows) -> tuple[Array, Array | None]:
    """One element of all windows after the other, as torch's loop: a later one counts if it is greater, or nan."""
    assert windows.step is not None
    stride, start, dilation = windows.step
    n, kernel = windows.at.shape
    after = max(int(windows.at.max(initial=0)) - x.shape[axis] + 1, 0)
    x = _widen(x, axis, -start, after, _least(x.dtype))
    index = None if index is None else _widen(index, axis, -start, after, 0)
    first = np.argmax(windows.inside, 1)
    best = piece(x, axis, 0, n, stride)
    best_index = None if index is None else piece(index, axis, 0, n, stride)
    for q in range(1, kernel):
        candidate = piece(x, axis, q * dilation, n, stride)
        better = (candidate > best) | _is_nan(candidate)
        if (first == q).any():  # all before it lie outside
            better = better | _along(first == q, axis, x.ndim)
        if (~windows.inside[:, q]).any():
            better = better & _along(windows.inside[:, q], axis, x.ndim)
        best = jnp.where(better, candidate, best)
        if index is not None and best_index is not None:
            best_index = jnp.where(better, piece(index, axis, q * dilation, n, stride), best_index)
    return best, best_index


def _gathered(x: Array, index: Array | None, axis: int, windows: Windows) -> tuple[Array, Array | None]:
    at = np.clip(windows.at, 0, x.shape[axis] - 1)
    return chosen(jnp.take(x, at, axis), None if index is None else jnp.take(index, at, axis), axis + 1, windows.inside)


def chosen(w: Array, index: Array | None, axis: int, inside: np.ndarray | None = None) -> tuple[Array, Array | None]:
    """The greatest of the windows that lie along an axis, and what ``index`` says of it.

    Args:
        w: (..., windows, kernel, ...), the kernel at ``axis``.
        index: the same shape.
        axis: of the kernel.
        inside: (windows, kernel), where only some elements of a window count.

    >>> chosen(jnp.array([[1.0, jnp.nan, 2.0]]), jnp.array([[7, 8, 9]]), 1)
    (Array([nan], dtype=float32), Array([8], dtype=int32))
    """
    after = (1,) * (w.ndim - axis - 1)
    fixed = jax.lax.stop_gradient(w)
    counts = ~_is_nan(fixed)
    nan = _is_nan(fixed)
    first = 0
    if inside is not None:
        within = inside.reshape(inside.shape + after)
        within = np.broadcast_to(within, (*(1,) * (axis - 1), *within.shape))
        counts, nan = counts & within, nan & within
        first = np.argmax(inside, 1).reshape((1,) * (axis - 1) + (-1, *after))
    greatest = jnp.argmax(jnp.where(counts, fixed, _least(w.dtype)), axis)
    places = np.arange(w.shape[axis]).reshape((1,) * axis + (-1, *after))
    last_nan = jnp.max(jnp.where(nan, places, -1), axis).astype(greatest.dtype)
    place = jnp.where(last_nan >= 0, last_nan, jnp.maximum(greatest, jnp.asarray(first, greatest.dtype)))
    place = jnp.expand_dims(place, axis)
    best = jnp.squeeze(jnp.take_along_axis(w, place, axis), axis)
    return best, None if index is None else jnp.squeeze(jnp.take_along_axis(index, place, axis), axis)


def max_over(x: Array, windows: list[Windows], *, with_index: bool) -> tuple[Array, Array | None]:
    """The maximum over windows of the last axes, and its place in the flattened axes.

    The last axis first: the first row that holds the maximum, and in it the first column.

    >>> x = jnp.array([[1.0, 5.0], [5.0, 2.0]])
    >>> max_over(x, [adaptive(2, 1), adaptive(2, 1)], with_index=True)
    (Array([[5.]], dtype=float32), Array([[1]], dtype=int32))
    """
    n = len(windows)
    spatial = x.shape[x.ndim - n :]
    index = None
    if with_index:
        flat = jnp.arange(int(np.prod(spatial))).reshape(spatial)
        index = jnp.broadcast_to(flat.reshape((1,) * (x.ndim - n) + spatial), x.shape)
    for axis in reversed(range(x.ndim - n, x.ndim)):
        x, index = max_along(x, index, axis, windows[axis - x.ndim + n])
    return x, index


def _least(dtype: Any) -> Any:
    if jnp.issubdtype(dtype, jnp.floating):
        return np.asarray(-np.inf, dtype)[()]
    return np.asarray(jnp.iinfo(dtype).min, dtype)[()]


def _is_nan(x: Array) -> Array:
    return x != x


def _along(mask: np.ndarray, axis: int, ndim: int) -> np.ndarray:
    return mask.reshape((1,) * axis + (-1,) + (1,) * (ndim - axis - 1))


def _widen(x: Array, axis: int, before: int, after: int, value: Any) -> Array:
    if not before and not after:
        return x
    pads = [(0, 0, 0)] * x.ndim
    pads[axis] = (before, after, 0)
    return jax.lax.pad(x, jnp.asarray(value, x.dtype), pads)
