"""Activations that stay whole in the graph, and their backwards."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F
from jaxgrad.trace.table.align import pullback


def _elu(x: Array, alpha: Any = 1.0, scale: Any = 1.0, input_scale: Any = 1.0) -> Array:
    negative = jnp.expm1(jnp.where(x > 0, 0, x) * input_scale) * (alpha * scale)
    return jnp.where(x > 0, x * scale, negative)


def _softmax(fn: Callable[..., Array]) -> Callable[..., Array]:
    def call(x: Array, dim: int, half_to_float: bool = False) -> Array:
        x = x.astype(jnp.float32) if half_to_float else x
        return fn(x, axis=dim) if x.ndim else fn(x[None], axis=0)[0]

    return call


def _rrelu_backward(
    grad: Array, x: Array, noise: Array, lower: float, upper: float, training: bool, self_is_result: bool
) -> Array:
    del self_is_result  # the sign of the result is that of the input
    return grad * noise if training and upper - lower > 1e-6 else jnp.where(x > 0, grad, grad * (lower + upper) / 2)


TABLE: dict[str, Callable[..., Any]] = {
    "relu": F.relu,
    "elu": _elu,
    "leaky_relu": F.leaky_relu,
    "hardtanh": F.hardtanh,
    "hardsigmoid": F.hardsigmoid,
    "hardsigmoid_backward": pullback(F.hardsigmoid),
    "gelu": lambda x, approximate="none": F.gelu(x, approximate=approximate),
    "gelu_backward": lambda g, x, approximate="none": pullback(lambda y: F.gelu(y, approximate=approximate))(g, x),
    "rrelu_with_noise_backward": _rrelu_backward,
    "_softmax": _softmax(jax.nn.softmax),
    "_log_softmax": _softmax(jax.nn.log_softmax),
}
