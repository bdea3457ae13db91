r"""A convolution as XLA's library for CPUs wants it: images with their channels last, a kernel with its channels last.

XLA hands a convolution to its library if it lies so, and brings into that form only what stands outside every loop.
A convolution that a loop contains is therefore slow (10 to 50 times) unless it is written so from the start. The form
costs a copy of the input and one of the output, which XLA made in any case.

The input's gradient is a convolution of the cotangent, spread by the stride, with the kernel turned around. The
weight's has no place here: it slides the cotangent, as large as an image, over the input, for which the library is slow
and its sums are long (:mod:`columns` has it).
"""

import jax
import jax.numpy as jnp

from jaxgrad._core.types import Array
from jaxgrad.nn.functional.conv.columns import Window
from jaxgrad.nn.functional.conv.convolve import Pads
from jaxgrad.nn.functional.sizes import Sizes

FEWEST = 16
"""Channels on both sides from which the library is faster than products over columns."""


def suits(weight: Array, window: Window) -> bool:
    """Whether the library is faster than products: images in float32, many channels in one group, more than 1x1.

    The library does not take float64, and the other ranks no faster than products.

    >>> window = Window((8, 8), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 1)
    >>> suits(jnp.ones((16, 16, 3, 3)), window), suits(jnp.ones((16, 3, 3, 3)), window)
    (True, False)
    """
    out, channels = weight.shape[:2]
    return (
        weight.dtype == jnp.float32
        and len(window.kernel) == 2
        and window.groups == 1
        and min(out, channels) >= FEWEST
        and max(window.kernel) > 1
    )


def forward(input: Array, weight: Array, window: Window) -> Array:
    """The output: (N, C, H, W) and (O, C, kh, kw) -> (N, O, *out).

    One row or column of zeros too many, whose results are cut off, where there would be none: the library computes a
    convolution without a border up to four times as slowly.
    """
    pads = window.pads
    if not any(map(sum, pads)):
        pads = (pads[0], (0, window.stride[1]))
    y = _convolve(input, jnp.transpose(weight, (2, 3, 1, 0)), window.stride, pads, (1, 1), window.dilation)
    height, width = window.out()
    return y[:, :, :height, :width]


def input_gradient(cotangent: Array, weight: Array, window: Window) -> Array:
    """The input's gradient: (N, O, *out) and (O, C, kh, kw) -> (N, C, H, W)."""
    pads = []
    each = zip(window.sizes, window.kernel, window.stride, window.pads, window.dilation, window.out(), strict=True)
    for size, k, s, (low, _), d, out in each:
        reach = d * (k - 1)
        before = reach - low
        pads.append((before, size + reach - before - (s * (out - 1) + 1)))
    turned = jnp.transpose(jnp.flip(weight, (2, 3)), (2, 3, 0, 1))
    return _convolve(cotangent, turned, (1, 1), tuple(pads), window.stride, window.dilation)


def _convolve(images: Array, kernel: Array, stride: Sizes, pads: Pads, spread: Sizes, dilation: Sizes) -> Array:
    """(N, C, H, W) and (kh, kw, C, O) -> (N, O, *out)."""
    y = jax.lax.conv_general_dilated(
        jnp.transpose(images, (0, 2, 3, 1)),
        kernel,
        window_strides=stride,
        padding=pads,
        lhs_dilation=spread,
        rhs_dilation=dilation,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    return jnp.transpose(y, (0, 3, 1, 2))
