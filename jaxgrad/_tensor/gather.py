"""Reading at indices. The gradient of reading is adding: where an index stands twice, both gradients arrive."""

from typing import Any

import jax.numpy as jnp

from jaxgrad._core.operations import operation
from jaxgrad._core.shapes import axis_of
from jaxgrad._core.types import Array
from jaxgrad._tensor.places import along, check_dtype, check_range, check_rank, whole


@operation("GatherBackward0")
def gather(input: Array, dim: int, index: Array, *, sparse_grad: bool = False) -> Array:
    r"""Mirror of ``torch.gather``: picks along one axis, :math:`y_{ijk} = x_{i\,n_{ijk}k}` for ``dim=1``.

    ``index`` may be smaller than ``input`` along the other axes. The gradient is a scatter-add: an element that is
    picked twice gets both gradients. An index out of range raises; inside ``jit`` it gives nan.

    Args:
        input: any shape.
        dim: the axis.
        index: int32 or int64, of the rank of ``input``.
        sparse_grad: must be False; gradients are dense here.

    Returns:
        The shape of ``index``.

    Raises:
        RuntimeError: ``index 5 is out of bounds for dimension 0 with size 2``, or ranks, sizes or dtypes do not fit.
        ValueError: ``sparse_grad=True``.

    >>> x = jnp.arange(9.0).reshape(1, 3, 3)
    >>> gather(x, 2, jnp.arange(3).reshape(1, 3, 1))[:, :, 0].tolist()
    [[0.0, 4.0, 8.0]]

    Source: torch.gather.
    """
    if sparse_grad:
        raise ValueError("sparse_grad=True has no meaning here: gradients are dense arrays")
    input, index = jnp.asarray(input), jnp.asarray(index)
    axis = axis_of(dim, input.ndim)
    check_dtype("gather", index)
    check_rank("gather", input, index, axis)
    if index.size == 0:
        return jnp.zeros(index.shape, input.dtype)
    at, where = jnp.atleast_1d(input), jnp.atleast_1d(index)
    check_range(where, at.shape[axis], f"index {{}} is out of bounds for dimension {dim} with size {at.shape[axis]}")
    return _read(at, along(where, axis)).reshape(index.shape)


def take_along_dim(input: Array, indices: Array, dim: int | None = None) -> Array:
    """Mirror of ``torch.take_along_dim``: :func:`gather` whose other axes are broadcast; flat without ``dim``.

    Args:
        input: any shape.
        indices: int32 or int64.
        dim: the axis; None for ``input`` and ``indices`` as vectors.

    Raises:
        RuntimeError: ranks or dtypes do not fit.
        IndexError: an index is out of range.

    >>> take_along_dim(jnp.array([[3.0, 1.0]]), jnp.array([[1], [0]]), 1).tolist()
    [[1.0], [3.0]]

    Source: torch.take_along_dim.
    """
    input, indices = jnp.asarray(input), jnp.asarray(indices)
    if dim is None:
        return take_along_dim(input.ravel(), indices.ravel(), 0)
    if input.ndim != indices.ndim:
        raise RuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, "
            f"but got {input.ndim} dimensions for input, and {indices.ndim} dimensions for indices"
        )
    check_dtype("torch.take_along_dim", indices)
    axis = axis_of(dim, input.ndim)
    size = input.shape[axis]
    sentence = f"index {{}} is out of bounds for dimension {axis} with size {size}"
    check_range(indices, size, sentence, negative=True, error=IndexError)
    one = [1 if each == axis else n for each, n in enumerate(indices.shape)]
    others = list(jnp.broadcast_shapes(tuple(one), tuple(1 if i == axis else n for i, n in enumerate(input.shape))))
    at = jnp.broadcast_to(input, [size if i == axis else n for i, n in enumerate(others)])
    where = jnp.broadcast_to(indices, [indices.shape[axis] if i == axis else n for i, n in enumerate(others)])
    return _read(at, along(jnp.where(where < 0, where + size, where), axis))


@operation("IndexSelectBackward0")
def index_select(input: Array, dim: int, index: Array) -> Array:
    """Mirror of ``torch.index_select``: whole slices along one axis.

    Args:
        input: any shape.
        dim: the axis.
        index: int32 or int64 vector (or scalar).

    Raises:
        IndexError: ``index out of range in self``, or ``index`` is not a vector.

    >>> index_select(jnp.array([[1.0, 2.0], [3.0, 4.0]]), 0, jnp.array([1, 1])).tolist()
    [[3.0, 4.0], [3.0, 4.0]]

    Source: torch.index_select.
    """
    input, index = jnp.asarray(input), jnp.asarray(index)
    axis = axis_of(dim, input.ndim)
    if index.ndim > 1:
        raise IndexError("index_select(): Index is supposed to be a vector")
    if index.dtype not in (jnp.int32, jnp.int64):
        raise RuntimeError("index_select(): Expected dtype int32 or int64 for index")
    at, where = jnp.atleast_1d(input), jnp.atleast_1d(index)
    check_range(where, at.shape[axis], "index out of range in self", error=IndexError)
    out = _read(at, whole(where, axis, at.shape))
    return out.reshape(()) if input.ndim == 0 else out


@operation("TakeBackward0")
def take(input: Array, index: Array) -> Array:
    """Mirror of ``torch.take``: elements of ``input`` seen as a vector; negative indices count from the end.

    Args:
        input: any shape.
        index: int64 (int32 outside x64 mode), any shape.

    Returns:
        The shape of ``index``.

    Raises:
        IndexError: ``out of range: tried to access index 5 on a tensor of 2 elements.``

    >>> take(jnp.array([[1.0, 2.0], [3.0, 4.0]]), jnp.array([3, -4])).tolist()
    [4.0, 1.0]

    Source: torch.take.
    """
    input, index = jnp.asarray(input), jnp.asarray(index)
    if index.dtype not in (jnp.int32, jnp.int64):
        raise RuntimeError("take(): Expected a long tensor for index, but got a tensor of another dtype")
    if index.size and input.size == 0:
        raise IndexError("take(): tried to take from an empty tensor")
    sentence = f"out of range: tried to access index {{}} on a tensor of {input.size} elements."
    check_range(index, input.size, sentence, negative=True, error=IndexError)
    return _read(input.ravel(), (jnp.where(index < 0, index + input.size, index),))


def _read(array: Array, places: Any) -> Array:
    return array.at[places].get(mode="fill", wrap_negative_indices=False)
