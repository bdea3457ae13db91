"""Uniform floats on the host."""

import numpy as np

from jaxgrad.random import formulas
from jaxgrad.random.checks import Shape
from jaxgrad.random.dtypes import as_float
from jaxgrad.random.host.double import fma64
from jaxgrad.random.host.stream import Stream

_CHUNK = 1 << 14  # stays in the first-level caches


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
        values = np.empty(n, np.float32)
        for start in range(0, n, _CHUNK):
            part = values[start : start + _CHUNK]
            words = stream.words(part.size)
            words &= formulas.LOW24
            np.multiply(words.view(np.int32), formulas.U24, out=part, casting="unsafe")
            if (low, high) != (0.0, 1.0):
                part[:] = formulas.fma32(np, part, np.float32(span), np.float32(low))
        values = values.astype(dtype, copy=False)
    values[values == values.dtype.type(high)] = low
    return values.reshape(shape)
