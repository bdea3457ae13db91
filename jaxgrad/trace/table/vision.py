"""Images at other places: grids, resizing with smoothing, columns; and their backwards."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F

_MODES = ("bilinear", "nearest", "bicubic")
_PADDINGS = ("zeros", "border", "reflection")


def _grid(x: Array, grid: Array, mode: int, padding: int, align_corners: bool) -> Array:
    return F.grid_sample(x, grid, _MODES[mode], _PADDINGS[padding], align_corners)


def _grid_backward(
    grad: Array, x: Array, grid: Array, mode: int, padding: int, align_corners: bool, mask: Any
) -> tuple[Array | None, Array | None]:
    _, pull = jax.vjp(lambda x, grid: _grid(x, grid, mode, padding, align_corners), x, grid)
    to_x, to_grid = pull(grad)
    return to_x if mask[0] else None, to_grid if mask[1] else None


def _smooth(kind: str) -> Callable[..., Array]:
    def call(x: Array, size: Any, align_corners: bool, *scales: Any) -> Array:
        if any(each is not None for each in scales):
            return F.interpolate(x, None, tuple(scales), kind, align_corners, antialias=True)
        return F.interpolate(x, tuple(size), None, kind, align_corners, antialias=True)

    return call


def _smooth_backward(kind: str) -> Callable[..., Array]:
    def call(grad: Array, size: Any, input_size: Any, align_corners: bool, *scales: Any) -> Array:
        start = jnp.zeros(input_size, grad.dtype)  # resizing is linear
        to_x: Array = jax.vjp(lambda x: _smooth(kind)(x, size, align_corners, *scales), start)[1](grad)[0]
        return to_x

    return call


def _resized(kind: str) -> Callable[..., Array]:
    def call(x: Array, size: Any, *rest: Any) -> Array:
        *align, factors = rest
        factor = None if factors is None else tuple(factors)
        return F.interpolate(x, None if size is None else tuple(size), factor, kind, *align)

    return call


def _folded(x: Array, size: Any, kernel: Any, dilation: Any, padding: Any, stride: Any) -> Array:
    return F.fold(x, tuple(size), tuple(kernel), tuple(dilation), tuple(padding), tuple(stride))


def _unfolded(x: Array, kernel: Any, dilation: Any, padding: Any, stride: Any) -> Array:
    return F.unfold(x, tuple(kernel), tuple(dilation), tuple(padding), tuple(stride))


TABLE: dict[str, Callable[..., Any]] = {
    "grid_sampler_2d": _grid,
    "grid_sampler_3d": _grid,
    "grid_sampler_2d_backward": _grid_backward,
    "grid_sampler_3d_backward": _grid_backward,
    "_upsample_bilinear2d_aa": _smooth("bilinear"),
    "_upsample_bicubic2d_aa": _smooth("bicubic"),
    "_upsample_bilinear2d_aa_backward": _smooth_backward("bilinear"),
    "_upsample_bicubic2d_aa_backward": _smooth_backward("bicubic"),
    "upsample_bilinear2d.vec": _resized("bilinear"),
    "upsample_nearest2d.vec": _resized("nearest"),
    "col2im": _folded,
    "im2col": _unfolded,
}
