"""Initial values that take more than one draw, on the host: truncated normals, sparse columns."""

from typing import Any

import numpy as np

from jaxgrad._core.types import Shape
from jaxgrad.random.checks import check_std, check_uniform
from jaxgrad.random.dtypes import as_float
from jaxgrad.random.host.integers import randperm
from jaxgrad.random.host.normal import normal
from jaxgrad.random.host.stream import Stream
from jaxgrad.random.host.uniform import uniform


def redrawn_normal(
    stream: Stream, shape: Shape, mean: float, std: float, low: float, high: float, dtype: np.dtype
) -> np.ndarray:
    """Whole tensors of normals, of which only the places still outside [low, high] are taken over."""
    check_std(std)
    low, high = as_float(low, dtype), as_float(high, dtype)
    values = normal(stream, shape, mean, std, dtype)
    while (outside := (values < low) | (values > high)).any():
        values = np.where(outside, normal(stream, shape, mean, std, dtype), values)
    return values


def accepted_normal(
    stream: Stream, shape: Shape, mean: float, std: float, low: float, high: float, dtype: np.dtype
) -> np.ndarray:
    """Whole tensors of uniforms on [low, high), each place accepted once log(u) is under its log-density."""
    check_uniform(low, high, dtype)
    mode = max(low, min(mean, high))
    peak = -0.5 * ((mode - mean) / std) ** 2

    values = uniform(stream, shape, low, high, dtype)
    pending = _rejected(stream, values, mean, std, peak)
    while pending.any():
        candidates = uniform(stream, shape, low, high, dtype)
        values = np.where(pending, candidates, values)
        pending &= _rejected(stream, candidates, mean, std, peak)
    return values


def _rejected(stream: Stream, candidates: np.ndarray, mean: float, std: float, peak: float) -> np.ndarray:
    dtype = candidates.dtype
    compute: Any = np.float64 if dtype == np.float64 else np.float32  # 16 bits are rounded after every step

    def step(values: np.ndarray) -> np.ndarray:
        return values.astype(dtype).astype(compute)

    subtracted = [compute(dtype.type(value)) for value in (mean, peak)]  # torch rounds these two, not the divisor
    scaled = step(step(candidates.astype(compute) - subtracted[0]) / compute(std))
    density = step(step(step(scaled * scaled) * compute(-0.5)) - subtracted[1])
    with np.errstate(divide="ignore"):
        u = uniform(stream, candidates.shape, 0.0, 1.0, dtype).astype(np.float64)
        return step(np.log(u).astype(compute)) > density


def sparse_columns(stream: Stream, shape: Shape, zeros: int, std: float, dtype: np.dtype) -> np.ndarray:
    """Normals, then for each column a permutation of the rows whose first ``zeros`` are set to 0."""
    values = normal(stream, shape, 0.0, std, dtype)
    for column in range(shape[1]):
        values[randperm(stream, shape[0], np.dtype(np.int64))[:zeros], column] = 0
    return values
