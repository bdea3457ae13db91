"""The dtype of a model."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.dtypes import as_dtype, keep_dtype
from jaxgrad._core.errors import describe, explain
from jaxgrad._core.trees import key_order, map_keeping_none, with_key_order
from jaxgrad._core.types import ArrayTree


def cast(params: ArrayTree, dtype: Any) -> ArrayTree:
    """Parameters or buffers in another dtype, as ``model.to(dtype)``: floating point and complex arrays, no others.

    Args:
        params: a tree of arrays; None stays None, integers (``num_batches_tracked``) and booleans keep their dtype.
        dtype: floating point or complex.

    Returns:
        The tree, its dicts in the order they had.

    Raises:
        TypeError: ``nn.Module.to only accepts floating point or complex dtypes, but got desired dtype=...``; a
            complex array, whose imaginary part would be lost; float64 while JAX's 64-bit mode is off.

    >>> cast({"weight": jnp.ones(2), "steps": jnp.array(3)}, jnp.bfloat16)
    {'weight': Array([1, 1], dtype=bfloat16), 'steps': Array(3, dtype=int32, weak_type=True)}
    """
    dtype = keep_dtype(as_dtype(dtype))
    if not jnp.issubdtype(dtype, jnp.inexact):
        raise TypeError(
            f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype=torch.{dtype}"
        )

    def one(leaf: Any) -> jax.Array:
        array = jnp.asarray(leaf)
        if jnp.issubdtype(array.dtype, jnp.complexfloating) and not jnp.issubdtype(dtype, jnp.complexfloating):
            raise TypeError(
                explain("the imaginary part would be lost", got=describe(array), expected="a complex dtype")
            )
        return array.astype(dtype) if jnp.issubdtype(array.dtype, jnp.inexact) else array

    return with_key_order(key_order(params), map_keeping_none(one, params))
