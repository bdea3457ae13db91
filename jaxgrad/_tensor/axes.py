"""The axis that a reduction leaves behind, or does not."""

import jax.numpy as jnp

from jaxgrad._core.types import Array


def drop_axis(value: Array, axis: int, keepdim: bool, ndim: int) -> Array:
    """``value`` without an axis of size 1, unless it is to be kept; a scalar's axis goes in any case.

    >>> drop_axis(jnp.ones((2, 1)), 1, False, 2).shape
    (2,)
    """
    return value if keepdim and ndim else jnp.squeeze(value, axis)
