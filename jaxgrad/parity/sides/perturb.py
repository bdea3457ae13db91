"""Starts that differ by one unit in the last place: what rounding alone makes of a run."""

import numpy as np


def one_ulp(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each element moved to the next larger or smaller number, or left, with a chance of a third each.

    >>> moved = one_ulp(np.ones(1000, np.float32), np.random.default_rng(0))
    >>> sorted({float(x) for x in moved - 1})
    [-5.960464477539063e-08, 0.0, 1.1920928955078125e-07]
    """
    if array.dtype.kind == "V" or array.dtype.name == "bfloat16":
        bits = array.view(np.int16).astype(np.int32)
        moved = bits + rng.integers(-1, 2, array.shape) * (bits != 0)
        return moved.astype(np.int16).view(array.dtype)
    if array.dtype.kind != "f":
        return array
    towards = np.array([-np.inf, 0.0, np.inf])[rng.integers(0, 3, array.shape)].astype(array.dtype)
    return np.where(towards == 0, array, np.nextafter(array, towards))
