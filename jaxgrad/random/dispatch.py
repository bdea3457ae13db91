"""Where a draw is computed: on the host for a concrete generator, inside the program for a traced one."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.errors import is_traced
from jaxgrad._core.types import Array
from jaxgrad.random.checks import Shape
from jaxgrad.random.generator import Generator
from jaxgrad.random.host.stream import Stream

_LARGE = 1 << 18  # bytes; the copy of less takes no longer than handing over


def draw(
    generator: Generator,
    host: Callable[..., np.ndarray],
    *operands: Any,
    shape: Shape,
    dtype: np.dtype,
    traced: Callable[..., tuple[Array, Generator]] | None = None,
) -> tuple[Array, Generator]:
    """``(value, generator)`` of ``host(stream, *operands)``, whether or not anything is traced.

    Under a transformation ``traced(generator, *operands)`` takes over. A draw that has no exact formula in JAX's
    operations (it needs the C library's functions in double precision, or as many words as chance will have it)
    has no ``traced``: the program then calls back to the host, 2.5 kB of generator one way and the values the other.
    """
    if not is_traced(generator, operands):
        stream = Stream(generator)
        value = host(stream, *map(np.asarray, operands))
        return _as_jax(value), stream.generator()
    if traced is not None:
        return traced(generator, *operands)

    def call(generator: Generator, *operands: Any) -> tuple[np.ndarray, Generator]:
        generator, operands = jax.tree.map(np.asarray, (generator, operands))
        stream = Stream(generator)
        return host(stream, *operands), stream.generator()

    result = (jax.ShapeDtypeStruct(shape, dtype), jax.tree.map(_struct, generator))
    operands = jax.lax.stop_gradient(operands)
    return jax.pure_callback(call, result, generator, *operands, vmap_method="sequential")


def _as_jax(value: np.ndarray) -> Array:
    """The array nobody else holds as JAX's: a small one is copied, a large one handed over if it is aligned."""
    return jnp.asarray(value) if value.nbytes < _LARGE else jax.device_put(value)


def _struct(leaf: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(jnp.shape(leaf), jnp.result_type(leaf))
