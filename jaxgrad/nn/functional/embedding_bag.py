"""Sums, means and maxima of rows of a table, bag by bag."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Integer

from jaxgrad._core.diagnosis import diagnosed
from jaxgrad._core.dtype_names import torch_name
from jaxgrad._core.dtypes import opmath_dtype
from jaxgrad._core.errors import explain, is_traced
from jaxgrad._core.operations import operation
from jaxgrad._core.shapes import torch_size
from jaxgrad._core.types import Array
from jaxgrad.nn.functional.embedding import (
    check_indices,
    check_range,
    refuse_sparse,
    renorm,
    scale_gradient,
    take,
)

_MODES = ("sum", "mean", "max")


@diagnosed
def embedding_bag(
    input: Integer[Array, "bags width"] | Integer[Array, " indices"],
    weight: Float[Array, "rows features"],
    offsets: Integer[Array, " offsets"] | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Float[Array, "bags width"] | Float[Array, " indices"] | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Any:
    r"""Mirror of ``torch.nn.functional.embedding_bag``: :math:`y_b = \operatorname{reduce}_{i \in b} p_i W_{x_i}`.

    An empty bag, and one of padding alone, gives zeros. Of equal maxima the first takes the gradient. Differs from
    torch: with ``max_norm`` the shortened table comes back beside the output; inside jit an index out of range gives
    nan, and offsets are not checked.

    Args:
        input: indices, (B, N) for B bags of N, or (L,) for bags that begin at the ``offsets``.
        weight: (V, D).
        offsets: (B,), where the bags begin, ascending from 0; None for an input of two axes.
        max_norm: rows that are looked up and longer than this are shortened to it before.
        norm_type: exponent of the norm that ``max_norm`` speaks of.
        scale_grad_by_freq: divide the gradient of a row by how often it is looked up here; torch's CPU kernel takes
            the frequency of another row where rows repeat, and so does this.
        mode: 'sum', 'mean' or 'max'.
        sparse: must be False; gradients are dense arrays.
        per_sample_weights: p, in the shape of the input; mode 'sum' only.
        include_last_offset: the last offset is the end of the last bag.
        padding_idx: a row that bags leave out.

    Returns:
        (B, D) in the weight's dtype; with ``max_norm`` ``(output, weight)``.

    Raises:
        ValueError: shapes or a mode that torch's functions refuse, in its words; ``sparse=True``.
        RuntimeError: offsets and indices that torch's kernels refuse.

    >>> table = jnp.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    >>> embedding_bag(jnp.array([2, 0, 1]), table, jnp.array([0, 2]), mode="sum").tolist()
    [[6.0, 8.0], [3.0, 4.0]]

    Source: torch/nn/functional.py, ``embedding_bag``.
    """
    input, weight = jnp.asarray(input), jnp.asarray(weight)
    offsets = None if offsets is None else jnp.asarray(offsets)
    per_sample = None if per_sample_weights is None else jnp.asarray(per_sample_weights)
    _check(input, weight, offsets, mode, per_sample)
    if mode == "max" and scale_grad_by_freq:
        raise ValueError("max mode does not support scaling the gradient by the frequency")
    if mode == "max" and sparse:
        raise ValueError("max mode does not support sparse weights")
    refuse_sparse(sparse)
    if input.ndim == 2:
        bags, include_last_offset = input.shape[0], False
        if input.shape[1] == 0:
            raise RuntimeError("step must be nonzero")
        bag = jnp.repeat(jnp.arange(bags), input.shape[1], total_repeat_length=input.size)
        input = input.ravel()
        per_sample = None if per_sample is None else per_sample.ravel()
    else:
        assert offsets is not None
        bags, bag = _bags(input, offsets, include_last_offset)
    rows = weight.shape[0]
    if padding_idx is not None and not -rows <= padding_idx < rows:
        raise RuntimeError(
            f"padding_idx must be within the number of embeddings, {-rows} through {rows - 1}, but got {padding_idx}"
        )
    padding = None if padding_idx is None else padding_idx % rows
    if max_norm is not None:
        check_range(input, rows)
    _check_range(input, rows, fast=mode != "max" and padding is None and weight.dtype != jnp.float64)
    table = weight if max_norm is None else renorm(weight, input, max_norm, norm_type)
    output = _reduce(input, table, bag, bags, per_sample, mode, padding, scale_grad_by_freq)
    return output if max_norm is None else (output, jax.lax.stop_gradient(table))


@operation("EmbeddingBagBackward0")
def _reduce(
    index: Array,
    weight: Array,
    bag: Array,
    bags: int,
    per_sample: Array | None,
    mode: str,
    padding: int | None,
    by_freq: bool,
) -> Array:
    rows = take(weight, index).astype(opmath_dtype(weight.dtype))
    if by_freq:
        rows = scale_gradient(rows, 1 / _frequency(index, weight.shape[0])[:, None].astype(rows.dtype))
    counted = jnp.ones(index.shape, bool) if padding is None else index != padding
    if mode == "max":
        return _maximum(rows, bag, bags, counted).astype(weight.dtype)
    if per_sample is not None:
        rows = rows * per_sample[:, None].astype(rows.dtype)
    total = jax.ops.segment_sum(jnp.where(counted[:, None], rows, 0), bag, bags)
    if mode == "mean":
        number = jax.ops.segment_sum(counted.astype(rows.dtype), bag, bags)
        total = total / jnp.maximum(number, 1)[:, None]
    return total.astype(weight.dtype)


def _frequency(index: Array, rows: int) -> Array:
    """What torch divides the gradient of each looked-up row by: not always how often it occurs.

    For the u-th different row (in ascending order) it takes the number of occurrences of the u-th entry of the sorted
    input, which is another row as soon as one before has come twice.
    """
    if index.size == 0:
        return index
    counts = jnp.zeros(rows, jnp.int32).at[index].add(1, mode="drop")
    ordinal = jnp.cumsum(counts > 0) - 1
    return counts[jnp.sort(index)[ordinal[index]]]


def _maximum(rows: Array, bag: Array, bags: int, counted: Array) -> Array:
    """The greatest value of each column, taken from the first row that has it, so that the gradient goes there."""
    n = rows.shape[0]
    if n == 0:
        return jnp.zeros((bags, rows.shape[1]), rows.dtype)
    visible = jnp.where(counted[:, None], jax.lax.stop_gradient(rows), -jnp.inf)
    best = jax.ops.segment_max(visible, bag, bags)
    is_best = (visible == best[jnp.minimum(bag, bags - 1)]) & counted[:, None]
    place = jnp.where(is_best, jnp.arange(n)[:, None], n)
    first = jax.ops.segment_min(place, bag, bags)
    picked = jnp.take_along_axis(rows, jnp.minimum(first, n - 1), axis=0)
    filled = jax.ops.segment_sum(counted.astype(jnp.int32), bag, bags) > 0
    return jnp.where(filled[:, None] & (first < n), picked, 0)


def _bags(input: Array, offsets: Array, include_last_offset: bool) -> tuple[int, Array]:
    """The number of bags, and to which one each index belongs."""
    check_indices(input, "embedding_bag")
    check_indices(offsets, "embedding_bag")
    if include_last_offset and offsets.shape[0] < 1:
        raise RuntimeError("include_last_offset: number of offset should be at least 1")
    bags = offsets.shape[0] - include_last_offset
    if not is_traced(offsets) and offsets.shape[0]:
        first, last = int(offsets[0]), int(offsets[-1])
        if first != 0:
            raise RuntimeError(
                "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position 0. "
                f"However, got {first}"
            )
        if last > input.shape[0]:
            raise RuntimeError(
                f"offsets[-1] can not be greater than input's length {input.shape[0]} but got offsets[-1] of {last}"
            )
    if bags == 0:
        return 0, jnp.zeros(input.shape, jnp.int32)
    starts = offsets[:bags]
    bag = jnp.searchsorted(starts, jnp.arange(input.shape[0], dtype=starts.dtype), side="right") - 1
    if include_last_offset:  # what lies behind the last offset belongs to no bag
        bag = jnp.where(jnp.arange(input.shape[0]) < offsets[-1], bag, bags)
    return bags, bag


def _check(input: Array, weight: Array, offsets: Array | None, mode: str, per_sample: Array | None) -> None:
    if per_sample is not None and input.shape != per_sample.shape:
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({torch_size(per_sample)}) is not None, "
            f"then it must have the same shape as the input ({torch_size(input)})"
        )
    if weight.ndim != 2:
        raise ValueError(
            explain(
                f"weight has to be a 2D Tensor, but got Tensor of dimension {weight.ndim}",
                remedy="F.embedding_bag(indices, weight)",
            )
        )
    if input.ndim == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length "
                "sequences. However, found offsets of type <class 'torch.Tensor'>"
            )
    elif input.ndim == 1:
        if offsets is None:
            raise ValueError("offsets has to be a 1D Tensor but got None")
        if offsets.ndim != 1:
            raise ValueError("offsets has to be a 1D Tensor")
    else:
        raise ValueError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.ndim}")
    if mode not in _MODES:
        raise ValueError("mode has to be one of sum, mean or max")
    check_indices(input, "embedding_bag")
    if per_sample is None:
        return
    if mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for mode='sum' "
            f"(got mode='{mode}'). Please open a feature request on GitHub."
        )
    if per_sample.dtype != weight.dtype:
        raise RuntimeError(
            explain(
                "Expected tensor for argument #1 'weight' to have the same type as tensor for argument #1 "
                f"'per_sample_weights'; but type {_type(weight)} does not equal {_type(per_sample)} "
                "(while checking arguments for embedding_bag)",
                remedy=f"per_sample_weights.astype({weight.dtype})",
            )
        )


def _type(array: Array) -> str:
    return f"torch.{torch_name(array.dtype)}Tensor"


def _check_range(index: Array, rows: int, *, fast: bool) -> None:
    """Raise what torch's kernel raises; the fast one, for plain sums and means, has a sentence of its own."""
    if is_traced(index):
        return
    numbers = np.asarray(index)
    wrong = (numbers < 0) | (numbers >= rows)
    if wrong.any():
        place = int(np.argmax(wrong))
        if fast:
            raise RuntimeError(
                f"Index {place} of input takes value {numbers[place]} which is not in the valid range [0, {rows})"
            )
        raise RuntimeError(
            f"embedding_bag: Expected idx >= 0 && idx < num_embeddings but found idx to be {numbers[place]}"
        )
