"""Pools that stay whole in the graph, and their backwards, by ``nn.functional``'s."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F
from jaxgrad.trace.table.align import pullback


def _or(stride: Any, kernel: Any) -> Any:
    return tuple(stride) if stride else tuple(kernel)


def _max_pool(fn: Callable[..., Any]) -> Callable[..., Any]:
    def call(
        x: Array, kernel: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
    ) -> Any:
        padding, dilation = (each if isinstance(each, int) else tuple(each) for each in (padding, dilation))
        return fn(x, tuple(kernel), _or(stride, kernel), padding, dilation, ceil_mode, True)

    return call


def _at_indices(spatial: int) -> Callable[..., Any]:
    """The gradient goes to the places whose indices the forward kept, counted over the last axes."""

    def backward(grad: Array, x: Array, *rest: Any) -> Array:
        index = rest[-1]
        lead = x.shape[: x.ndim - spatial]
        flat = jnp.zeros((max(1, _size(lead)), _size(x.shape[x.ndim - spatial :])), grad.dtype)
        rows = jnp.arange(flat.shape[0])[:, None]
        at = index.reshape(flat.shape[0], -1)
        return flat.at[rows, at].add(grad.reshape(flat.shape[0], -1)).reshape(x.shape)

    return backward


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for n in shape:
        size *= n
    return size


def _avg_pool(fn: Callable[..., Any]) -> Callable[..., Any]:
    def call(
        x: Array,
        kernel: Any,
        stride: Any = (),
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: Any = None,
    ) -> Any:
        padding = padding if isinstance(padding, int) else tuple(padding)
        return fn(x, tuple(kernel), _or(stride, kernel), padding, ceil_mode, count_include_pad, divisor_override)

    return call


def _avg_pool1d(x: Array, kernel: Any, stride: Any = (), padding: Any = 0, *rest: Any) -> Any:
    padding = padding if isinstance(padding, int) else tuple(padding)
    return F.avg_pool1d(x, tuple(kernel), _or(stride, kernel), padding, *rest)


def _adaptive(fn: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, size: fn(x, size if isinstance(size, int) else tuple(size))


def _with_indices(fn: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, size: fn(x, tuple(size), True)


def _fractional(fn: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, kernel, size, drawn: fn(x, tuple(kernel), tuple(size), None, True, drawn)


TABLE: dict[str, Callable[..., Any]] = {
    "max_pool2d_with_indices": _max_pool(F.max_pool2d),
    "max_pool3d_with_indices": _max_pool(F.max_pool3d),
    "max_pool2d_with_indices_backward": _at_indices(2),
    "max_pool3d_with_indices_backward": _at_indices(3),
    "adaptive_max_pool2d": _with_indices(F.adaptive_max_pool2d),
    "adaptive_max_pool3d": _with_indices(F.adaptive_max_pool3d),
    "adaptive_max_pool2d_backward": _at_indices(2),
    "adaptive_max_pool3d_backward": _at_indices(3),
    "fractional_max_pool2d": _fractional(F.fractional_max_pool2d),
    "fractional_max_pool3d": _fractional(F.fractional_max_pool3d),
    "fractional_max_pool2d_backward": _at_indices(2),
    "fractional_max_pool3d_backward": _at_indices(3),
    "avg_pool1d": _avg_pool1d,
    "avg_pool2d": _avg_pool(F.avg_pool2d),
    "avg_pool3d": _avg_pool(F.avg_pool3d),
    "avg_pool2d_backward": pullback(_avg_pool(F.avg_pool2d)),
    "avg_pool3d_backward": pullback(_avg_pool(F.avg_pool3d)),
    "adaptive_avg_pool1d": _adaptive(F.adaptive_avg_pool1d),
    "_adaptive_avg_pool2d": _adaptive(F.adaptive_avg_pool2d),
    "_adaptive_avg_pool3d": _adaptive(F.adaptive_avg_pool3d),
    "_adaptive_avg_pool2d_backward": lambda g, x: pullback(_adaptive(F.adaptive_avg_pool2d))(g, x, g.shape[-2:]),
    "_adaptive_avg_pool3d_backward": lambda g, x: pullback(_adaptive(F.adaptive_avg_pool3d))(g, x, g.shape[-3:]),
}
