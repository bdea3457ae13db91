"""A value as short text, the same in the terminal, on the page and in a figure."""

from typing import Any

import numpy as np

SHORT = 12
"""Arrays of at most so many elements are shown element by element."""


def short(value: Any) -> str:
    """A value for a table cell: numbers with the digits a reader wants, long arrays by shape and norm.

    >>> short(1.11184), short(np.float32([0.0, 0.0173])), short("fused"), short(None)
    ('1.1118', '0, 0.0173', 'fused', '')
    >>> short(np.float32([-1.36651e-02, 8.96963e-05]))
    '-0.013665, 8.9696e-05'
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    array = np.asarray(value)
    if array.ndim == 0:
        return _number(array[()])
    if array.size <= SHORT:
        return ", ".join(_number(each) for each in array.ravel())
    if array.dtype.kind == "f":
        norm = np.linalg.norm(array.astype(np.float64).ravel())
        return f"{array.dtype}{list(array.shape)}, norm {norm:.4g}"
    return f"{array.dtype}{list(array.shape)}"


def _number(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, int | np.integer):
        return str(int(value))
    return f"{float(value):.5g}"
