"""Uniform floats on the host."""

import math
from typing import Any

import numpy as np

from jaxgrad._core.types import Shape
from jaxgrad.random.host.double import fma64
from jaxgrad.random.host.stream import Stream


def uniform(stream: Stream, shape: Shape, low: float, high: float, dtype: np.dtype) -> np.ndarray:
    """``fma(u, high - low, low)``: u of 24 bits and one word, or of 53 bits and two words for float64."""
    compute: Any = np.float64 if dtype == np.float64 else np.float32
    first, last = compute(low), compute(high)
    span = last - first
    n = math.prod(shape)
    if compute is np.float64:
        values = stream.doubles(n)
        if (low, high) != (0.0, 1.0):
            values = fma64(values, span, first)
    else:
        values = stream.uniforms(n, first, span)
        if dtype != np.float32:
            values = values.astype(dtype)
    if (first, span) != (0, 1) or dtype.itemsize < 4:  # u itself is below 1
        at_end = values == values.dtype.type(last)
        if at_end.any():
            values[at_end] = first
    return values.reshape(shape)
