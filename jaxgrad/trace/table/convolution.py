"""Convolutions and their gradients, by ``nn.functional``'s."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F

_PLAIN = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def _convolution(
    x: Array,
    weight: Array,
    bias: Array | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
) -> Array:
    n = x.ndim - 2
    stride, padding, dilation, extra = (tuple(each) for each in (stride, padding, dilation, output_padding))
    if transposed:
        return _TRANSPOSED[n](x, weight, bias, stride, padding, extra, groups, dilation)
    return _PLAIN[n](x, weight, bias, stride, padding, dilation, groups)


def _backward(
    grad: Array, x: Array, weight: Array, bias_sizes: Any, *rest: Any
) -> tuple[Array | None, Array | None, Array | None]:
    del bias_sizes
    *geometry, mask = rest
    _, pull = jax.vjp(lambda x, w: _convolution(x, w, None, *geometry), x, weight)
    to_x, to_weight = pull(grad)
    to_bias = jnp.sum(grad, (0, *range(2, grad.ndim))) if mask[2] else None
    return to_x if mask[0] else None, to_weight if mask[1] else None, to_bias


TABLE: dict[str, Callable[..., Any]] = {"convolution": _convolution, "convolution_backward": _backward}
