"""Attention that torch keeps whole on the CPU, and its backward."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F


def _attention(
    query: Array, key: Array, value: Array, is_causal: bool, attn_mask: Array | None, scale: float | None
) -> Array:
    out: Array = F.scaled_dot_product_attention(query, key, value, attn_mask, 0.0, is_causal, scale=scale)
    return out


def _forward(
    query: Array,
    key: Array,
    value: Array,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    attn_mask: Array | None = None,
    scale: float | None = None,
) -> tuple[Array, Array]:
    if dropout_p:
        raise NotImplementedError("attention kept whole draws no dropout")
    out = _attention(query, key, value, is_causal, attn_mask, scale)
    return out, jnp.zeros(query.shape[:-1], jnp.float32)  # the backward here does not read the logsumexp


def _backward(
    grad: Array,
    query: Array,
    key: Array,
    value: Array,
    out: Array,
    logsumexp: Array,
    dropout_p: float,
    is_causal: bool,
    *,
    attn_mask: Array | None = None,
    scale: float | None = None,
) -> tuple[Array, Array, Array]:
    del out, logsumexp, dropout_p
    _, pull = jax.vjp(lambda q, k, v: _attention(q, k, v, is_causal, attn_mask, scale), query, key, value)
    to_query, to_key, to_value = pull(grad)
    return to_query, to_key, to_value


TABLE: dict[str, Callable[..., Any]] = {
    "_scaled_dot_product_flash_attention_for_cpu": _forward,
    "_scaled_dot_product_flash_attention_for_cpu_backward": _backward,
}
