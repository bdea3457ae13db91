"""Writing whole slices at a vector of indices, and at indices an axis: ``index_add`` and its kin, ``masked_fill``."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxgrad._core.castable import castable
from jaxgrad._core.dtype_names import c_name, torch_name
from jaxgrad._core.errors import is_traced
from jaxgrad._core.operations import operation
from jaxgrad._core.shapes import axis_of
from jaxgrad._core.types import Array
from jaxgrad._tensor.places import Places, check_dtype, check_range, check_same_dtype, whole
from jaxgrad._tensor.reduce_at import check_reduce, reduce_at
from jaxgrad._tensor.scatter import put


@operation("IndexAddBackward0")
def index_add(input: Array, dim: int, index: Array, source: Array, *, alpha: float = 1) -> Array:
    """Mirror of ``torch.index_add``: adds ``alpha`` times the slices of ``source``; equal indices add up.

    Args:
        input: what is added to.
        dim: the axis.
        index: int32 or int64 vector.
        source: the shape of ``input`` with ``len(index)`` along ``dim``.
        alpha: a factor.

    Raises:
        IndexError: ``index out of range in self``.
        RuntimeError: sizes or dtypes do not fit.

    >>> index_add(jnp.zeros(2), 0, jnp.array([1, 1]), jnp.array([5.0, 6.0])).tolist()
    [0.0, 11.0]

    Source: torch.index_add.
    """
    at, places, values = _slices("index_add_", input, dim, index, source, "index out of range in self")
    return at.at[places].add(values * jnp.asarray(alpha, values.dtype), mode="drop").reshape(jnp.shape(input))


@castable("index_copy")
@operation("IndexCopyBackward0")
def index_copy(input: Array, dim: int, index: Array, source: Array) -> Array:
    """Mirror of ``torch.index_copy``: writes slices; of equal indices the last stays and all get its gradient.

    Args:
        input: what is written into.
        dim: the axis.
        index: int32 or int64 vector.
        source: the shape of ``input`` with ``len(index)`` along ``dim``.

    Raises:
        IndexError: ``index_copy_(): index 5 is out of bounds for dimension 0 with size 2``.

    >>> index_copy(jnp.zeros(2), 0, jnp.array([1, 1]), jnp.array([5.0, 6.0])).tolist()
    [0.0, 6.0]

    Source: torch.index_copy.
    """
    size = jnp.shape(input)[dim] if jnp.ndim(input) else 1
    sentence = f"index_copy_(): index {{}} is out of bounds for dimension {dim} with size {size}"
    at, places, values = _slices("index_copy_", input, dim, index, source, sentence)
    return put(at, places, values).reshape(jnp.shape(input))


@operation("IndexReduceBackward0")
def index_reduce(
    input: Array, dim: int, index: Array, source: Array, reduce: str, *, include_self: bool = True
) -> Array:
    """Mirror of ``torch.index_reduce``: prod, mean, amax or amin of the slices for one index. As ``scatter_reduce``.

    Args:
        input: what is reduced into.
        dim: the axis.
        index: int32 or int64 vector.
        source: the shape of ``input`` with ``len(index)`` along ``dim``.
        reduce: "prod", "mean", "amax" or "amin".
        include_self: whether what stood at a place counts too.

    Raises:
        RuntimeError: another word, or sizes or dtypes that do not fit.

    >>> index_reduce(jnp.ones(2), 0, jnp.array([0, 0]), jnp.array([3.0, 4.0]), "amax").tolist()
    [4.0, 1.0]

    Source: torch.index_reduce.
    """
    check_reduce(reduce, ("prod", "mean", "amax", "amin"))
    at, places, values = _slices("index_reduce", input, dim, index, source, "index out of range in self")
    return reduce_at(at, places, values, reduce, include_self).reshape(jnp.shape(input))


@operation("IndexFillBackward0")
def index_fill(input: Array, dim: int, index: Array, value: Any) -> Array:
    """Mirror of ``torch.index_fill``: one number written into whole slices; negative indices count from the end.

    Args:
        input: what is written into.
        dim: the axis.
        index: int32 or int64 vector.
        value: a number or a scalar array.

    Raises:
        IndexError: an index is out of range.

    >>> index_fill(jnp.zeros(3), 0, jnp.array([0, -1]), 2.0).tolist()
    [2.0, 0.0, 2.0]

    Source: torch.index_fill.
    """
    input, index = jnp.asarray(input), jnp.atleast_1d(jnp.asarray(index))
    axis = axis_of(dim, input.ndim)
    at = jnp.atleast_1d(input)
    size = at.shape[axis]
    if jnp.ndim(value):
        raise RuntimeError(
            "index_fill_ only supports a 0-dimensional value tensor, "
            f"but got tensor with {jnp.ndim(value)} dimension(s)."
        )
    check_dtype("index_fill_", index)
    sentence = f"index {{}} is out of bounds for dimension {axis} with size {size}"
    check_range(index, size, sentence, negative=True, error=IndexError)
    places = whole(jnp.where(index < 0, index + size, index), axis, at.shape)
    return at.at[places].set(jnp.asarray(value, at.dtype), mode="drop").reshape(input.shape)


@castable("index_put")
@operation("IndexPutBackward0")
def index_put(input: Array, indices: Sequence[Any], values: Array, accumulate: bool = False) -> Array:
    """Mirror of ``torch.index_put``: ``input[indices] = values`` as a value, or ``+=`` with ``accumulate``.

    Without ``accumulate`` the last of several values for one place stays and all get its gradient, as in torch.

    Args:
        input: what is written into.
        indices: an index array an axis, None for a whole axis; boolean masks where they can be looked at (not traced).
        values: broadcastable to what ``input[indices]`` is.
        accumulate: whether values are added.

    Raises:
        IndexError: ``index 5 is out of bounds for dimension 0 with size 2``, or too many indices.
        RuntimeError: the dtypes differ.

    >>> index_put(jnp.zeros(2), (jnp.array([0, 0]),), jnp.array([1.0, 2.0]), accumulate=True).tolist()
    [3.0, 0.0]

    Source: torch.index_put.
    """
    input, values = jnp.asarray(input), jnp.asarray(values)
    if input.dtype != values.dtype:
        raise RuntimeError(
            "Index put requires the source and destination dtypes match, "
            f"got {torch_name(input.dtype)} for the destination and {torch_name(values.dtype)} for the source."
        )
    places = _places(input, indices)
    shape = jnp.shape(jnp.empty(input.shape, bool)[places])
    if accumulate:
        return input.at[places].add(values, mode="drop")
    return put(input, places, jnp.broadcast_to(values, shape))


@operation("MaskedFillBackward0")
def masked_fill(input: Array, mask: Array, value: Any) -> Array:
    """Mirror of ``torch.masked_fill``: ``value`` where ``mask`` is True; ``input`` gets no gradient there.

    Args:
        input: any shape.
        mask: boolean, broadcastable to it.
        value: a number or a scalar array, which gets the sum of the gradients.

    Raises:
        RuntimeError: the mask is not boolean, or the value is not a scalar.

    >>> masked_fill(jnp.array([1.0, 2.0]), jnp.array([True, False]), -1.0).tolist()
    [-1.0, 2.0]

    Source: torch.masked_fill.
    """
    input, mask = jnp.asarray(input), jnp.asarray(mask)
    if mask.dtype != jnp.bool_:
        raise RuntimeError(f"masked_fill_ only supports boolean masks, but got mask with dtype {c_name(mask.dtype)}")
    if jnp.ndim(value):
        raise RuntimeError(
            "masked_fill_ only supports a 0-dimensional value tensor, "
            f"but got tensor with {jnp.ndim(value)} dimension(s)."
        )
    if jnp.iscomplexobj(value) and not jnp.iscomplexobj(input):
        word = "int64_t" if input.dtype == jnp.int64 else c_name(input.dtype)
        raise RuntimeError(f"value cannot be converted to type {word} without overflow")
    input, mask = jnp.broadcast_arrays(input, mask)
    return jnp.where(mask, jnp.asarray(value, input.dtype), input)


def _slices(name: str, input: Any, dim: int, index: Any, source: Any, sentence: str) -> tuple[Array, Places, Array]:
    input, index, source = jnp.asarray(input), jnp.asarray(index), jnp.asarray(source)
    axis = axis_of(dim, input.ndim)
    if index.ndim > 1:
        raise IndexError(f"{name}(): Index should have dimension 1 or 0 (got {index.ndim})")
    if index.dtype not in (jnp.int32, jnp.int64):
        raise RuntimeError(f"{name}(): Expected dtype int32/int64 for index")
    check_same_dtype(name, input, source)
    at, where, values = (jnp.atleast_1d(each) for each in (input, index, source))
    if axis >= values.ndim or len(where) != values.shape[axis]:
        had = values.shape[axis] if axis < values.ndim else 0
        raise RuntimeError(
            f"{name}(): Number of indices ({len(where)}) should be equal to source.size(dim): ({had}), for dim: {dim}"
        )
    expected = tuple(len(where) if each == axis else n for each, n in enumerate(at.shape))
    if values.shape != expected:
        raise RuntimeError(
            f"source tensor shape must match self tensor shape, excluding the specified dimension. Got self.shape = "
            f"{list(at.shape)} source.shape = {list(values.shape)}"
        )
    check_range(where, at.shape[axis], sentence, error=IndexError)
    return at, whole(where, axis, at.shape), values


def _places(input: Array, indices: Sequence[Any]) -> Places:
    places: list[Any] = []
    axis = 0
    if len(indices) > input.ndim:
        raise IndexError(f"too many indices for tensor of dimension {input.ndim} (got {len(indices)})")
    for index in indices:
        if index is None:
            places.append(slice(None))
            axis += 1
            continue
        index = jnp.asarray(index)
        if index.dtype == jnp.bool_:
            if is_traced(index):
                raise TypeError("a boolean mask that is traced has no known number of places: use jaxgrad.masked_fill")
            places += [jnp.asarray(each) for each in np.nonzero(np.asarray(index))]
            axis += index.ndim
            continue
        size = input.shape[axis]
        sentence = f"index {{}} is out of bounds for dimension {axis} with size {size}"
        check_range(index, size, sentence, negative=True, error=IndexError)
        places.append(jnp.where(index < 0, index + size, index))
        axis += 1
    return tuple(places)
