"""Axes as torch counts them: negative ones from the end, and a scalar has one axis when it is asked."""

import jax.numpy as jnp

from jaxgrad._core.types import Array


def axis_of(dim: int, ndim: int) -> int:
    """``dim`` as a non-negative axis.

    Raises:
        IndexError: torch's sentence, where there is no such axis.

    >>> axis_of(-1, 3), axis_of(0, 0)
    (2, 0)
    """
    n = ndim or 1
    if not -n <= dim < n:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})")
    return dim % n


def drop_axis(value: Array, axis: int, keepdim: bool, ndim: int) -> Array:
    """``value`` without an axis of size 1, unless it is to be kept; a scalar's axis goes in any case."""
    return value if keepdim and ndim else jnp.squeeze(value, axis)
