"""One number for all parameter groups or a list with one per group, and tables of such numbers."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.errors import explain

Number = Any
"""A Python float, or an array where the base lr is one (``vmap`` over learning rates)."""


def lookup(table: Sequence[Number], count: jax.Array) -> jax.Array:
    """``table[count]`` for a traced count, nan outside of the table."""
    if any(isinstance(value, jax.Array) for value in table):
        values = jnp.stack([jnp.asarray(value, float) for value in (*table, np.nan)])
    else:
        values = jnp.asarray(np.asarray([*table, np.nan]), float)
    inside = (count >= 0) & (count < len(table))
    return values[jnp.where(inside, count, len(table))]


def normalize_lr(lr: Any) -> Any:
    """The base lr as a float, a tuple of floats (one per group), or the array that was given.

    Raises:
        TypeError: neither a number nor a list of numbers.
    """
    if isinstance(lr, (list, tuple)) and lr and not hasattr(lr, "_fields"):  # an optimizer is a tuple too
        return tuple(_number(each) for each in lr)
    return _number(lr)


def as_groups(lr: Any) -> tuple[Number, ...]:
    """A normalized base lr as one number per group."""
    return lr if isinstance(lr, tuple) else (lr,)


def per_group(name: str, value: Any, groups: int) -> tuple[Any, ...]:
    """A number for all groups, or a list with one per group, as a tuple (torch's ``_format_param``).

    Raises:
        ValueError: the list has another length than the groups.
    """
    if not isinstance(value, (list, tuple)):
        return (value,) * groups
    if len(value) != groups:
        raise ValueError(
            f"{name} must have the same length as optimizer.param_groups. "
            f"{name} has {len(value)} values, param_groups has {groups}."
        )
    return tuple(value)


def as_host_numbers(tree: Any) -> Any:
    """numpy's numbers, as a checkpoint gives them back, as Python's."""
    return jax.tree.map(lambda x: x.item() if isinstance(x, (np.ndarray, np.generic)) and np.ndim(x) == 0 else x, tree)


def _number(value: Any) -> Number:
    if isinstance(value, jax.Array) and value.ndim == 0:
        return value
    if isinstance(value, (int, float, np.number)) or (
        isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype.kind in "fiub"
    ):
        return float(value)
    shown = repr(value)
    raise TypeError(
        explain(
            f"{type(value).__name__} is not a learning rate",
            got=shown if len(shown) <= 60 else f"{shown[:57]}...",
            expected="a number, or a list of numbers with one per parameter group",
            remedy="the first argument stands where torch has the optimizer: the lr that its groups were made with",
        )
    )
