r"""A convolution as matrix products, for processors on which XLA's own convolution is slow
(what its library does not take).

.. math:: Y = W P(X), \qquad \bar W = \bar Y P(X)^T, \qquad \bar X = P^T(W^T \bar Y)

with :math:`P` the patches of a few images as the columns of a matrix. A few images at a time: their patches stay in
the cache, and memory is no more than theirs.
"""

import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgrad._core.types import Array
from jaxgrad.nn.functional.conv.convolve import Pads
from jaxgrad.nn.functional.sizes import Sizes
from jaxgrad.nn.functional.windows import count, piece

ENOUGH = 512
"""Columns that a product should have at least: so many images are taken together."""


class Window(NamedTuple):
    """What a convolution is beside its two arrays, as it is fixed at compile time."""

    sizes: Sizes
    kernel: Sizes
    stride: Sizes
    pads: Pads
    dilation: Sizes
    groups: int

    def padded(self) -> Sizes:
        """Sizes of the input with its zeros."""
        return tuple(size + low + high for size, (low, high) in zip(self.sizes, self.pads, strict=True))

    def out(self) -> Sizes:
        """Sizes of the output.

        >>> Window((8,), (3,), (2,), ((1, 1),), (1,), 1).out()
        (4,)
        """
        each = zip(self.padded(), self.kernel, self.stride, self.dilation, strict=True)
        return tuple(count(size, k, s, 0, d) for size, k, s, d in each)


def forward(input: Array, weight: Array, window: Window) -> Array:
    """The output: (N, C, *sizes) and (O, C / groups, *kernel) -> (N, O, *out)."""
    matrix = _matrix(weight, window)
    out = window.out()

    def some(_: None, images: Array) -> tuple[None, Array]:
        product = _dot(matrix, _columns(images, window))  # (groups, O / groups, images * places)
        y = product.reshape(weight.shape[0], images.shape[0], *out)
        return None, jnp.swapaxes(y, 0, 1)

    _, y = jax.lax.scan(some, None, _in_chunks(input, window))
    return y.reshape(input.shape[0], weight.shape[0], *out)


def input_gradient(cotangent: Array, weight: Array, window: Window) -> Array:
    """The input's gradient: (N, O, *out) and (O, C / groups, *kernel) -> (N, C, *sizes)."""
    matrix = jnp.swapaxes(_matrix(weight, window), 1, 2)
    channels = weight.shape[1] * window.groups
    chunks = _in_chunks(cotangent, window)
    images = jax.ShapeDtypeStruct((chunks.shape[1], channels, *window.sizes), cotangent.dtype)
    back = jax.linear_transpose(partial(_columns, window=window), images)

    def some(_: None, g: Array) -> tuple[None, Array]:
        (x,) = back(_dot(matrix, _rows(g, window)))
        return None, x

    _, x = jax.lax.scan(some, None, chunks)
    return x.reshape(cotangent.shape[0], channels, *window.sizes)


def weight_gradient(input: Array, cotangent: Array, window: Window) -> Array:
    """The weight's gradient: (N, C, *sizes) and (N, O, *out) -> (O, C / groups, *kernel)."""
    channels, out = input.shape[1], cotangent.shape[1]
    rows = channels // window.groups * math.prod(window.kernel)
    zero = jnp.zeros((window.groups, out // window.groups, rows), input.dtype)

    def some(total: Array, each: tuple[Array, Array]) -> tuple[Array, None]:
        return total + _dot(_rows(each[1], window), _columns(each[0], window), 2), None

    total, _ = jax.lax.scan(some, zero, (_in_chunks(input, window), _in_chunks(cotangent, window)))
    return total.reshape(out, channels // window.groups, *window.kernel)


def _matrix(weight: Array, window: Window) -> Array:
    """(O, C / groups, *kernel) -> (groups, O / groups, C / groups * kernel)."""
    rows = weight.shape[1] * math.prod(window.kernel)
    return weight.reshape(window.groups, weight.shape[0] // window.groups, rows)


def _columns(images: Array, window: Window) -> Array:
    """(B, C, *sizes) -> (groups, C / groups * kernel, B * places): along one axis, then along the next."""
    n = len(window.kernel)
    x = jnp.swapaxes(images, 0, 1)
    x = jax.lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0)] * 2 + [(low, high, 0) for low, high in window.pads])
    for axis in range(n):
        k, s, d, places = window.kernel[axis], window.stride[axis], window.dilation[axis], window.out()[axis]
        at = 2 + 2 * axis  # behind the channels, the kernel's axes so far, the images and the axes before
        x = jnp.stack([piece(x, at, q * d, places, s) for q in range(k)], 1 + axis)
    rows = images.shape[1] // window.groups * math.prod(window.kernel)
    return x.reshape(window.groups, rows, images.shape[0] * math.prod(window.out()))


def _rows(cotangent: Array, window: Window) -> Array:
    """(B, O, *out) -> (groups, O / groups, B * places)."""
    b, out = cotangent.shape[:2]
    places = b * math.prod(window.out())
    return jnp.swapaxes(cotangent, 0, 1).reshape(window.groups, out // window.groups, places)


def _dot(a: Array, b: Array, along: int = 1) -> Array:
    """Products of matrices, group by group, over the last axis of ``a`` and the axis ``along`` of ``b``.

    A single group goes as a plain product, which is faster than a batch of one; a product with an outer or inner size
    of 1 (depthwise convolutions) as the sum that it is.
    """
    if a.shape[0] == 1:
        return jax.lax.dot_general(a[0], b[0], (((1,), (along - 1,)), ((), ())))[None]
    if a.shape[1] == 1 and along == 1:
        return jnp.sum(a[:, 0, :, None] * b, 1)[:, None]
    return jax.lax.dot_general(a, b, (((2,), (along,)), ((0,), (0,))))


def _in_chunks(x: Array, window: Window) -> Array:
    """(N, ...) -> (chunks, images, ...): the fewest images that have enough places, dividing N."""
    n, places = x.shape[0], math.prod(window.out())
    images = min(b for b in range(1, n + 1) if n % b == 0 and (b * places >= ENOUGH or b == n))
    return x.reshape(n // images, images, *x.shape[1:])
