"""Where a draw is computed: inside the program for a traced generator, else where the generator lies.

A generator of numpy arrays, as ``manual_seed`` makes it, draws on the host: nothing is compiled, whatever the shape. A
generator of JAX arrays (``jax.device_put(generator)``, or what a compiled function gave back) draws many values on its
device, by a program that is compiled once for their shape, as any operation of JAX is; a draw of few values takes it to
the host. The numbers are the same.
"""

import functools
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.errors import is_traced
from jaxgrad._core.types import Array, Shape
from jaxgrad.random.generator import Generator
from jaxgrad.random.host.stream import Stream

_LARGE = 1 << 18  # bytes; the copy of less takes no longer than handing over
_MANY = 1 << 12  # values; fewer are drawn on the host before a program is called


def draw(
    generator: Generator,
    host: Callable[..., np.ndarray],
    *operands: Any,
    shape: Shape,
    dtype: np.dtype,
    traced: "partial[tuple[Array, Generator]] | None" = None,
) -> tuple[Array, Generator]:
    """``(value, generator)`` of ``host(stream, *operands)``, whether or not anything is traced.

    Under a transformation ``traced(generator, *operands)`` takes over, and for a generator on a device if there are no
    operands (whose values are checked on the host). A draw that has no exact formula in JAX's operations (it needs the
    C library's functions in double precision, or as many words as chance will have it) has no ``traced``: the program
    then calls back to the host, 2.5 kB of generator one way and the values the other.
    """
    if not is_traced(generator, operands):
        if _lies_on_device(generator) and traced is not None and not operands and math.prod(shape) >= _MANY:
            return _program(traced.func, tuple(traced.keywords.items()))(generator)
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


def _lies_on_device(generator: Generator) -> bool:
    return isinstance(generator.words, jax.Array)


@functools.lru_cache(maxsize=256)
def _program(formula: Callable[..., Any], arguments: tuple[tuple[str, Any], ...]) -> Callable[..., Any]:
    """A draw with these arguments, compiled; the last ones used are kept."""
    return jax.jit(partial(formula, **dict(arguments)))


def _as_jax(value: np.ndarray) -> Array:
    """The array nobody else holds as JAX's: a small one is copied, a large one handed over if it is aligned."""
    return jnp.asarray(value) if value.nbytes < _LARGE else jax.device_put(value)


def _struct(leaf: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(jnp.shape(leaf), jnp.result_type(leaf))
