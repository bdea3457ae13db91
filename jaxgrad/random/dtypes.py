"""Which dtypes torch can fill, under the names its error messages give them."""

import functools
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxgrad._core.errors import explain

C_NAME = {
    "float16": "c10::Half",
    "bfloat16": "c10::BFloat16",
    "float32": "float",
    "float64": "double",
    "bool": "bool",
    "uint8": "unsigned char",
    "int8": "signed char",
    "int16": "short int",
    "int32": "int",
    "int64": "long int",
    "uint16": "short unsigned int",
    "uint32": "unsigned int",
    "uint64": "long unsigned int",
}
SCALAR_NAME = {
    "float16": "Half",
    "bfloat16": "BFloat16",
    "float32": "Float",
    "float64": "Double",
    "bool": "Bool",
    "uint8": "Byte",
    "int8": "Char",
    "int16": "Short",
    "int32": "Int",
    "int64": "Long",
    "uint16": "UInt16",
    "uint32": "UInt32",
    "uint64": "UInt64",
    "complex64": "ComplexFloat",
    "complex128": "ComplexDouble",
}
DIGITS = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}  # bits of the significand
FLOATS = tuple(DIGITS)
INTEGERS = ("int8", "int16", "int32", "int64", "uint8")
HALVES = ("float16", "bfloat16")


@functools.cache
def check_dtype(dtype: Any, allowed: tuple[str, ...], kernel: str) -> np.dtype:
    """``dtype`` as numpy's, or torch's complaint that ``kernel`` does not know it.

    Raises:
        NotImplementedError: ``"normal_kernel_cpu" not implemented for 'Long'``.
    """
    wanted = np.dtype(jnp.dtype(dtype))
    if wanted.name not in allowed:
        name = SCALAR_NAME.get(wanted.name, wanted.name)
        raise NotImplementedError(explain(f"\"{kernel}\" not implemented for '{name}'", expected=", ".join(allowed)))
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
