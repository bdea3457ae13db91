"""A vector of one number a channel spread over all positions; its derivative is summed as exactly as torch's is."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.shapes import along
from jaxgrad._core.types import Array


@partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def over_positions(vector: Array, axis: int, shape: tuple[int, ...]) -> Array:
    """``vector`` along one axis, repeated along the others; one number is repeated along all.

    Transposed, it is a sum over positions. XLA's CPU compiler adds one after the other what it is told to add in one
    go, thousands of terms for an image, where torch adds in a cascade; here it is told to add axis by axis.

    >>> over_positions(jnp.array([1.0, 2.0]), 1, (1, 2, 3)).tolist()
    [[[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]]]
    """
    return jnp.broadcast_to(_laid(vector, axis, shape), shape)


@over_positions.defjvp
def _spread_jvp(axis: int, shape: tuple[int, ...], primals: Any, tangents: Any) -> tuple[Array, Array]:
    (vector,), (tangent,) = primals, tangents
    moved = _laid(tangent, axis, shape)
    for each in range(len(shape)):  # transposed, the last axis is summed first, along memory: else 100 times slower
        if moved.shape[each] != shape[each]:
            wider = (*moved.shape[:each], shape[each], *moved.shape[each + 1 :])
            moved = jax.lax.optimization_barrier(jnp.broadcast_to(moved, wider))  # or two sums become one again
    return over_positions(vector, axis, shape), moved


def _laid(vector: Array, axis: int, shape: tuple[int, ...]) -> Array:
    return along(vector, axis, len(shape)) if vector.size != 1 else vector.reshape((1,) * len(shape))
