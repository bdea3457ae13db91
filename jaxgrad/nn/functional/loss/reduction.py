"""How a loss per element becomes one number: torch's ``reduction``, and the two arguments it replaced."""

import warnings
from typing import Literal, TypeAlias

import jax.numpy as jnp

from jaxgrad._core.caller import users_level
from jaxgrad._core.errors import explain
from jaxgrad._core.types import Array

Reduction: TypeAlias = Literal["none", "mean", "sum"]


def resolve_reduction(reduction: str, size_average: bool | None = None, reduce: bool | None = None) -> str:
    """The reduction meant by torch's three arguments; the deprecated two win, with torch's warning.

    Raises:
        ValueError: ``reduction`` is none of the three words.

    >>> resolve_reduction("avg")
    Traceback (most recent call last):
        ...
    ValueError: avg is not a valid value for reduction
      got:      'avg'
      expected: 'none', 'mean' or 'sum'
    """
    if size_average is not None or reduce is not None:
        if reduce is False:
            reduction = "none"
        else:
            reduction = "sum" if size_average is False else "mean"
        warnings.warn(
            f"size_average and reduce args will be deprecated, please use reduction='{reduction}' instead.",
            UserWarning,
            stacklevel=users_level(),
        )
    return check_reduction(reduction)


def check_reduction(reduction: str) -> str:
    """The reduction, if it is one.

    Raises:
        ValueError: ``avg is not a valid value for reduction``.
    """
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(
            explain(
                f"{reduction} is not a valid value for reduction",
                got=repr(reduction),
                expected="'none', 'mean' or 'sum'",
            )
        )
    return reduction


def reduce_loss(loss: Array, reduction: str) -> Array:
    """``loss``, its mean over all elements (nan if there are none, as in torch), or its sum."""
    if reduction == "mean":
        return jnp.sum(loss) / loss.size
    return jnp.sum(loss) if reduction == "sum" else loss
