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

HostDraw = Callable[..., np.ndarray]


def draw(
    generator: Generator, host: HostDraw, *operands: Any, shape: Shape, dtype: np.dtype
) -> tuple[Array, Generator]:
    """``(value, generator)`` of ``host(stream, *operands)``, whether or not anything is traced.

    Traced, the program calls back to the host: the generator's 2.5 kB go there and the values come back. Draws that
    have a formula of their own inside the program do not come here when traced.
    """
    if not is_traced(generator, operands):
        stream = Stream(generator)
        value = host(stream, *operands)
        return jnp.asarray(value), stream.generator()

    def call(generator: Generator, *operands: Any) -> tuple[np.ndarray, Generator]:
        generator, operands = jax.tree.map(np.asarray, (generator, operands))
        stream = Stream(generator)
        return host(stream, *operands), stream.generator()

    result = (jax.ShapeDtypeStruct(shape, dtype), jax.tree.map(_struct, generator))
    return jax.pure_callback(call, result, generator, *operands, vmap_method="sequential")


def _struct(leaf: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(jnp.shape(leaf), jnp.result_type(leaf))
