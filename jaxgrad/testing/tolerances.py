"""One table of tolerances by dtype: torch.testing's, measured values of what rounding may do to one operation."""

from typing import Any

import jax.numpy as jnp
import numpy as np

_TOLERANCES: dict[str, tuple[float, float]] = {
    "float16": (1e-3, 1e-5),
    "bfloat16": (1.6e-2, 1e-5),
    "float32": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7),
    "complex64": (1.3e-6, 1e-5),
    "complex128": (1e-7, 1e-7),
}


def default_tolerances(*inputs: Any) -> tuple[float, float]:
    """The ``(rtol, atol)`` of ``torch.testing`` for the least precise of the inputs (arrays or dtypes).

    Integers and booleans compare exactly.

    Args:
        *inputs: arrays, numbers, or what names a dtype.

    Returns:
        The relative and the absolute tolerance.

    >>> default_tolerances(np.float32(1.0))
    (1.3e-06, 1e-05)
    >>> default_tolerances(np.float64(1.0), jnp.bfloat16)
    (0.016, 1e-05)
    """
    pairs = [_TOLERANCES.get(dtype_of(each).name, (0.0, 0.0)) for each in inputs]
    return max(rtol for rtol, _ in pairs), max(atol for _, atol in pairs)


def dtype_of(value: Any) -> np.dtype:
    """The dtype of an array, or the dtype that a dtype-like names."""
    if isinstance(value, (np.dtype, type, str)):
        return jnp.dtype(value)
    return jnp.dtype(value.dtype) if hasattr(value, "dtype") else np.asarray(value).dtype
