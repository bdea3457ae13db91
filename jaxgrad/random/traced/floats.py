"""Uniforms and normals in 32 and 16 bits as JAX operations."""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.types import Array
from jaxgrad.random import formulas, mt19937
from jaxgrad.random.checks import Shape
from jaxgrad.random.dtypes import HALVES, as_float
from jaxgrad.random.generator import Generator

GROUP = 16


def uniform(generator: Generator, shape: Shape, low: float, high: float, dtype: np.dtype) -> tuple[Array, Generator]:
    """As ``host.uniform``, for dtypes of up to 32 bits."""
    compute = np.dtype(np.float32)
    low, high = as_float(low, compute), as_float(high, compute)
    words, generator = mt19937.words(generator, math.prod(shape))
    values = uniform32(words, np.float32(low), np.float32(high - low)).astype(dtype)
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
    values = normal32(words[:full], np.float32(mean), np.float32(std))
    if rest:
        values = jnp.concatenate([values[: n - GROUP], normal32(tail, np.float32(mean), np.float32(std))])
    return values.astype(dtype).reshape(shape), generator


def in_64_bits(formula: Any) -> Any:
    """``formula(jnp, ...)`` compiled with float64 inside, whatever mode the caller is in."""
    compiled = jax.jit(partial(formula, jnp))

    def call(*args: Any) -> Array:
        with jax.enable_x64(True):
            return compiled(*args)

    return call


uniform32 = in_64_bits(formulas.uniform32)
normal32 = in_64_bits(formulas.normal32)
