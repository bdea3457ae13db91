"""Operations that draw: ``(generator, meta, *args) -> (value, generator)``.

Torch fills in memory order, which is that of the node's ``meta``: the numbers are drawn in the shape that its axes have
from the outermost to the innermost, and turned back.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxgrad import random
from jaxgrad._core.types import Array
from jaxgrad.trace.graph import Meta
from jaxgrad.trace.table.align import dtype_of

Drawn = tuple[Any, random.Generator]


def _in_memory_order(meta: Meta, draw: Callable[[tuple[int, ...]], tuple[Array, random.Generator]]) -> Drawn:
    value, generator = draw(tuple(meta.shape[axis] for axis in meta.order))
    return jnp.transpose(value, np.argsort(meta.order).tolist()), generator


def _bernoulli(generator: random.Generator, meta: Meta, x: Array, p: Any = 0.5) -> Drawn:
    return _in_memory_order(meta, lambda shape: random.bernoulli(generator, shape, p, dtype=dtype_of(meta.dtype)))


def _native_dropout(generator: random.Generator, meta: Meta, x: Array, p: float, train: bool | None = True) -> Drawn:
    if not train or p == 0:
        return (x, jnp.ones(x.shape, bool)), generator
    if p == 1:
        return (jnp.zeros_like(x), jnp.zeros(x.shape, bool)), generator
    mask, generator = _bernoulli(generator, meta, x, 1 - p)
    return (x * (mask / (1 - p)).astype(x.dtype), mask != 0), generator


def _uniform(generator: random.Generator, meta: Meta, *_: Any, **__: Any) -> Drawn:
    return _in_memory_order(meta, lambda shape: random.rand(generator, shape, dtype=dtype_of(meta.dtype)))


def _normal(generator: random.Generator, meta: Meta, *_: Any, **__: Any) -> Drawn:
    return _in_memory_order(meta, lambda shape: random.randn(generator, shape, dtype=dtype_of(meta.dtype)))


DRAWS: dict[str, Callable[..., Drawn]] = {
    "bernoulli.p": _bernoulli,
    "native_dropout": _native_dropout,
    "rand": _uniform,
    "rand_like": _uniform,
    "randn": _normal,
    "randn_like": _normal,
}
