"""float64 on the host as the C library computes it.

torch's double-precision kernels call the C library's functions one by one. numpy's own vector versions differ from
them in the last bit, so a result that is wanted in float64 goes through Python's ``math``, which is that library;
a result that is rounded to 32 bits anyway uses numpy, except for the few values so close to a rounding boundary
that the last bit of the float64 decides.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

_LOW29, _HALF29 = np.int64((1 << 29) - 1), np.int64(1 << 28)
_MARGIN = np.int64(1 << 12)  # float64 steps; numpy's functions are within 16 of the library's


def mapped(function: Callable[..., float], *columns: np.ndarray) -> np.ndarray:
    """``function`` of Python floats applied element by element; float64 in, float64 out."""
    size = columns[0].size
    return np.fromiter(map(function, *(column.ravel().tolist() for column in columns)), np.float64, size)


def _split(x: Any) -> tuple[Any, Any]:
    scaled = x * np.float64(134217729.0)  # 2**27 + 1
    high = scaled - (scaled - x)
    return high, x - high


def fma64(x: np.ndarray, y: Any, z: Any) -> np.ndarray:
    """``x * y + z`` rounded once (Boldo and Melquiond, 2008: round the error to odd, then add).

    Valid while no intermediate overflows or loses bits to underflow; both are redone in exact integers.
    """
    x, y, z = np.broadcast_arrays(np.float64(x), np.float64(y), np.float64(z))
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        product = x * y
        (xh, xl), (yh, yl) = _split(x), _split(y)
        low = xl * yl - (((product - xh * yh) - xl * yh) - xh * yl)
        high, error = _two_sum(z, low)
        total, rest = _two_sum(product, high)
        carry, lost = _two_sum(rest, error)
        result = total + _to_odd(carry, lost)
        size = np.abs(product)
        safe = (np.maximum(np.abs(x), np.abs(y)) < 2.0**990) & ((size == 0) | (size > 2.0**-900)) & (size < 2.0**1000)
        safe &= np.isfinite(z) & ((z == 0) | (np.abs(z) > 2.0**-900)) & (np.abs(z) < 2.0**1000)
    if not safe.all():
        result = np.array(result)
        for index in zip(*np.nonzero(~safe), strict=True):
            result[index] = _fma_slowly(float(x[index]), float(y[index]), float(z[index]))
    return result


def _two_sum(a: Any, b: Any) -> tuple[Any, Any]:
    total = a + b
    back = total - a
    return total, (a - (total - back)) + (b - back)


def _to_odd(value: np.ndarray, error: np.ndarray) -> np.ndarray:
    pattern = np.ascontiguousarray(value).view(np.int64)
    even = (pattern & 1 == 0) & (error != 0)
    step = np.where((error > 0) == (value > 0), 1, -1)
    return np.where(even, pattern + step, pattern).view(np.float64)


def _fma_slowly(x: float, y: float, z: float) -> float:
    from fractions import Fraction

    if not (np.isfinite(x) and np.isfinite(y) and np.isfinite(z)):
        return x * y + z
    exact = Fraction(x) * Fraction(y) + Fraction(z)
    try:
        return float(exact) if exact else x * y + z
    except OverflowError:
        return np.inf if exact > 0 else -np.inf


def settle(quick: np.ndarray, exactly: Callable[[np.ndarray], np.ndarray], dtype: np.dtype) -> np.ndarray:
    """``quick`` (float64 by numpy's functions), corrected wherever its last bits could show in ``dtype``.

    ``exactly(index)`` computes the elements at ``index`` with the C library.
    """
    if dtype == np.float64:
        return exactly(np.arange(quick.size))
    distance = np.abs((quick.view(np.int64) & _LOW29) - _HALF29)
    index = np.flatnonzero((distance < _MARGIN) | ~(np.abs(quick) > 2.0**-126))
    if index.size:
        quick[index] = exactly(index)
    return quick
