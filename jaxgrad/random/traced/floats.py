"""Uniforms and normals in 32 and 16 bits as JAX operations."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.types import Array
from jaxgrad.random import formulas, mt19937
from jaxgrad.random.checks import Shape
from jaxgrad.random.dtypes import HALVES, as_float
from jaxgrad.random.generator import Generator

GROUP = 16
_CHUNK = 1 << 12


def uniform(generator: Generator, shape: Shape, low: float, high: float, dtype: np.dtype) -> tuple[Array, Generator]:
    """As ``host.uniform``, for dtypes of up to 32 bits."""
    compute = np.dtype(np.float32)
    low, high = as_float(low, compute), as_float(high, compute)
    words, generator = mt19937.words(generator, math.prod(shape))
    with jax.enable_x64(True):
        values = _uniform32(words, np.float32(low), np.float32(high - low)).astype(dtype)
    values = jnp.where(values == jnp.asarray(high, dtype), jnp.asarray(low, dtype), values)
    return values.reshape(shape), generator


def normal(generator: Generator, shape: Shape, mean: float, std: float, dtype: np.dtype) -> tuple[Array, Generator]:
    """As ``host.normal``, for 16 values or more in up to 32 bits."""
    n = math.prod(shape)
    rest = n % GROUP
    full = n - rest
    leftover = dtype.name not in HALVES
    words, generator = mt19937.words(generator, n if leftover else full)
    tail, generator = mt19937.words(generator, GROUP if rest else 0)
    values = _groups(words[:full], mean, std)
    if rest:
        values = jnp.concatenate([values[: n - GROUP], _groups(tail, mean, std)])
    return values.astype(dtype).reshape(shape), generator


def _groups(words: Array, mean: float, std: float) -> Array:
    """Normals of full groups of 16 words.

    In chunks, which a loop walks over: it keeps XLA from computing everything again for every slice of a group, and
    confines a doubt about a rounding to one chunk.
    """
    pairs = words.size // 2
    size = max(8, min(_CHUNK, pairs // 2))
    groups = words.reshape(-1, 2, 8)
    first, second = (jnp.pad(groups[:, i].reshape(-1), (0, -pairs % size)).reshape(-1, size) for i in (0, 1))
    with jax.enable_x64(True):
        chunk = partial(_chunk, mean=np.float32(mean), std=np.float32(std))
        halves = [half.reshape(-1)[:pairs].reshape(-1, 8) for half in jax.lax.map(chunk, (first, second))]
    return jnp.stack(halves, axis=1).reshape(-1)


def _chunk(words: tuple[Array, Array], mean: np.float32, std: np.float32) -> tuple[Array, Array]:
    """Quickly, and once more with every rounding repaired if one of them is in doubt (one chunk in a hundred)."""
    fma = formulas.QuickFma()
    first, second = words
    halves = formulas.box_muller32(jnp, first, second, mean, std, fma)

    def carefully() -> tuple[Array, Array]:
        return formulas.box_muller32(jnp, first, second, mean, std, partial(formulas.fma32, jnp))

    return jax.lax.cond(fma.doubtful.any(), carefully, lambda: halves)


@jax.jit
def _uniform32(words: Array, low: Array, span: Array) -> Array:
    u, fma = formulas.u24(words), formulas.QuickFma()
    values = fma(u, span, low)
    return jax.lax.cond(fma.doubtful.any(), lambda: formulas.fma32(jnp, u, span, low), lambda: values)
