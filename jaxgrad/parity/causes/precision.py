"""Numbers rounded as the fast matrix units round their factors."""

from collections.abc import Callable, Mapping

import ml_dtypes
import numpy as np

from jaxgrad.parity.causes.context import Array


def bfloat16(x: Array) -> Array:
    """8 bits of mantissa, to nearest even."""
    return x.astype(np.float32).astype(ml_dtypes.bfloat16).astype(np.float64)


def float16(x: Array) -> Array:
    """11 bits of mantissa, to nearest even."""
    return x.astype(np.float16).astype(np.float64)


def tf32(x: Array) -> Array:
    """11 bits of mantissa and float32's exponent, to nearest even.

    >>> float(tf32(np.array([1.0 + 2.0**-12]))[0])
    1.0
    """
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    bits = bits + (0xFFF + ((bits >> 13) & 1)).astype(np.uint32)
    return (bits & np.uint32(0xFFFFE000)).view(np.float32).astype(np.float64)


def exact(x: Array) -> Array:
    """As they are."""
    return x


ROUNDINGS: Mapping[str, Callable[[Array], Array]] = {
    "exact": exact,
    "TF32": tf32,
    "bfloat16": bfloat16,
    "float16": float16,
}
"""By name."""
