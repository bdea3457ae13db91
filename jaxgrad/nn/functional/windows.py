r"""Sliding windows along one axis, and their adjoint: what unfold, fold and the pools are made of.

A window of n axes is one along each of them in turn, so that k slices an axis do instead of the product of all k.
"""

from functools import partial

import jax
import jax.numpy as jnp

from jaxgrad._core.types import Array


def count(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool = False) -> int:
    """Number of windows along an axis; with ``ceil_mode`` one more may hang over, if it starts inside.

    >>> count(5, 2, 2, 0, 1), count(5, 2, 2, 0, 1, ceil_mode=True)
    (2, 3)
    """
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    n = (room + (stride - 1 if ceil_mode else 0)) // stride + 1
    return n - 1 if ceil_mode and (n - 1) * stride >= size + padding else n


def piece(x: Array, axis: int, start: int, n: int, stride: int) -> Array:
    """``n`` elements along an axis, from ``start`` on, every ``stride``-th."""
    return jax.lax.slice_in_dim(x, start, start + (n - 1) * stride + 1 if n else start, stride, axis)


def slide(x: Array, axis: int, kernel: int, stride: int, dilation: int) -> Array:
    """Windows along an axis, as a new axis of ``kernel`` elements before the one of windows.

    >>> slide(jnp.arange(4), 0, 2, 1, 1).tolist()
    [[0, 1, 2], [1, 2, 3]]
    """
    n = count(x.shape[axis], kernel, stride, 0, dilation)
    if dilation == 1 and kernel == stride:
        x = jax.lax.slice_in_dim(x, 0, n * kernel, axis=axis)
        split = x.reshape(*x.shape[:axis], n, kernel, *x.shape[axis + 1 :])
        return jnp.swapaxes(split, axis, axis + 1)
    return jnp.stack([piece(x, axis, q * dilation, n, stride) for q in range(kernel)], axis)


def overlay(windows: Array, axis: int, size: int, stride: int, dilation: int) -> Array:
    """The adjoint of :func:`slide`: windows added up where they lay, along an axis of ``size``.

    >>> overlay(jnp.ones((2, 3)), 0, 4, 1, 1).tolist()
    [1.0, 2.0, 2.0, 1.0]
    """
    shape = (*windows.shape[:axis], size, *windows.shape[axis + 2 :])
    like = jax.ShapeDtypeStruct(shape, windows.dtype)
    slid = partial(slide, axis=axis, kernel=windows.shape[axis], stride=stride, dilation=dilation)
    (out,) = jax.linear_transpose(slid, like)(windows)
    return out
