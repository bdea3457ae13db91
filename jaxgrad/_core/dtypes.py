"""Dtypes that are given are kept, and where none is given torch's default counts.

JAX narrows 64 bits to 32 in silence unless x64 is on; here that is an error.

Torch's default dtype is float32 until ``torch.set_default_dtype``, whatever the dtype of the tensors at hand. Here it
is float32 always: JAX's x64 mode allows float64, it does not ask for it. What torch gives under
``set_default_dtype(torch.float64)`` is asked for where it is made: ``dtype=`` of a constructor or a draw, and
``optim.with_default_dtype`` for the numbers that NAdam and ASGD keep beside their tensors.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.errors import explain
from jaxgrad._core.types import Array

DEFAULT_DTYPE = np.dtype(np.float32)
"""Torch's default dtype."""


def x64_enabled() -> bool:
    """Whether JAX computes in 64 bits at this point (a setting of JAX's own, also a context manager)."""
    return jax.dtypes.canonicalize_dtype(np.float64) == np.float64


def as_dtype(dtype: Any) -> np.dtype:
    """``dtype`` as numpy's; None is torch's default dtype, float32.

    Raises:
        TypeError: it is none of JAX's.

    >>> as_dtype("int8"), as_dtype(None)
    (dtype('int8'), dtype('float32'))
    """
    try:
        found: np.dtype = np.dtype(jnp.dtype(jnp.float32 if dtype is None else dtype))
        if found.kind in "OSUMm" or found.names is not None:  # numpy's, and none of JAX's
            raise TypeError
        return found
    except TypeError:
        name = str(dtype).removeprefix("torch.")
        known = hasattr(jnp, name) and str(dtype).startswith("torch.")
        raise TypeError(
            explain(
                f"argument 'dtype' must be a dtype, not {type(dtype).__name__}",
                got=repr(dtype),
                expected="jnp.float32, 'float32', numpy.float32, ...",
                remedy=f"jnp.{name}" if known else None,
            )
        ) from None


def keep_dtype(dtype: Any) -> np.dtype:
    """``dtype`` as numpy's, refused if JAX would narrow it.

    Raises:
        TypeError: a 64-bit dtype was asked for while JAX's x64 mode is off.

    >>> keep_dtype(jnp.bfloat16)
    dtype(bfloat16)
    """
    wanted = as_dtype(dtype)
    if jax.dtypes.canonicalize_dtype(wanted) != wanted:
        raise TypeError(
            explain(
                f"{wanted} needs JAX's 64-bit mode, which is off",
                got=wanted,
                expected=jax.dtypes.canonicalize_dtype(wanted),
                remedy="jax.config.update('jax_enable_x64', True), or `with jax.enable_x64(True):`",
            )
        )
    return wanted


def opmath_dtype(dtype: Any) -> np.dtype:
    """The dtype in which torch computes sums and products of a dtype: float32 for the 16-bit ones.

    >>> opmath_dtype(jnp.bfloat16), opmath_dtype(np.float64)
    (dtype('float32'), dtype('float64'))
    """
    narrow = jnp.issubdtype(dtype, jnp.floating) and jnp.finfo(dtype).bits < 32
    return np.dtype(np.float32) if narrow else np.dtype(dtype)


def promoted(*arrays: Any) -> tuple[Array, ...]:
    """Arrays in their common dtype.

    >>> [each.dtype.name for each in promoted(jnp.ones(2, jnp.bfloat16), jnp.arange(2))]
    ['bfloat16', 'bfloat16']
    """
    dtype = common_dtype(*arrays)
    return tuple(jnp.asarray(each, dtype) for each in arrays)


def common_dtype(*values: Any) -> np.dtype:
    """The dtype that arrays and numbers are promoted to; asked for by name, also where JAX is to be strict.

    >>> with jax.numpy_dtype_promotion("strict"):
    ...     common_dtype(jnp.ones(2, jnp.bfloat16), jnp.ones(2)), common_dtype(jnp.ones(2, jnp.bfloat16), 1.0)
    (dtype('float32'), dtype(bfloat16))
    """
    with jax.numpy_dtype_promotion("standard"):
        return np.dtype(jnp.result_type(*values))


def wider_dtype(left: Any, right: Any) -> np.dtype:
    """The dtype that two dtypes are promoted to, in 64 bits too where JAX has them off.

    >>> with jax.numpy_dtype_promotion("strict"):
    ...     wider_dtype(jnp.float16, jnp.bfloat16), wider_dtype(np.int64, np.float32)
    (dtype('float32'), dtype('float32'))
    """
    with jax.numpy_dtype_promotion("standard"):
        return np.dtype(jnp.promote_types(left, right))


def as_inexact(x: Array) -> Array:
    """Integers and booleans as float32, which torch promotes them to; other arrays as they are.

    >>> as_inexact(jnp.zeros(2, jnp.int8)).dtype
    dtype('float32')
    """
    return x if jnp.issubdtype(x.dtype, jnp.inexact) else x.astype(jnp.float32)
