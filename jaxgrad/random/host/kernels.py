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

from jaxgrad.random import formulas, mt19937
from jaxgrad.random.generator import WORDS

FEW, MANY = 1 << 12, 1 << 15  # below FEW numpy is as fast; below MANY where a formula is a pass or two
SMALL, LARGE = 10240, 1 << 18
_F32, _I32 = np.float32, np.int32
Kernel = Callable[..., Any]
_STATE = jax.ShapeDtypeStruct((WORDS + 1,), np.uint32)
_SCALAR = jax.ShapeDtypeStruct((), np.float32)
_COUNT = jax.ShapeDtypeStruct((), np.int32)


def words(state: np.ndarray, n: int) -> np.ndarray | None:
    """``n`` words from ``state`` (624 words and the position), which is moved on; None where nothing compiles."""
    return _drawn(_word_kernel, state, n, np.uint32)


def uniform(state: np.ndarray, n: int, low: np.float32, span: np.float32) -> np.ndarray | None:
    """``formulas.uniform32`` of the next ``n`` words."""
    return _drawn(_uniform_kernel, state, n, np.float32, low, span)


def normal(words: np.ndarray, mean: np.float32, std: np.float32) -> np.ndarray | None:
    """``formulas.normal32`` of full groups of 16 words."""
    values = np.empty(words.size, np.float32)
    for part in _chunks(words.size):
        size = LARGE if part.stop - part.start > SMALL else SMALL
        kernel = _normal_kernel(size)
        if kernel is None:
            return None
        drawn = words[part]
        values[part] = _interleaved(kernel, _padded(drawn, size), mean, std)[: drawn.size]
    return values


def _drawn(make: Callable[[int], Kernel | None], state: np.ndarray, n: int, dtype: Any, *rest: Any) -> Any:
    values = np.empty(n, dtype)
    for part in _chunks(n):
        count = part.stop - part.start
        kernel = make(LARGE if count > SMALL else SMALL)
        if kernel is None:
            return None
        drawn, block, position = kernel(state, _I32(count), *rest)
        values[part] = np.asarray(drawn)[:count]
        state[:WORDS], state[WORDS] = np.asarray(block), np.asarray(position)
    return values


def _chunks(n: int) -> Iterator[slice]:
    """Large chunks, and small ones for a remainder that is worth no large one."""
    start = 0
    while start < n:
        size = LARGE if n - start > 4 * SMALL else SMALL
        yield slice(start, min(start + size, n))
        start += size


@functools.cache
def _word_kernel(size: int) -> Kernel | None:
    def draw(state: Any, used: Any) -> Any:
        return mt19937.advance(state[:WORDS], state[WORDS].astype(_I32), size, used)

    return _compiled(draw, _STATE, _COUNT)


@functools.cache
def _uniform_kernel(size: int) -> Kernel | None:
    def draw(state: Any, used: Any, low: Any, span: Any) -> Any:
        drawn, block, position = mt19937.advance(state[:WORDS], state[WORDS].astype(_I32), size, used)
        return formulas.uniform32(jnp, drawn, low, span), block, position

    return _compiled(draw, _STATE, _COUNT, _SCALAR, _SCALAR)


def _compiled(formula: Callable[..., Any], *arguments: jax.ShapeDtypeStruct) -> Kernel | None:
    """``formula`` compiled for the CPU, or None if this JAX has none."""
    try:
        device = jax.local_devices(backend="cpu")[0]
    except RuntimeError:
        return None
    with jax.ensure_compile_time_eval(), jax.enable_x64(True), jax.default_device(device):
        return jax.jit(formula).lower(*arguments).compile()


@functools.cache
def _normal_kernel(size: int) -> Kernel | None:
    """The normal kernel, if it proves exact.

    It leaves the fused multiply-adds to the compiler, which turns ``a * b + c`` into the processor's instruction where
    there is one. That is nobody's promise, so the compiled code has to reproduce exactly computed values before it is
    used at all; otherwise the exact formula in numpy stays in use, at a tenth of the speed.
    """
    half = jax.ShapeDtypeStruct((size // 2,), np.uint32)
    kernel = _compiled(_normal_halves, half, half, _SCALAR, _SCALAR, _COUNT)
    return kernel if kernel is not None and _reproduces(kernel, size) else None


def _reproduces(kernel: Kernel, size: int) -> bool:
    """Whether compiled code rounds as torch does: every operation of it shows in a chunk of random words."""
    words = np.random.Generator(np.random.MT19937(0)).integers(0, 1 << 32, size=size, dtype=np.uint32)
    mean, std = _F32(0.123456), _F32(1.2345678)
    exact = formulas.normal32(words[:SMALL], mean, std)
    return bool(np.array_equal(_interleaved(kernel, words, mean, std)[:SMALL], exact))


def _normal_halves(first: Any, second: Any, mean: Any, std: Any, zero: Any) -> tuple[Any, Any]:
    """``formulas.box_muller32`` in plain float32.

    ``zero`` is 0, which the compiler does not know: it keeps a product that torch rounds out of a fused addition.
    """

    def rounded(x: Any) -> Any:
        return formulas.bits(jnp, formulas.bits(jnp, x, _I32) ^ zero, _F32)

    def fma(x: Any, y: Any, z: Any, fits: bool = False) -> Any:
        del fits
        return x * y + z

    return formulas.box_muller32(jnp, first, second, mean, std, fma, rounded)


def _padded(words: np.ndarray, size: int) -> np.ndarray:
    return words if words.size == size else np.concatenate([words, np.zeros(size - words.size, np.uint32)])


def _interleaved(kernel: Kernel, words: np.ndarray, mean: np.float32, std: np.float32) -> np.ndarray:
    groups = words.reshape(-1, 2, 8)
    values = np.empty(groups.shape, np.float32)
    halves = kernel(groups[:, 0].ravel(), groups[:, 1].ravel(), mean, std, _I32(0))
    for i in (0, 1):
        values[:, i] = np.asarray(halves[i]).reshape(-1, 8)
    return values.ravel()
