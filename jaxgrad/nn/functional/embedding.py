"""Rows of a table, by their numbers."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Inexact, Integer

from jaxgrad._core.diagnosis import diagnosed
from jaxgrad._core.dtype_names import torch_name
from jaxgrad._core.dtypes import opmath_dtype
from jaxgrad._core.errors import explain, is_traced
from jaxgrad._core.norms import vector_norm
from jaxgrad._core.operations import operation
from jaxgrad._core.types import Array


@diagnosed
def embedding(
    input: Integer[Array, "*shape"],
    weight: Inexact[Array, "rows features"],
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Any:
    r"""Mirror of ``torch.nn.functional.embedding``: :math:`y_{i} = W_{x_i}`.

    Differs from torch: with ``max_norm`` the shortened table comes back beside the output instead of replacing the
    given one in place. Inside jit the numbers of the input cannot be looked at, so an index out of range gives nan
    instead of raising (JAX's own indexing would take the nearest row).

    Args:
        input: indices, any shape, int32 or int64.
        weight: (V, D).
        padding_idx: the row that gets no gradient; negative ones count from the end.
        max_norm: rows that are looked up and longer than this are shortened to it before; no gradient sees that.
        norm_type: exponent of the norm that ``max_norm`` speaks of.
        scale_grad_by_freq: divide the gradient of a row by how often it is looked up here.
        sparse: must be False; gradients are dense arrays.

    Returns:
        (\*input.shape, D) in the weight's dtype; with ``max_norm`` ``(output, weight)``.

    Raises:
        IndexError: ``index out of range in self``, outside jit.
        RuntimeError: an input that is not an integer, or a weight that is not a matrix.
        AssertionError: ``Padding_idx must be within num_embeddings``.
        ValueError: ``sparse=True``.

    >>> embedding(jnp.array([2, 0]), jnp.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])).tolist()
    [[5.0, 6.0], [1.0, 2.0]]

    Source: torch/nn/functional.py, ``embedding``.
    """
    input, weight = jnp.asarray(input), jnp.asarray(weight)
    refuse_sparse(sparse)
    if weight.ndim != 2:
        raise RuntimeError(
            explain("'weight' must be 2-D", got=f"weight {weight.shape}", remedy="F.embedding(indices, weight)")
        )
    rows = weight.shape[0]
    padding = None if padding_idx is None else padding_row(padding_idx, rows)
    check_indices(input, "embedding")
    check_range(input, rows)
    table = weight if max_norm is None else renorm(weight, input, max_norm, norm_type)
    output = _lookup(input, table, padding, scale_grad_by_freq)
    return output if max_norm is None else (output, jax.lax.stop_gradient(table))


@operation("EmbeddingBackward0")
def _lookup(input: Array, weight: Array, padding: int | None, scale_grad_by_freq: bool) -> Array:
    factor = gradient_factor(input, weight, padding, scale_grad_by_freq)
    found = take(weight, input)
    return found if factor is None else scale_gradient(found, factor[..., None])


def take(weight: Array, index: Array) -> Array:
    """The rows of a table; nan for rows that it has not."""
    fill = jnp.nan if jnp.issubdtype(weight.dtype, jnp.inexact) else None
    index = jnp.where(index < 0, weight.shape[0], index)  # JAX would count from the end
    return jnp.take(weight, index, axis=0, mode="fill", fill_value=fill)


def gradient_factor(index: Array, weight: Array, padding: int | None, by_freq: bool) -> Array | None:
    """What the gradient of each looked-up row is multiplied by; None for 1."""
    if padding is None and not by_freq:
        return None
    factor = jnp.ones(index.shape, weight.dtype)
    if by_freq:
        counts = jnp.zeros(weight.shape[0], jnp.int32).at[index].add(1, mode="drop")
        factor = factor / jnp.maximum(counts, 1)[index].astype(weight.dtype)
    return factor if padding is None else jnp.where(index == padding, 0, factor)


@jax.custom_jvp
def scale_gradient(x: Array, factor: Array) -> Array:
    """``x``, whose gradient is multiplied by a factor on its way back."""
    return x


@scale_gradient.defjvp
def _scale_gradient_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (x, factor), (x_dot, _) = primals, tangents
    # a row that takes no gradient takes none that is not finite either
    return x, jnp.where(factor == 0, jnp.zeros_like(x_dot), x_dot * factor)


@jax.custom_jvp
def _passing(old: Array, new: Array) -> Array:
    """``new``, with the gradient of ``old``."""
    return new


@_passing.defjvp
def _passing_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    return primals[1], tangents[0]


def renorm(weight: Array, index: Array, max_norm: float, norm_type: float) -> Array:
    """The table with those of the indexed rows shortened that are longer than ``max_norm``, as ``embedding_renorm_``.

    The factor is max_norm / (norm + 1e-7); gradients pass as if nothing had been done.
    """
    frozen = jax.lax.stop_gradient(weight)
    norm = vector_norm(frozen.astype(opmath_dtype(weight.dtype)), norm_type, (1,), keepdims=True).astype(weight.dtype)
    used = jnp.zeros((weight.shape[0], 1), bool).at[index.ravel()].set(True, mode="drop")
    shortened = (frozen * (max_norm / (norm.astype(opmath_dtype(weight.dtype)) + 1e-7)).astype(weight.dtype)).astype(
        weight.dtype
    )
    return _passing(weight, jnp.where(used & (norm > max_norm), shortened, frozen))


def padding_row(padding_idx: int, rows: int, name: str = "Padding_idx") -> int:
    """The row that is padding, counted from the start."""
    if not -rows <= padding_idx < max(rows, 1):
        raise AssertionError(
            explain(f"{name} must be within num_embeddings", got=padding_idx, expected=f"{-rows} to {rows - 1}")
        )
    return padding_idx % rows if padding_idx < 0 else padding_idx


def check_indices(index: Array, operation: str) -> None:
    """Raise torch's RuntimeError for indices that are not int32 or int64."""
    if index.dtype.name in ("int32", "int64"):
        return
    name = "CPUBoolType" if index.dtype == jnp.bool_ else f"torch.{torch_name(index.dtype)}Tensor"
    raise RuntimeError(
        explain(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; "
            f"but got {name} instead (while checking arguments for {operation})",
            got=f"{index.dtype}{list(index.shape)}",
            remedy="indices.astype(int)",
        )
    )


def check_range(index: Array, rows: int) -> None:
    """Raise torch's IndexError for an index that is not a row, where its number can be looked at."""
    if is_traced(index):
        return
    numbers = np.asarray(index)
    wrong = (numbers < 0) | (numbers >= rows)
    if wrong.any():
        first = np.argwhere(wrong)[0]
        raise IndexError(
            explain(
                "index out of range in self",
                got=f"{numbers[tuple(first)]} at index {tuple(int(i) for i in first)}",
                expected=f"0 <= index < {rows}",
            )
        )


def refuse_sparse(sparse: bool) -> None:
    """Raise unless ``sparse`` is False."""
    if sparse:
        raise ValueError(
            explain(
                "sparse=True makes torch's gradient a sparse tensor, and gradients are dense arrays here",
                expected="sparse=False",
                remedy="sparse=False; optim.SparseAdam updates the rows alone that have a gradient",
            )
        )
