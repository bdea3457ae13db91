"""What a train step is made of, for whoever looks inside it."""

from dataclasses import dataclass

from jaxgrad.train.loss import Loss
from jaxgrad.train.update import Update


@dataclass(frozen=True)
class Parts:
    """The two halves of a step, and how the first one is run.

    Attributes:
        loss: the loss function and what it names.
        update: what comes after the backward.
        accumulate: how many micro-batches.
        reduction: what is made of their losses.
    """

    loss: Loss
    update: Update
    accumulate: int
    reduction: str
