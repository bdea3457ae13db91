"""Losses as modules, what they share: a reduction, and weights that are buffers."""

from collections.abc import Callable
from typing import Any, ClassVar

import jax.numpy as jnp

from jaxgrad._core.types import Array
from jaxgrad.nn.functional.loss.reduction import resolve_reduction
from jaxgrad.nn.modules.module import Module
from jaxgrad.nn.parameter import Buffer


class Loss(Module):
    """Base of a loss: keeps the reduction, also when it is said in the two words that torch has deprecated.

    Args:
        size_average: deprecated in torch; see ``reduction``.
        reduce: deprecated in torch; see ``reduction``.
        reduction: 'none', 'mean' or 'sum'; looked at when the loss is called.

    >>> Loss().reduction
    'mean'

    Source: torch/nn/modules/loss.py, ``_Loss``.
    """

    _function: ClassVar[Callable[..., Array]]

    def __init__(self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"):
        if size_average is not None or reduce is not None:
            reduction = resolve_reduction(reduction, size_average, reduce)
        self.reduction = reduction

    def forward(self, *args: Any, **kwargs: Any) -> Array:
        """Input and target, in shapes as the function of the same name takes them."""
        return type(self)._function(*args, reduction=self.reduction, **kwargs)


class WeightedLoss(Loss):
    """Base of a loss with a weight for each class, or for each element.

    Args:
        weight: an array, which becomes a buffer, or None.
        size_average: deprecated in torch; see ``reduction``.
        reduce: deprecated in torch; see ``reduction``.
        reduction: 'none', 'mean' or 'sum'.

    >>> WeightedLoss().weight is None
    True

    Source: torch/nn/modules/loss.py, ``_WeightedLoss``.
    """

    def __init__(
        self,
        weight: Array | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ):
        super().__init__(size_average, reduce, reduction)
        self.weight = as_buffer(weight)

    def forward(self, *args: Any, **kwargs: Any) -> Array:
        """Input and target, in shapes as the function of the same name takes them."""
        return type(self)._function(*args, weight=value_of(self.weight), reduction=self.reduction, **kwargs)


def as_buffer(value: Any) -> Buffer | None:
    """A buffer that holds the array, or None."""
    return None if value is None else Buffer(jnp.asarray(value))


def value_of(buffer: Buffer | None) -> Array | None:
    """The array that a buffer holds, or None."""
    if buffer is None:
        return None
    value: Array = buffer.get_value()
    return value
