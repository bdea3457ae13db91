"""Which dtypes torch can fill."""

from typing import Any

import numpy as np

from jaxgrad._core.dtype_names import torch_name
from jaxgrad._core.dtypes import as_dtype
from jaxgrad._core.errors import explain

DIGITS = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}  # bits of the significand
FLOATS = tuple(DIGITS)
INTEGERS = ("int8", "int16", "int32", "int64", "uint8")
HALVES = ("float16", "bfloat16")


def check_dtype(dtype: Any, allowed: tuple[str, ...], kernel: str) -> np.dtype:
    """``dtype`` as numpy's (None is float32), or torch's complaint that ``kernel`` does not know it.

    Raises:
        NotImplementedError: ``"normal_kernel_cpu" not implemented for 'Long'``.
        TypeError: it is no dtype.
    """
    wanted = as_dtype(dtype)
    if wanted.name not in allowed:
        sentence = f"\"{kernel}\" not implemented for '{torch_name(wanted)}'"
        raise NotImplementedError(explain(sentence, expected=", ".join(allowed)))
    return wanted


def is_float(dtype: np.dtype) -> bool:
    """Whether ``dtype`` is one of the four floating dtypes that torch fills."""
    return dtype.name in DIGITS


def round_to(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """float64 to ``dtype`` the way torch casts: through float32 on the way to 16 bits."""
    with np.errstate(over="ignore", under="ignore"):
        if dtype.name in HALVES and values.dtype == np.float64:
            values = values.astype(np.float32)
        return values.astype(dtype)


def as_float(value: float, dtype: np.dtype) -> float:
    """A Python number as ``dtype`` holds it, exactly representable as a float again."""
    return value if dtype == np.float64 else float(round_to(np.array(value, np.float64), dtype))
