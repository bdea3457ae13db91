"""Bernoulli, geometric, Poisson and multinomial draws on the host."""

import math
from collections.abc import Iterator

import numpy as np

from jaxgrad._core.errors import explain
from jaxgrad._core.types import Shape
from jaxgrad.random._words.formulas import LOW24, U24
from jaxgrad.random.dtypes import HALVES, round_to
from jaxgrad.random.host.continuous import exponential
from jaxgrad.random.host.double import mapped
from jaxgrad.random.host.stream import Stream


def bernoulli(stream: Stream, shape: Shape, p: float, dtype: np.dtype) -> np.ndarray:
    """``u < p`` for a number p: 53-bit uniforms whatever the dtype."""
    return (stream.doubles(math.prod(shape)) < p).astype(dtype).reshape(shape)


def bernoulli_each(stream: Stream, p: np.ndarray, shape: Shape, dtype: np.dtype) -> np.ndarray:
    """``u < p`` for an array p: 53-bit uniforms if it is float64, else 24-bit ones."""
    if not ((p >= 0) & (p <= 1)).all():
        raise RuntimeError(
            "Expected p_in >= 0 && p_in <= 1 to be true, but got false.  (Could this error message be improved?  "
            "If so, please report an enhancement request to PyTorch.)"
        )
    n = math.prod(shape)
    wide = p.dtype == np.float64
    u = stream.doubles(n) if wide else (stream.words(n) & LOW24).astype(np.float32) * U24
    p = np.broadcast_to(p.astype(u.dtype), shape)
    return (u.reshape(shape) < p).astype(dtype)


def geometric(stream: Stream, shape: Shape, p: float, dtype: np.dtype) -> np.ndarray:
    """``ceil(log(u) / log1p(-p))``."""
    u, scale = stream.doubles(math.prod(shape)), math.log1p(-p)
    with np.errstate(divide="ignore"):
        ratio = np.log(u) / scale
    near = np.flatnonzero(np.abs(ratio - np.rint(ratio)) <= 1e-12 * np.abs(ratio))
    ratio[near] = mapped(_log, u[near]) / scale
    return round_to(np.ceil(ratio), dtype).reshape(shape)


def _log(x: float) -> float:
    return math.log(x) if x else -math.inf


def poisson(stream: Stream, rate: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """One Poisson number for each rate; how many words it takes depends on what comes."""
    if not (rate >= 0).all():
        raise RuntimeError("invalid Poisson rate, expected rate to be non-negative")
    uniforms = _Uniforms(stream)
    counts = [_poisson(uniforms, lam) for lam in rate.astype(np.float64).ravel().tolist()]
    uniforms.close()
    return round_to(np.array(counts, np.float64), dtype).reshape(rate.shape)


class _Uniforms:
    """Single 53-bit uniforms, fetched ahead in blocks; ``close`` leaves the stream after the last one used."""

    _BLOCK = 512

    def __init__(self, stream: Stream) -> None:
        self._stream, self._mark, self._used = stream, stream.mark(), 0
        self._values: Iterator[float] = iter(())

    def __call__(self) -> float:
        self._used += 1
        for value in self._values:
            return value
        self._values = iter(self._stream.doubles(self._BLOCK).tolist())
        return next(self._values)

    def close(self) -> None:
        self._stream.reset(self._mark)
        self._stream.words(2 * self._used)


def _poisson(uniform: _Uniforms, lam: float) -> float:
    if lam == 0:
        return 0.0
    if lam >= 10:
        return _transformed_rejection(uniform, lam)
    threshold, product, count = math.exp(-lam), uniform(), 0.0
    while product > threshold:
        count += 1
        product *= uniform()
    return count


def _transformed_rejection(uniform: _Uniforms, lam: float) -> float:
    """Hoermann's PTRS (1993), with the constants every implementation of it has."""
    log_lam = math.log(lam)
    b = 0.931 + 2.53 * math.sqrt(lam)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2)
    while True:
        u = uniform() - 0.5
        v = uniform()
        us = 0.5 - abs(u)
        k = _floor64((2 * a / us + b) * u + lam + 0.43)
        if us >= 0.07 and v <= v_r:
            return float(k)
        if k < 0 or (us < 0.013 and v > us):
            continue
        density = -lam + k * log_lam - math.lgamma(k + 1)
        if math.log(v) + math.log(inverse_alpha) - math.log(a / (us * us) + b) <= density:
            return float(k)


def _floor64(x: float) -> int:
    """The floor as a C program puts it into 64 bits on x86: what does not fit is the least integer there is."""
    return math.floor(x) if -(2.0**63) <= x < 2.0**63 else -(2**63)


def multinomial(stream: Stream, weights: np.ndarray, num_samples: int, replacement: bool) -> np.ndarray:
    """Indices, int64 (..., num_samples), of weights (..., categories)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if replacement and num_samples > 1:
            rows = weights.reshape(-1, weights.shape[-1])
            drawn = [_by_search(stream, row, num_samples) for row in rows]
            return np.array(drawn, np.int64).reshape(*weights.shape[:-1], num_samples)
        return _by_race(stream, weights, num_samples)


def _by_race(stream: Stream, weights: np.ndarray, num_samples: int) -> np.ndarray:
    """The largest of ``weight / exponential``: the earliest arrivals of a Poisson race."""
    if not (np.all(weights < np.inf) and np.all(weights >= 0)):
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    if (weights.sum(axis=-1) == 0).any():
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
    arrival = exponential(stream, weights.shape, 1.0, weights.dtype)
    compute = np.float32 if weights.dtype.name in HALVES else weights.dtype
    keys = (weights.astype(compute) / arrival.astype(compute)).astype(weights.dtype)
    if num_samples == 1:
        return keys.astype(compute).argmax(axis=-1, keepdims=True)
    return (-keys.astype(compute)).argsort(axis=-1, kind="stable")[..., :num_samples]


def _by_search(stream: Stream, weights: np.ndarray, num_samples: int) -> np.ndarray:
    """Where each uniform falls in the running sum of the weights."""
    weights = weights.astype(np.float32) if weights.dtype.name in HALVES else weights
    bad = ~((weights >= 0) & (weights < np.inf))
    if bad.any():
        first = weights[bad][0]  # torch goes through the row and asks "not >= 0" first, so that nan is told as < 0
        words = "= infinity or NaN" if first > 0 else "< 0"
        raise RuntimeError(
            explain(f"invalid multinomial distribution (encountering probability entry {words})", got=first)
        )
    cumulative = np.cumsum(weights, dtype=weights.dtype)
    if not cumulative[-1] > 0:
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
    cumulative = (cumulative / cumulative[-1]).astype(np.float64)
    cumulative[-1] = 1
    return np.searchsorted(cumulative, stream.doubles(num_samples), side="left")
