"""Rows of a table: embeddings, bags of them, and their backwards."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F

_MODES = ("sum", "mean", "max")


def _rows_backward(grad: Array, indices: Array, rows: int, padding_idx: int, scale_grad_by_freq: bool) -> Array:
    flat, width = indices.reshape(-1), grad.shape[-1]
    parts = grad.reshape(-1, width)
    if scale_grad_by_freq:
        parts = parts / jnp.zeros(rows, grad.dtype).at[flat].add(1)[flat][:, None]
    kept = jnp.where((flat == padding_idx)[:, None], 0, parts)
    return jnp.zeros((rows, width), grad.dtype).at[flat].add(kept)


def _bag_of(indices: Array, offsets: Array) -> Array:
    """The bag that each index is in."""
    return jnp.searchsorted(offsets, jnp.arange(indices.shape[0], dtype=offsets.dtype), side="right") - 1


def _bags(
    weight: Array,
    indices: Array,
    offsets: Array,
    scale_grad_by_freq: bool = False,
    mode: int = 0,
    sparse: bool = False,
    per_sample_weights: Array | None = None,
    include_last_offset: bool = False,
    padding_idx: int = -1,
) -> tuple[Array, Array, Array, Array]:
    output = F.embedding_bag(
        indices,
        weight,
        offsets,
        scale_grad_by_freq=scale_grad_by_freq,
        mode=_MODES[mode],
        per_sample_weights=per_sample_weights,
        include_last_offset=include_last_offset,
        padding_idx=None if padding_idx < 0 else padding_idx,
    )
    bag, counted = _bag_of(indices, offsets), indices != padding_idx
    size = jnp.zeros(output.shape[0], indices.dtype).at[bag].add(counted.astype(indices.dtype))
    if mode == 2:
        return output, bag, size, _greatest(weight, indices, bag, counted, output)
    return output, bag, size * mode, jnp.zeros(output.shape[0], indices.dtype)  # what a sum does not need is 0


def _greatest(weight: Array, indices: Array, bag: Array, counted: Array, output: Array) -> Array:
    """Which row of the table each greatest element comes from: the first that is equal; 0 in an empty bag."""
    n = indices.shape[0]
    equal = (weight[indices] == output[bag]) & counted[:, None]
    place = jnp.where(equal, jnp.arange(n)[:, None], n)
    first = jnp.full(output.shape, n).at[bag].min(place)
    return jnp.where(first < n, indices[jnp.minimum(first, n - 1)], 0)


def _bags_backward(
    grad: Array,
    indices: Array,
    offsets: Array,
    bag: Array,
    size: Array,
    greatest: Array,
    rows: int,
    scale_grad_by_freq: bool,
    mode: int,
    sparse: bool,
    per_sample_weights: Array | None,
    padding_idx: int = -1,
) -> Array:
    if mode == 2:
        table = jnp.zeros((rows, grad.shape[1]), grad.dtype)
        return table.at[greatest, jnp.arange(grad.shape[1])[None]].add(jnp.where(size[:, None] == 0, 0, grad))
    parts = grad[bag]
    if mode == 1:
        parts = parts / jnp.maximum(size, 1)[bag][:, None].astype(grad.dtype)
    if per_sample_weights is not None:
        parts = parts * per_sample_weights[:, None]
    return _rows_backward(parts, indices, rows, padding_idx, scale_grad_by_freq)


def _sample_weights_backward(
    grad: Array, weight: Array, indices: Array, offsets: Array, bag: Array, mode: int, padding_idx: int = -1
) -> Array:
    return jnp.where(indices == padding_idx, 0, jnp.sum(grad[bag] * weight[indices], -1))


def _renormed(weight: Array, indices: Array, max_norm: float, norm_type: float) -> Array:
    return F.embedding(indices, weight, max_norm=max_norm, norm_type=norm_type)[1]


TABLE: dict[str, Callable[..., Any]] = {
    "embedding": lambda weight, indices, *_: weight[indices],
    "embedding_dense_backward": _rows_backward,
    "embedding_renorm": _renormed,
    "_embedding_bag": _bags,
    "_embedding_bag_forward_only": _bags,
    "_embedding_bag_backward": _bags_backward,
    "_embedding_bag_per_sample_weights_backward": _sample_weights_backward,
}
