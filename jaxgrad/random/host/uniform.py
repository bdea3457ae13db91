"""Uniform floats on the host."""

import numpy as np

from jaxgrad.random.checks import Shape
from jaxgrad.random.dtypes import as_float
from jaxgrad.random.host.double import fma64
from jaxgrad.random.host.stream import Stream


def uniform(stream: Stream, shape: Shape, low: float, high: float, dtype: np.dtype) -> np.ndarray:
    """``fma(u, high - low, low)``: u of 24 bits and one word, or of 53 bits and two words for float64."""
    compute = np.dtype(np.float64 if dtype == np.float64 else np.float32)
    low, high = as_float(low, compute), as_float(high, compute)
    span = as_float(high - low, compute)
    n = int(np.prod(shape, dtype=np.int64))
    if dtype == np.float64:
        values = stream.doubles(n)
        if (low, high) != (0.0, 1.0):
            values = fma64(values, np.float64(span), np.float64(low))
    else:
        values = stream.uniforms(n, np.float32(low), np.float32(span)).astype(dtype, copy=False)
    values[values == values.dtype.type(high)] = low
    return values.reshape(shape)
