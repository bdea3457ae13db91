"""Integers, coins and permutations as JAX operations."""

import math
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.types import Array, Shape
from jaxgrad.random._words import mt19937
from jaxgrad.random._words.formulas import LOW24, U24
from jaxgrad.random.dtypes import DIGITS, HALVES, is_float
from jaxgrad.random.generator import Generator
from jaxgrad.random.host.integers import WIDE, bounds, is_full, last

_HIGH21 = np.uint32(2**21 - 1)


def below(generator: Generator, n: int, p: float) -> tuple[Array, Generator]:
    """``u < p`` of 53-bit uniforms as a comparison of integers, bool (n,): exact without 64 bits."""
    high, low, generator = mt19937.pairs(generator, n)
    threshold = math.ceil(Fraction(p) * 2**53)
    top, bottom = np.uint32(threshold >> 32), np.uint32(threshold & 0xFFFFFFFF)
    high = high & _HIGH21
    return (high < top) | ((high == top) & (low < bottom)), generator


def bernoulli(generator: Generator, shape: Shape, p: float, dtype: np.dtype) -> tuple[Array, Generator]:
    """As ``host.bernoulli``."""
    drawn, generator = below(generator, math.prod(shape), p)
    return drawn.astype(dtype).reshape(shape), generator


def bernoulli_each(generator: Generator, p: Array, shape: Shape, dtype: np.dtype) -> tuple[Array, Generator]:
    """As ``host.bernoulli_each``; p cannot be checked here."""
    n = math.prod(shape)
    if p.dtype == np.float64:
        high, low, generator = mt19937.pairs(generator, n)
        u = ((high & _HIGH21).astype(np.float64) * np.float64(2**32) + low.astype(np.float64)) * np.float64(2.0**-53)
    else:
        words, generator = mt19937.words(generator, n)
        u = (words & LOW24).astype(np.float32) * U24
    return (u.reshape(shape) < jnp.broadcast_to(p.astype(u.dtype), shape)).astype(dtype), generator


def random_(
    generator: Generator, shape: Shape, low: int | None, high: int | None, dtype: np.dtype
) -> tuple[Array, Generator]:
    """As ``host.random_``."""
    n = math.prod(shape)
    whole = low is None and high is None
    with jax.enable_x64(True):
        if whole and dtype.name in ("int64", "float64"):
            words, generator = _words64(generator, n)
            mask = words & np.uint64(2**63 - 1) if dtype == np.int64 else words % np.uint64(2**53 + 1)
            return mask.astype(dtype).reshape(shape), generator
        if whole:
            words, generator = mt19937.words(generator, n)
            if is_float(dtype):
                values = words % np.uint32(2 ** DIGITS[dtype.name] + 1)
            else:
                values = words & np.uint32(last(dtype))
            return values.astype(dtype).reshape(shape), generator
        if is_full(low, high, dtype):
            words, generator = _words64(generator, n)
            return _cast(jax.lax.bitcast_convert_type(words, np.int64), dtype).reshape(shape), generator
        low, high = bounds(low or 0, high, dtype)
        if high - low < WIDE:
            words, generator = mt19937.words(generator, n)
            offsets = (words % np.uint32(high - low)).astype(np.uint64)
        else:
            words, generator = _words64(generator, n)
            offsets = words % np.uint64(high - low) if high - low < 2**64 else words
        values = jax.lax.bitcast_convert_type(offsets + np.uint64(low % 2**64), np.int64)
        return _cast(values, dtype).reshape(shape), generator


def _cast(values: Array, dtype: np.dtype) -> Array:
    return (values.astype(np.float32) if dtype.name in HALVES else values).astype(dtype)


def _words64(generator: Generator, n: int) -> tuple[Array, Generator]:
    high, low, generator = mt19937.pairs(generator, n)
    return high.astype(np.uint64) << np.uint64(32) | low.astype(np.uint64), generator


def randperm(generator: Generator, n: int, dtype: np.dtype) -> tuple[Array, Generator]:
    """As ``host.randperm``, by the same sorting and pointer doubling."""
    count = max(n - 1, 0)
    steps = jnp.arange(count, dtype=np.uint32)
    words, generator = mt19937.words(generator, count)
    targets = words % (np.uint32(n) - steps) + steps

    own = jnp.arange(n, dtype=np.int32)
    moving = jnp.where(targets == steps, np.int32(-1), steps.astype(np.int32))
    writer = jnp.full(n, -1, np.int32).at[targets].max(moving)
    standing = jax.lax.while_loop(
        lambda pair: jnp.any(pair[0] != pair[1]),
        lambda pair: (pair[1], pair[1][pair[1]]),
        (jnp.full(n, -1, np.int32), jnp.where(writer < 0, own, writer)),
    )[1]
    place, step = jax.lax.sort((targets, steps), num_keys=2)
    again = jnp.concatenate([jnp.zeros(min(count, 1), bool), place[1:] == place[:-1]])
    before = jnp.roll(standing[step], 1)
    moved = jnp.zeros(count, np.int32).at[step].set(jnp.where(again, before, place.astype(np.int32)))
    return jnp.concatenate([moved, standing[count:]]).astype(dtype), generator
