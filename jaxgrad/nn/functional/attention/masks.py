"""Masks of attention and padding, as ``MultiheadAttention`` understands them: True shuts a key out."""

import warnings
from typing import Any

import jax.numpy as jnp

from jaxgrad._core.caller import users_level
from jaxgrad._core.types import Array


def canonical_mask(mask: Any, name: str, dtype: Any, other: Any = None, other_name: str = "") -> Array | None:
    """A mask of numbers that are added to the scores: minus infinity where a boolean mask is True.

    Args:
        mask: of booleans or numbers, or None.
        name: of the argument, for torch's sentences.
        dtype: of the numbers that booleans become.
        other: a mask that should have the same dtype.
        other_name: its name.

    Raises:
        AssertionError: a mask of integers.

    >>> canonical_mask(jnp.array([False, True]), "mask", jnp.float32).tolist()
    [0.0, -inf]
    """
    if mask is None:
        return None
    mask = jnp.asarray(mask)
    if mask.dtype != jnp.bool_ and not jnp.issubdtype(mask.dtype, jnp.floating):
        raise AssertionError(f"only bool and floating types of {name} are supported")
    if other is not None and mask.dtype != jnp.asarray(other).dtype:
        warnings.warn(
            f"Support for mismatched {name} and {other_name} is deprecated. Use same type for both instead.",
            stacklevel=users_level(),
        )
    return jnp.where(mask, -jnp.inf, jnp.zeros((), dtype)).astype(dtype) if mask.dtype == jnp.bool_ else mask
