"""Two arguments of one operation in torch's common dtype."""

from typing import Any

import jax.numpy as jnp

from jaxgrad._core.dtypes import common_dtype, keep_dtype
from jaxgrad._core.types import Array


def promote(left: Any, right: Any, *, floating: bool = False) -> tuple[Array, Array]:
    """Both as arrays of their common dtype, broadcast to their common shape; a Python number gives way to an array.

    Args:
        left: an array or a number.
        right: an array or a number.
        floating: whether integers become floats, as in functions whose result is one.

    >>> [x.dtype.name for x in promote(jnp.ones(2, jnp.bfloat16), 2.0)]
    ['bfloat16', 'bfloat16']
    """
    dtype = common_dtype(left, right)
    if floating and not jnp.issubdtype(dtype, jnp.inexact):
        dtype = jnp.dtype(jnp.float32)
    first, second = jnp.broadcast_arrays(jnp.asarray(left, dtype), jnp.asarray(right, dtype))
    return first, second


def as_float(value: Any, *, double: bool = False) -> Array:
    """``value`` as floating point: integers become torch's default dtype, float32; everything double on request.

    >>> as_float(jnp.array(2)).dtype.name
    'float32'
    """
    value = jnp.asarray(value)
    if double:
        return value.astype(keep_dtype(jnp.complex128 if jnp.iscomplexobj(value) else jnp.float64))
    return value if jnp.issubdtype(value.dtype, jnp.inexact) else value.astype(jnp.float32)
