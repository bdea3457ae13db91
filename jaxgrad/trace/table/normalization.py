"""Normalisation with the statistics that the backward reads."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax.numpy as jnp

from jaxgrad._core.types import Array


def _standardized(x: Array, axes: tuple[int, ...], eps: float) -> tuple[Array, Array, Array, Array]:
    mean = jnp.mean(x, axes, keepdims=True)
    variance = jnp.mean(jnp.square(x - mean), axes, keepdims=True)
    inverse = 1 / jnp.sqrt(variance + eps)
    return (x - mean) * inverse, mean, variance, inverse


def _affine(y: Array, weight: Array | None, bias: Array | None, shape: tuple[int, ...]) -> Array:
    y = y if weight is None else y * jnp.broadcast_to(weight.reshape(shape), y.shape)
    return y if bias is None else y + jnp.broadcast_to(bias.reshape(shape), y.shape)


def _channels(x: Array) -> tuple[int, ...]:
    return (1, -1) + (1,) * (x.ndim - 2)


def _batch_norm(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    running_mean: Array,
    running_var: Array,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[Array, ...]:
    if not training:
        return (*_no_training(x, weight, bias, running_mean, running_var, momentum, eps), running_mean, running_var)
    y, mean, variance, inverse = _standardized(x, (0, *range(2, x.ndim)), eps)
    n = x.size // mean.size
    unbiased = variance.ravel() * (n / (n - 1))
    return (
        _affine(y, weight, bias, _channels(x)),
        mean.ravel(),
        inverse.ravel(),
        momentum * mean.ravel() + (1 - momentum) * running_mean,
        momentum * unbiased + (1 - momentum) * running_var,
    )


def _no_training(
    x: Array, weight: Array | None, bias: Array | None, mean: Array, variance: Array, momentum: float, eps: float
) -> tuple[Array, Array, Array]:
    del momentum
    shape = _channels(x)
    inverse = 1 / jnp.sqrt(variance + eps)
    y = (x - jnp.broadcast_to(mean.reshape(shape), x.shape)) * jnp.broadcast_to(inverse.reshape(shape), x.shape)
    empty = jnp.zeros(0, x.dtype)
    return _affine(y, weight, bias, shape), empty, empty


def _no_statistics(
    x: Array, weight: Array | None, bias: Array | None, training: bool, momentum: float, eps: float
) -> tuple[Array, Array, Array]:
    del training, momentum
    y, mean, _, inverse = _standardized(x, (0, *range(2, x.ndim)), eps)
    return _affine(y, weight, bias, _channels(x)), mean.ravel(), inverse.ravel()


def _layer_norm(
    x: Array, shape: Any, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array]:
    y, mean, _, inverse = _standardized(x, tuple(range(-len(shape), 0)), eps)
    return _affine(y, weight, bias, (1,) * (x.ndim - len(shape)) + tuple(shape)), mean, inverse


def _group_norm(
    x: Array, weight: Array | None, bias: Array | None, n: int, channels: int, positions: int, groups: int, eps: float
) -> tuple[Array, Array, Array]:
    del positions
    y, mean, _, inverse = _standardized(x.reshape(n, groups, -1), (2,), eps)
    shape = (1, channels) + (1,) * (x.ndim - 2)
    return _affine(y.reshape(x.shape), weight, bias, shape), mean[..., 0], inverse[..., 0]


def _through(grad: Array, y: Array, inverse: Array, axes: tuple[int, ...]) -> Array:
    """The gradient through the standardisation that gave ``y``."""
    mean = partial(jnp.mean, axis=axes, keepdims=True)
    return inverse * (grad - mean(grad) - y * mean(grad * y))


def _layer_norm_backward(
    grad: Array, x: Array, shape: Any, mean: Array, inverse: Array, weight: Any, bias: Any, mask: Any
) -> tuple[Array | None, Array | None, Array | None]:
    del bias
    y = (x - mean) * inverse
    lead = tuple(range(x.ndim - len(shape)))
    scaled = _affine(grad, weight, None, (1,) * len(lead) + tuple(shape))
    to_x = _through(scaled, y, inverse, tuple(range(-len(shape), 0)))
    to_weight, to_bias = jnp.sum(grad * y, lead), jnp.sum(grad, lead)
    return to_x if mask[0] else None, to_weight if mask[1] else None, to_bias if mask[2] else None


def _group_norm_backward(
    grad: Array,
    x: Array,
    mean: Array,
    inverse: Array,
    weight: Array | None,
    n: int,
    channels: int,
    positions: int,
    groups: int,
    mask: Any,
) -> tuple[Array | None, Array | None, Array | None]:
    del positions
    grouped = (n, groups, -1)
    y = (x.reshape(grouped) - mean[..., None]) * inverse[..., None]
    scaled = _affine(grad, weight, None, (1, channels) + (1,) * (x.ndim - 2)).reshape(grouped)
    to_x = _through(scaled, y, inverse[..., None], (2,)).reshape(x.shape)
    others = (0, *range(2, x.ndim))
    to_weight, to_bias = jnp.sum(grad * y.reshape(x.shape), others), jnp.sum(grad, others)
    return to_x if mask[0] else None, to_weight if mask[1] else None, to_bias if mask[2] else None


def _weight_norm_backward(grad: Array, v: Array, g: Array, norms: Array, dim: int) -> tuple[Array, Array]:
    r"""Of :math:`w = g v / \|v\|`, the norms over all axes but one."""
    others = tuple(axis for axis in range(v.ndim) if axis != dim % v.ndim)
    norms = norms.reshape(g.shape).astype(v.dtype)
    along = jnp.sum(grad * v, others, keepdims=True) / norms
    return g / norms * (grad - v * (along / norms)), along


TABLE: dict[str, Callable[..., Any]] = {
    "_native_batch_norm_legit_functional": _batch_norm,
    "_native_batch_norm_legit_no_training": _no_training,
    "_native_batch_norm_legit.no_stats": _no_statistics,
    "native_layer_norm": _layer_norm,
    "native_group_norm": _group_norm,
    "native_layer_norm_backward": _layer_norm_backward,
    "native_group_norm_backward": _group_norm_backward,
    "_weight_norm_interface_backward": _weight_norm_backward,
}
