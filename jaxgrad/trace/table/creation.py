"""Arrays from nothing, and from the shape of another."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from jaxgrad._core.types import Array
from jaxgrad.trace.table.align import dtype_of

_DEFAULT = "float32"


def _dtype(dtype: Any, like: Array | None = None) -> Any:
    if dtype is not None:
        return dtype_of(dtype)
    return dtype_of(_DEFAULT) if like is None else like.dtype


def _full(size: Any, value: Any, dtype: Any = None) -> Array:
    return jnp.full(size, value, None if dtype is None else dtype_of(dtype))


def _like(value: Any) -> Callable[..., Array]:
    return lambda x, dtype=None: jnp.full(x.shape, value, _dtype(dtype, x))


def _filled(value: Any) -> Callable[..., Array]:
    return lambda size, *_, dtype=None: jnp.full(size, value, _dtype(dtype))


def _new(value: Any) -> Callable[..., Array]:
    return lambda x, size, *_, dtype=None: jnp.full(size, value, _dtype(dtype, x))


def _arange(start: Any, end: Any, step: Any = 1, dtype: Any = None) -> Array:
    return jnp.arange(start, end, step, None if dtype is None else dtype_of(dtype))


def _eye(n: int, m: int | None = None, dtype: Any = None) -> Array:
    return jnp.eye(n, m, dtype=_dtype(dtype))


TABLE: dict[str, Callable[..., Any]] = {
    "full": _full,
    "full_like": lambda x, value, dtype=None: jnp.full(x.shape, value, _dtype(dtype, x)),
    "fill.Scalar": lambda x, value: jnp.full_like(x, value),
    "fill.Tensor": lambda x, value: jnp.broadcast_to(value, x.shape).astype(x.dtype),
    "zeros": _filled(0),
    "ones": _filled(1),
    "empty.memory_format": _filled(0),
    "empty_permuted": _filled(0),
    "empty_strided": _filled(0),
    "zeros_like": _like(0),
    "ones_like": _like(1),
    "empty_like": _like(0),
    "new_zeros": _new(0),
    "new_ones": _new(1),
    "new_empty": _new(0),
    "new_empty_strided": _new(0),
    "new_full": lambda x, size, value, dtype=None: jnp.full(size, value, _dtype(dtype, x)),
    "scalar_tensor": lambda value, dtype=None: jnp.asarray(value, _dtype(dtype)),
    "arange": lambda end, dtype=None: _arange(0, end, 1, dtype),
    "arange.start": _arange,
    "arange.start_step": _arange,
    "_efficientzerotensor": _filled(0),
    "tril_indices": lambda n, m, offset=0, dtype=None: jnp.stack(jnp.tril_indices(n, offset, m)),
    "triu_indices": lambda n, m, offset=0, dtype=None: jnp.stack(jnp.triu_indices(n, offset, m)),
    "logspace": lambda start, end, steps, base=10.0, dtype=None: (
        base ** jnp.linspace(start, end, steps, dtype=_dtype(dtype))
    ),
    "eye": _eye,
    "eye.m": _eye,
    "linspace": lambda start, end, steps, dtype=None: jnp.linspace(start, end, steps, dtype=_dtype(dtype)),
}
