"""Sums over windows, along one axis and then along the next."""

from functools import reduce

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.types import Array
from jaxgrad.nn.functional.pooling.maximum import Windows
from jaxgrad.nn.functional.windows import slide


def sum_along(x: Array, axis: int, windows: Windows) -> Array:
    """The sum of each window along an axis; what lies outside counts as 0.

    >>> from jaxgrad.nn.functional.pooling.maximum import adaptive
    >>> sum_along(jnp.array([1.0, 2.0, 4.0]), 0, adaptive(3, 2)).tolist()
    [3.0, 6.0]
    """
    n, kernel = windows.at.shape
    if 0 in (n, kernel):
        return jnp.zeros((*x.shape[:axis], n, *x.shape[axis + 1 :]), x.dtype)
    if windows.step is None:
        at = np.clip(windows.at, 0, x.shape[axis] - 1)
        inside = windows.inside.reshape((1,) * axis + windows.inside.shape + (1,) * (x.ndim - axis - 1))
        return jnp.sum(jnp.where(inside, jnp.take(x, at, axis), 0), axis + 1)
    stride, start, _ = windows.step
    last = int(windows.at[-1, -1]) + 1
    pads = [(0, 0, 0)] * x.ndim
    pads[axis] = (-start, last - x.shape[axis], 0)
    x = jax.lax.pad(x, jnp.zeros((), x.dtype), pads)
    return jnp.sum(slide(x, axis, kernel, stride, 1), axis)


def mean_over(x: Array, windows: list[Windows], sizes: list[np.ndarray]) -> Array:
    """The sums over windows of the last axes, divided by the product of the sizes along each.

    Sixteen-bit floats are added up in float32, as torch does; integers are divided towards 0.
    """
    narrow = x.dtype.itemsize == 2 and jnp.issubdtype(x.dtype, jnp.floating)
    total = x.astype(jnp.float32) if narrow else x
    for axis, each in enumerate(windows, x.ndim - len(windows)):
        total = sum_along(total, axis, each)
    divisor = np.asarray(reduce(np.multiply.outer, sizes))
    if divisor.size and (divisor == divisor.flat[0]).all():
        divisor = divisor.flat[0]
    by = jnp.asarray(divisor, total.dtype)
    if by.ndim:
        by = jnp.broadcast_to(by.reshape((1,) * (total.ndim - by.ndim) + by.shape), total.shape)
    if jnp.issubdtype(x.dtype, jnp.integer):
        return jax.lax.div(total, jnp.broadcast_to(by, total.shape))
    return (total / by).astype(x.dtype)
