"""When to stop: nothing has got better for a while."""

import math
from dataclasses import dataclass
from typing import NamedTuple

from jaxgrad._core.errors import explain


class Judged(NamedTuple):
    """What early stopping remembers.

    Attributes:
        best: the best value so far, or None before the first.
        waited: for how many values it has not got better.

    >>> EarlyStopping(patience=2).step(Judged(best=0.5, waited=0), 0.6)
    Judged(best=0.5, waited=1)
    """

    best: float | None = None
    waited: int = 0


@dataclass(frozen=True)
class EarlyStopping:
    """Stop when a metric has not got better for ``patience`` epochs; a value, as a schedule is.

    Args:
        metric: of the record of an epoch: "loss", or "eval_loss" and what else the evaluation gives.
        patience: how many epochs without a better value end the run.
        min_delta: by how much better counts as better.
        mode: "min" or "max": which way is better.

    Raises:
        ValueError: a patience below 1, another mode, or a negative ``min_delta``.

    >>> stopping = EarlyStopping("accuracy", patience=2, mode="max")
    >>> judged = stopping.init()
    >>> for accuracy in (0.5, 0.7, 0.6, 0.7):
    ...     judged = stopping.step(judged, accuracy)
    >>> judged, stopping.stops(judged)
    (Judged(best=0.7, waited=2), True)
    """

    metric: str = "eval_loss"
    patience: int = 5
    min_delta: float = 0.0
    mode: str = "min"

    def __post_init__(self) -> None:
        if isinstance(self.patience, bool) or not isinstance(self.patience, int) or self.patience < 1:
            raise ValueError(explain("patience is a number of epochs", got=repr(self.patience), expected="1 or more"))
        if self.mode not in ("min", "max"):
            raise ValueError(explain(f"mode {self.mode} is unknown!", expected='"min" or "max"'))
        if not self.min_delta >= 0:
            raise ValueError(explain("min_delta is a distance", got=self.min_delta, expected="0 or more"))

    def init(self) -> Judged:
        """Before the first value."""
        return Judged()

    def step(self, judged: Judged, value: float) -> Judged:
        """After one value more; nan is never better."""
        sign = 1.0 if self.mode == "min" else -1.0
        best = math.inf if judged.best is None else sign * judged.best
        if sign * value < best - self.min_delta or (judged.best is None and not math.isnan(value)):
            return Judged(value, 0)
        return Judged(judged.best, judged.waited + 1)

    def stops(self, judged: Judged) -> bool:
        """Whether it is time."""
        return judged.waited >= self.patience
