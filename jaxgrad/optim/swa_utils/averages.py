"""The rules of averaging: equal and exponential, of one tensor and of lists of tensors."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.dtypes import common_dtype
from jaxgrad._core.errors import describe, explain
from jaxgrad._core.types import Array

AvgFn = Callable[[Array, Array, Array], Array]
MultiAvgFn = Callable[[list[Array], list[Array], Array], list[Array]]


def get_swa_avg_fn() -> AvgFn:
    """Mirror of ``torch.optim.swa_utils.get_swa_avg_fn``: the equal average, ``a + (p - a) / (n + 1)``.

    Returns:
        ``fn(averaged, current, num_averaged)`` of two arrays and a count.

    >>> float(get_swa_avg_fn()(jnp.array(1.0), jnp.array(4.0), jnp.array(2)))
    2.0
    """

    def swa_update(averaged_param: Array, current_param: Array, num_averaged: Array) -> Array:
        dtype = common_dtype(averaged_param, 1.0)  # integers are subtracted as integers
        difference = (current_param - averaged_param).astype(dtype)
        return averaged_param.astype(dtype) + difference / jnp.asarray(num_averaged + 1, dtype)

    return swa_update


def get_ema_avg_fn(decay: float = 0.999) -> AvgFn:
    """Mirror of ``torch.optim.swa_utils.get_ema_avg_fn``: ``decay a + (1 - decay) p``.

    Args:
        decay: in [0, 1].

    Returns:
        ``fn(averaged, current, num_averaged)`` of two arrays and a count.

    Raises:
        ValueError: ``Invalid decay value ... provided. Please provide a value in [0,1] range.``

    >>> float(get_ema_avg_fn(0.75)(jnp.array(1.0), jnp.array(5.0), jnp.array(2)))
    2.0
    """
    _check_decay(decay)

    def ema_update(ema_param: Array, current_param: Array, num_averaged: Array) -> Array:
        del num_averaged
        dtype = common_dtype(ema_param, 1.0)
        return decay * ema_param.astype(dtype) + (1 - decay) * current_param.astype(dtype)

    return ema_update


def get_swa_multi_avg_fn() -> MultiAvgFn:
    """Mirror of ``torch.optim.swa_utils.get_swa_multi_avg_fn``: the equal average of lists, by ``lerp``.

    As in torch the weight ``1 / (n + 1)`` is a float32 when ``n`` is an array, also for float64 parameters.

    Returns:
        ``fn(averaged, current, num_averaged)`` of two lists and a count.

    Raises:
        RuntimeError: for lists of integers, as in torch (``get_swa_avg_fn`` averages them).

    >>> [float(a) for a in get_swa_multi_avg_fn()([jnp.array(1.0)], [jnp.array(5.0)], jnp.array(3))]
    [2.0]
    """

    def swa_update(averaged_param_list: list[Array], current_param_list: list[Array], num_averaged: Any) -> list[Array]:
        weight = 1 / (num_averaged + 1)
        if isinstance(weight, jax.Array):
            weight = weight.astype(jnp.float32)
        if not _is_inexact(averaged_param_list):
            raise RuntimeError(
                explain(
                    "Integer division with addcdiv is no longer supported",
                    got=describe(averaged_param_list[0]),
                    remedy="avg_fn=get_swa_avg_fn(), which rounds an average of integers towards zero",
                )
            )
        return _lerp(averaged_param_list, current_param_list, weight)

    return swa_update


def get_ema_multi_avg_fn(decay: float = 0.999) -> MultiAvgFn:
    """Mirror of ``torch.optim.swa_utils.get_ema_multi_avg_fn``: ``lerp(a, p, 1 - decay)`` of lists.

    Args:
        decay: in [0, 1].

    Returns:
        ``fn(averaged, current, num_averaged)`` of two lists and a count.

    Raises:
        ValueError: ``Invalid decay value ... provided. Please provide a value in [0,1] range.``

    >>> [float(a) for a in get_ema_multi_avg_fn(0.75)([jnp.array(1.0)], [jnp.array(5.0)], jnp.array(3))]
    [2.0]
    """
    _check_decay(decay)

    def ema_update(ema_param_list: list[Array], current_param_list: list[Array], num_averaged: Any) -> list[Array]:
        if _is_inexact(ema_param_list):
            return _lerp(ema_param_list, current_param_list, 1 - decay)
        average = get_ema_avg_fn(decay)
        pairs = zip(ema_param_list, current_param_list, strict=True)
        return [average(a, p, num_averaged).astype(a.dtype) for a, p in pairs]

    return ema_update


def _check_decay(decay: float) -> None:
    if decay < 0.0 or decay > 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")


def _is_inexact(arrays: list[Array]) -> bool:
    return jnp.issubdtype(arrays[0].dtype, jnp.inexact)


def _lerp(starts: list[Array], ends: list[Array], weight: Any) -> list[Array]:
    """``torch.lerp``: from the nearer end, so that weight 1 gives the end exactly."""

    def lerp(a: Array, b: Array) -> Array:
        w = jnp.asarray(weight).astype(a.dtype)
        return jnp.where(jnp.abs(w) < 0.5, a + w * (b - a), b - (b - a) * (1 - w))

    return [lerp(a, b) for a, b in zip(starts, ends, strict=True)]
