"""Reading and writing at indices."""

from collections.abc import Callable
from math import prod
from typing import Any

import jax.numpy as jnp

import jaxgrad._tensor as tensor
from jaxgrad._core.types import Array


def _places(indices: Any) -> tuple[Any, ...]:
    return tuple(slice(None) if each is None else each for each in indices)


def _read(x: Array, indices: Any) -> Array:
    return x[_places(indices)]


def _write(x: Array, indices: Any, values: Array, accumulate: bool = False) -> Array:
    place = x.at[_places(indices)]
    shape = x[_places(indices)].shape
    values = jnp.broadcast_to(values, shape).astype(x.dtype)
    return place.add(values) if accumulate else place.set(values)


def _scatter(x: Array, dim: int, index: Array, src: Any) -> Array:
    return tensor.scatter(x, dim, index, src)


def _numbered(mask: Array) -> Array:
    """The place of each masked element among the masked ones."""
    return jnp.cumsum(mask.ravel()) - 1


def _fill_in_order(x: Array, mask: Array, source: Array) -> Array:
    shape = jnp.broadcast_shapes(x.shape, mask.shape)
    x, mask = jnp.broadcast_to(x, shape), jnp.broadcast_to(mask, shape)
    taken = source.ravel()[jnp.clip(_numbered(mask), 0, source.size - 1)].reshape(shape)
    return jnp.where(mask, taken, x)


def _in_order(grad: Array, mask: Array, sizes: Any) -> Array:
    mask = jnp.broadcast_to(mask, grad.shape)
    size = prod(sizes)
    place = jnp.where(mask.ravel(), _numbered(mask), size)
    return jnp.zeros(size, grad.dtype).at[place].set(grad.ravel(), mode="drop").reshape(sizes)


def _put(x: Array, index: Array, source: Array, accumulate: bool = False) -> Array:
    place = x.ravel().at[index.ravel()]
    changed = place.add(source.ravel()) if accumulate else place.set(source.ravel())
    return changed.reshape(x.shape)


TABLE: dict[str, Callable[..., Any]] = {
    "index.Tensor": _read,
    "_unsafe_index.Tensor": _read,
    "index_put": _write,
    "_unsafe_index_put": _write,
    "gather": lambda x, dim, index, sparse_grad=False: tensor.gather(x, dim, index),
    "index_select": tensor.index_select,
    "scatter.value": _scatter,
    "scatter.src": _scatter,
    "scatter_add": tensor.scatter_add,
    "scatter_reduce.two": tensor.scatter_reduce,
    "index_add": tensor.index_add,
    "index_copy": tensor.index_copy,
    "masked_fill.Scalar": tensor.masked_fill,
    "masked_fill.Tensor": tensor.masked_fill,
    "masked_scatter": _fill_in_order,
    "masked_scatter_backward": _in_order,
    "index_reduce": tensor.index_reduce,
    "index_fill.int_Scalar": tensor.index_fill,
    "index_fill.int_Tensor": tensor.index_fill,
    "take": tensor.take,
    "put": _put,
}
