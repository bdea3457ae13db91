"""The word stream on the host: a short-lived, mutable reader of one immutable Generator.

A draw opens a stream, takes words, and closes it into the next generator. The words come from numpy's MT19937,
which is the same recurrence; only its memory is addressed directly, because numpy's own way in and out of a
state costs more than ten thousand words.
"""

import ctypes
import threading
from typing import Any

import numpy as np
from numpy.random.bit_generator import ISeedSequence

from jaxgrad.random._words import formulas
from jaxgrad.random.generator import WORDS, Generator, build
from jaxgrad.random.host import kernels

_U53 = np.float64(2.0**-53)


class _Zeros(ISeedSequence):
    """Spares numpy the mixing of an entropy that is overwritten at once."""

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> np.ndarray:
        return np.zeros(n_words, dtype)


class _Engine(threading.local):
    """Scratch memory, one per thread. Each use overwrites all of it, so nothing survives a call."""

    def __init__(self) -> None:
        self.bits = np.random.MT19937(_Zeros())  # type: ignore[arg-type]  # numpy takes any ISeedSequence
        self.draw = np.random.Generator(self.bits).integers
        address = self.bits.ctypes.state_address
        self.memory = np.ctypeslib.as_array((ctypes.c_uint32 * (WORDS + 1)).from_address(address))


_ENGINE = _Engine()


class Stream:
    """Reads words from where ``generator`` stands; ``generator()`` is where the reading ended."""

    def __init__(self, generator: Generator) -> None:
        self._state = np.empty(WORDS + 1, np.uint32)
        self._state[:WORDS] = generator.words
        self._state[WORDS] = generator.position
        self._seed = np.asarray(generator.seed_words)
        self._fresh = bool(generator.fresh)
        self.cached: float | None = None
        if int(generator.has_cached):
            high, low = np.asarray(generator.cached)
            self.cached = float(np.uint64(int(high) << 32 | int(low)).view(np.float64))

    def words(self, n: int) -> np.ndarray:
        """The next ``n`` 32-bit words, uint32 (n,)."""
        if n == 0:
            return np.empty(0, np.uint32)
        self._fresh = False
        if n > kernels.SMALL and (words := kernels.words(self._state, n)) is not None:
            return words
        _ENGINE.memory[:] = self._state
        words = _ENGINE.draw(0, 1 << 32, size=n, dtype=np.uint32)
        self._state[:] = _ENGINE.memory
        return words

    def uniforms(self, n: int, low: np.float32, span: np.float32) -> np.ndarray:
        """``fma(u, span, low)`` of the next ``n`` words, float32 (n,)."""
        fits = formulas.uniform_fits(low, span)
        least = kernels.MANY if fits else kernels.FEW
        if n >= least and (values := kernels.uniform(self._state, n, low, span, fits)) is not None:
            self._fresh = False
            return values
        return formulas.uniform32(np, self.words(n), low, span, fits)

    def normals(self, n: int, mean: np.float32, std: np.float32) -> np.ndarray:
        """Normals of the next ``n`` words, full groups of 16, float32 (n,)."""
        if n >= kernels.FEW and (values := kernels.normal(self._state, n, mean, std)) is not None:
            self._fresh = False
            return values
        return formulas.normal32(self.words(n), mean, std)

    def words64(self, n: int) -> np.ndarray:
        """The next ``n`` 64-bit words, uint64 (n,); of each pair the first word is the high one."""
        pairs = self.words(2 * n).reshape(n, 2)
        return pairs[:, 0].astype(np.uint64) << np.uint64(32) | pairs[:, 1]

    def doubles(self, n: int) -> np.ndarray:
        """The next ``n`` uniforms of 53 bits, float64 in [0, 1), two words each."""
        return (self.words64(n) & np.uint64(2**53 - 1)).astype(np.float64) * _U53

    def mark(self) -> tuple[np.ndarray, bool, float | None]:
        """A place to come back to with :meth:`reset`."""
        return self._state.copy(), self._fresh, self.cached

    def reset(self, mark: tuple[np.ndarray, bool, float | None]) -> None:
        """Back to where ``mark`` was set, as if nothing had been read since."""
        state, self._fresh, self.cached = mark
        self._state[:] = state

    def generator(self) -> Generator:
        """The generator after everything that was read."""
        cached = None if self.cached is None else int(np.float64(self.cached).view(np.uint64))
        return build(self._seed, self._state[:WORDS].copy(), int(self._state[WORDS]), fresh=self._fresh, cached=cached)
