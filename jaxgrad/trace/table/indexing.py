"""Reading and writing at indices."""

from collections.abc import Callable
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


TABLE: dict[str, Callable[..., Any]] = {
    "index.Tensor": _read,
    "_unsafe_index.Tensor": _read,
    "index_put": _write,
    "_unsafe_index_put": _write,
    "embedding": lambda weight, indices, *_: weight[indices],
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
}
