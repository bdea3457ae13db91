"""Uniforms and normals in 32 and 16 bits as JAX operations."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.types import Array, Shape
from jaxgrad.random._words import formulas, fused, mt19937
from jaxgrad.random.dtypes import HALVES, as_float
from jaxgrad.random.generator import Generator

GROUP = fused.GROUP
_FEW = 1 << 10  # values for which the telltales are not worth their while


def uniform(generator: Generator, shape: Shape, low: float, high: float, dtype: np.dtype) -> tuple[Array, Generator]:
    """As ``host.uniform``, for dtypes of up to 32 bits."""
    compute = np.dtype(np.float32)
    low, high = as_float(low, compute), as_float(high, compute)
    first, span = np.float32(low), np.float32(high - low)
    words, generator = mt19937.words(generator, math.prod(shape))
    with jax.enable_x64(True):
        values = formulas.uniform32(jnp, words, first, span, formulas.uniform_fits(first, span)).astype(dtype)
    values = jnp.where(values == jnp.asarray(high, dtype), jnp.asarray(low, dtype), values)
    return values.reshape(shape), generator


def normal(generator: Generator, shape: Shape, mean: float, std: float, dtype: np.dtype) -> tuple[Array, Generator]:
    """As ``host.normal``, for 16 values or more in up to 32 bits."""
    n = math.prod(shape)
    rest = n % GROUP
    full = n - rest
    leftover = dtype.name not in HALVES
    first, deviation = np.float32(mean), np.float32(std)
    words, generator = mt19937.words(generator, n if leftover else full)
    tail, generator = mt19937.words(generator, GROUP if rest else 0)
    values = _groups(words[:full], first, deviation, generator)
    if rest:
        last = fused.exact_normal32(tail, first, deviation)
        values = jnp.concatenate([values[: n - GROUP], last])
    return values.astype(dtype).reshape(shape), generator


def _groups(words: Array, mean: np.float32, std: np.float32, generator: Generator) -> Array:
    """Normals of full groups of 16 words: quickly, and exactly where that proves wrong."""
    if words.size < _FEW or not fused.is_ordinary(float(mean), float(std)):
        return fused.exact_normal32(words, mean, std)
    zero = jax.lax.optimization_barrier(jnp.asarray(generator.position)) >> np.int32(31)
    values, trusted = fused.normal32(words, mean, std, zero)
    return jax.lax.cond(trusted, lambda: values, lambda: fused.exact_normal32(words, mean, std))
