"""Rounding that a compiler keeps.

XLA may drop a pair of casts for the precision that it gains, and on some devices does. Where a rounding is part of the
meaning it is therefore no cast: it is computed in the wider dtype.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.types import Array


def nearest(value: Array, dtype: np.dtype) -> Array:
    """The nearest numbers that a narrower ``dtype`` holds, in the dtype of ``value``.

    Subnormal numbers are kept in float16, whose users need them; in the others they become zeros. Derivatives pass.

    >>> float(nearest(jnp.float32(1 / 3), jnp.dtype(jnp.bfloat16)))
    0.333984375
    """
    info = jnp.finfo(dtype)
    normal = jax.lax.reduce_precision(value, info.nexp, info.nmant)
    if dtype != jnp.float16:
        return normal
    step = float(info.smallest_subnormal)
    subnormal = _nearest_integer(value / step) * step
    return jnp.where(jnp.abs(value) < float(info.smallest_normal), subnormal, normal)


@jax.custom_jvp
def _nearest_integer(a: Array) -> Array:
    return jax.lax.round(a, jax.lax.RoundingMethod.TO_NEAREST_EVEN)


@_nearest_integer.defjvp
def _nearest_integer_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    """Derivatives pass a rounding here as they pass ``reduce_precision``."""
    return _nearest_integer(*primals), tangents[0]
