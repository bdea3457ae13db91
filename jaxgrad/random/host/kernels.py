"""Large draws on the host, by compiled kernels.

numpy needs a pass over memory for every operation of a formula; XLA needs one for all, and turns the twister faster
too. A kernel is compiled once for a chunk of fixed size, on the CPU whatever device the program uses, and called on
chunk after chunk; of the last one only the beginning is used.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad.random._words import formulas, fused, mt19937
from jaxgrad.random.generator import WORDS

FEW, MANY = 1 << 12, 1 << 15  # below FEW numpy is as fast; below MANY where a formula is a handful of passes
SMALL, LARGE = 10240, 1 << 18
ALIGNMENT = 64  # bytes; an array that begins there becomes a JAX array of the CPU as it is
_F32, _I32 = np.float32, np.int32
Kernel = Callable[..., Any]
_STATE = jax.ShapeDtypeStruct((WORDS + 1,), np.uint32)
_SCALAR = jax.ShapeDtypeStruct((), np.float32)
_INTEGER = jax.ShapeDtypeStruct((), np.int32)


def words(state: np.ndarray, n: int) -> np.ndarray | None:
    """``n`` words from ``state`` (624 words and the position), which is moved on; None where nothing compiles."""
    return _drawn(_word_kernel, state, n, np.uint32)


def uniform(state: np.ndarray, n: int, low: np.float32, span: np.float32, fits: bool) -> np.ndarray | None:
    """``formulas.uniform32`` of the next ``n`` words, or None as above."""
    return _drawn(functools.partial(_uniform_kernel, fits=fits), state, n, np.float32, low, span)


def normal(state: np.ndarray, n: int, mean: np.float32, std: np.float32) -> np.ndarray | None:
    """``formulas.normal32`` of the next ``n`` words, full groups of 16; None also where a kernel rounds otherwise."""
    if not fused.is_ordinary(float(mean), float(std)):
        return None
    return _drawn(_normal_kernel, state, n, np.float32, mean, std, _I32(0))


def empty(n: int, dtype: Any) -> np.ndarray:
    """``np.empty(n, dtype)`` that begins at a multiple of ALIGNMENT bytes."""
    memory = np.empty(n * np.dtype(dtype).itemsize + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + n * np.dtype(dtype).itemsize].view(dtype)


def _drawn(make: Callable[[int], Kernel | None], state: np.ndarray, n: int, dtype: Any, *rest: Any) -> Any:
    """Chunk after chunk of a kernel; ``state`` is moved on only if all of them can be trusted."""
    values, block = empty(n, dtype), state
    for part in _chunks(n):
        count = part.stop - part.start
        kernel = make(LARGE if count > SMALL else SMALL)
        if kernel is None:
            return None
        drawn, block, trusted = map(np.asarray, kernel(block, _I32(count), *rest))
        if not trusted:
            return None
        values[part] = drawn[:count]
    state[:] = block
    return values


def _chunks(n: int) -> Iterator[slice]:
    """Large chunks, and small ones for a remainder that is worth no large one."""
    start = 0
    while start < n:
        size = LARGE if n - start > 4 * SMALL else SMALL
        yield slice(start, min(start + size, n))
        start += size


def _kernel(size: int, formula: Callable[..., tuple[Any, Any]], *arguments: jax.ShapeDtypeStruct) -> Kernel | None:
    """``formula`` of ``size`` words, compiled for the CPU, or None if this JAX has none.

    It takes the state, how many of the words count, and the formula's own arguments; it gives the values, the state
    after them, and whether they can be trusted.
    """
    try:
        device = jax.local_devices(backend="cpu")[0]
    except RuntimeError:
        return None

    def draw(state: Any, used: Any, *rest: Any) -> tuple[Any, Any, Any]:
        drawn, block, position = mt19937.advance(state[:WORDS], state[WORDS].astype(_I32), size, used)
        values, trusted = formula(drawn, *rest)
        return values, jnp.append(block, position.astype(np.uint32)), trusted

    with jax.ensure_compile_time_eval(), jax.enable_x64(True), jax.default_device(device):
        return jax.jit(draw).lower(_STATE, _INTEGER, *arguments).compile()


@functools.cache
def _word_kernel(size: int) -> Kernel | None:
    return _kernel(size, lambda drawn: (drawn, True))


@functools.cache
def _uniform_kernel(size: int, *, fits: bool) -> Kernel | None:
    def formula(drawn: Any, low: Any, span: Any) -> Any:
        return formulas.uniform32(jnp, drawn, low, span, fits), True

    return _kernel(size, formula, _SCALAR, _SCALAR)


@functools.cache
def _normal_kernel(size: int) -> Kernel | None:
    return _kernel(size, fused.normal32, _SCALAR, _SCALAR, _INTEGER)
