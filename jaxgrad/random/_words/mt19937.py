"""The Mersenne twister as JAX operations: a block of 624 words is three vector steps.

Word i of a block needs words i, i+1 and i+397 of the block before it, or words 227 further back of its own, so that
227 words at a time are independent. Blocks follow one another in a scan.

Source: Matsumoto and Nishimura, 1998.
"""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.types import Array
from jaxgrad.random.generator import WORDS, Generator

_SHIFT = 397
_U = np.uint32


def next_block(block: Array) -> Array:
    """The 624 words that follow a block."""

    def twist(here: Array, after: Array) -> Array:
        mixed = (here & _U(0x80000000)) | (after & _U(0x7FFFFFFF))
        return (mixed >> _U(1)) ^ jnp.where(mixed & _U(1) == 1, _U(0x9908B0DF), _U(0))

    mixed = twist(block[:-1], block[1:])
    lag = WORDS - _SHIFT
    first = block[_SHIFT:] ^ mixed[:lag]
    second = first ^ mixed[lag : 2 * lag]
    third = second[: WORDS - 1 - 2 * lag] ^ mixed[2 * lag :]
    last = second[_SHIFT - 1 - lag :][:1] ^ twist(block[-1:], first[:1])
    return jnp.concatenate([first, second, third, last])


def temper(words: Array) -> Array:
    """What is handed out for the words of a block."""
    words = words ^ (words >> _U(11))
    words = words ^ ((words << _U(7)) & _U(0x9D2C5680))
    words = words ^ ((words << _U(15)) & _U(0xEFC60000))
    return words ^ (words >> _U(18))


def advance(block: Array, position: Array, n: int, used: Any) -> tuple[Array, Array, Array]:
    """The next ``n`` words, and block and position after the first ``used`` (1 to n) of them; only ``n`` is static.

    Block and position leave the loop finished. Were they computed from its results, XLA would compute them again in
    everything that follows, those of one draw within those of the next: time and size of a program would grow with the
    square of the number of its draws.
    """
    size = np.int32(WORDS)

    def step(carry: tuple[Array, Array, Array], _: Any) -> tuple[tuple[Array, Array, Array], Array]:
        block, held, left = carry  # ``held`` is the block of the last used word, as far as is known
        block = next_block(block)
        further = left >= size
        return (block, jnp.where(further, block, held), jnp.where(further, left - size, left)), block

    start = block, block, position + used - np.int32(1)
    (_, last, left), blocks = jax.lax.scan(step, start, length=-(-n // WORDS))
    drawn = jax.lax.dynamic_slice_in_dim(jnp.concatenate([block, blocks.reshape(-1)]), position, n)
    return temper(drawn), last, left + np.int32(1)


def words(generator: Generator, n: int) -> tuple[Array, Generator]:
    """The next ``n`` words, uint32 (n,), and the generator after them; ``n`` is static, the position is not."""
    if n == 0:
        return jnp.zeros(0, _U), generator
    drawn, block, position = advance(jnp.asarray(generator.words), jnp.asarray(generator.position), n, np.int32(n))
    return drawn, replace(generator, words=block, position=position, fresh=jnp.zeros_like(generator.fresh))


def pairs(generator: Generator, n: int) -> tuple[Array, Array, Generator]:
    """High and low halves of the next ``n`` 64-bit words, uint32 (n,) each."""
    drawn, generator = words(generator, 2 * n)
    drawn = drawn.reshape(n, 2)
    return drawn[:, 0], drawn[:, 1], generator
