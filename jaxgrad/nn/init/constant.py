"""Initial values that are all the same."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Shaped

from jaxgrad._core.arguments import as_number
from jaxgrad._core.dtype_names import c_name
from jaxgrad._core.dtypes import keep_dtype
from jaxgrad._core.errors import explain
from jaxgrad._core.types import Array, Shape
from jaxgrad.random.checks import as_shape


def constant(shape: Shape, val: float, *, dtype: Any = jnp.float32) -> Shaped[Array, "*shape"]:
    """``val`` everywhere: ``torch.nn.init.constant_``.

    Args:
        shape: of the values.
        val: a number.
        dtype: of the values.

    Returns:
        The values; nothing is drawn.

    Raises:
        TypeError: ``constant(): argument 'val' must be float, not str``.
        RuntimeError: a complex number for a real dtype.

    >>> print(constant(2, 0.5))
    [0.5 0.5]
    """
    dtype = keep_dtype(dtype)
    if isinstance(val, complex) and not jnp.issubdtype(dtype, jnp.complexfloating):
        raise RuntimeError(explain(f"value cannot be converted to type {c_name(dtype)} without overflow", got=val))
    return jnp.full(as_shape(shape), _as_value(val), dtype)


def _as_value(val: Any) -> int | float | complex:
    """A number as it is: integers stay exact, complex ones are for complex dtypes."""
    return val if isinstance(val, int | complex) else as_number(val, "val", "constant")


def ones(shape: Shape, *, dtype: Any = jnp.float32) -> Shaped[Array, "*shape"]:
    """1 everywhere: ``torch.nn.init.ones_``.

    Args:
        shape: of the values.
        dtype: of the values.

    Returns:
        The values; nothing is drawn.

    >>> print(ones(2))
    [1. 1.]
    """
    return constant(shape, 1, dtype=dtype)


def zeros(shape: Shape, *, dtype: Any = jnp.float32) -> Shaped[Array, "*shape"]:
    """0 everywhere: ``torch.nn.init.zeros_``.

    Args:
        shape: of the values.
        dtype: of the values.

    Returns:
        The values; nothing is drawn.

    >>> print(zeros(2))
    [0. 0.]
    """
    return constant(shape, 0, dtype=dtype)
