"""How well a prediction explains what the candidate got."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxgrad.parity.causes.context import Array, Context, Tensors, wide
from jaxgrad.parity.causes.rule import Prediction

LEFT = 0.01
"""The largest part of a divergence that an explanation may leave."""

LEFT_AT_ROUNDING = 0.2
"""The same, where what is left is no more than rounding."""

UNITS = 4
"""Rounding: so many units in the last place of each tensor's norm."""

EVIDENCE = 3
"""So many numbers must differ for each that is fitted, beyond it; where no more differ at all, they must fit better."""


STILL = 1e-3
"""A tensor that moves less than this part of what another moves counts as if it had moved so far: what does not move
but for rounding, as the bias before a BatchNorm, says nothing."""


@dataclass(frozen=True)
class Weight:
    """Euclidean distances over all predicted tensors, each relative to how far its tensor moved in the step.

    Args:
        divergence: of the candidate from what it would be without the deviation.
        remaining: of the candidate from the prediction.
        rounding: what rounding may leave.
        differing: how many numbers differ by more than that.
    """

    divergence: float
    remaining: float
    rounding: float
    differing: int

    @property
    def explained(self) -> float:
        """Which part of the divergence is gone, 0 to 1."""
        return max(0.0, 1.0 - self.remaining / self.divergence) if self.divergence > 0 else 0.0

    def convinces(self, fitted: int) -> bool:
        """Whether little enough is left, for as many numbers as were fitted."""
        if not np.isfinite(self.remaining) or self.divergence <= self.rounding:
            return False
        if fitted and self.differing < fitted * (1 + EVIDENCE):
            return False
        left = self.remaining / self.divergence
        if self.differing <= EVIDENCE:
            return left <= LEFT**2 or (left <= LEFT and self.remaining <= self.rounding)
        return left <= LEFT or (left <= LEFT_AT_ROUNDING and self.remaining <= self.rounding)


def weigh(context: Context, prediction: Prediction) -> Weight | None:
    """The weight of a prediction; None if it says nothing about the tensor that differs, or of another shape."""
    if context.tensor not in prediction.values:
        return None
    parts = [_weight(context, context.phase, prediction.values, prediction.base or {})]
    parts += [_weight(context, phase, values, {}) for phase, values in prediction.also.items() if values]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    return Weight(
        sum(part.divergence**2 for part in known) ** 0.5,
        sum(part.remaining**2 for part in known) ** 0.5,
        sum(part.rounding**2 for part in known) ** 0.5,
        sum(part.differing for part in known),
    )


def _weight(context: Context, phase: str, values: Mapping[str, Any], base: Tensors) -> Weight | None:
    wrong, right = context.wrong(phase), context.right(phase)
    distances = {name: moved(context, phase, name, wide(wrong[name])) for name in values if name in wrong}
    least = STILL * max(distances.values(), default=1.0)
    divergence, remaining, rounding, differing = 0.0, 0.0, 0.0, 0
    for name, value in values.items():
        if value is None and name not in wrong:  # rightly predicted to be missing
            divergence += 1.0 if name in right else 0.0
            continue
        if value is None or name not in wrong or np.shape(wrong[name]) != np.shape(value):
            return None
        mine, scale = wide(wrong[name]), max(distances[name], least)
        start = base.get(name, right.get(name))
        if start is None or np.shape(start) != mine.shape:
            start = np.zeros_like(mine)
        apart, last = finite(mine - wide(start)), UNITS * epsilon(wrong[name])
        divergence += (norm(apart) / scale) ** 2
        remaining += (norm(finite(mine - wide(value))) / scale) ** 2
        rounding += (last * norm(mine) / scale) ** 2
        differing += int(np.sum(np.abs(apart) > last * np.abs(mine)))
    return Weight(divergence**0.5, remaining**0.5, rounding**0.5, differing)


def moved(context: Context, phase: str, name: str, value: Array) -> float:
    """How far a tensor moved in this step, or its norm where it is new in each step; never 0."""
    start: Tensors = context.before(phase) if phase in ("params", "buffers", "optimizer") else {}
    right = context.right(phase).get(name)
    if name in start and right is not None and np.shape(start[name]) == value.shape == np.shape(right):
        distance = norm(wide(right) - wide(start[name]))
        if distance > 0:
            return distance
    return norm(value) or 1.0


def norm(x: Array) -> float:
    """The Euclidean norm of all numbers."""
    return float(np.sqrt(np.sum(np.abs(x) ** 2)))


def finite(x: Array) -> Array:
    """Differences, with infinity where there is none (nan)."""
    return np.where(np.isnan(x), np.inf, x)


def epsilon(array: Array) -> float:
    """One unit in the last place of 1, in the array's dtype; 0 for integers."""
    dtype = np.asarray(array).dtype
    if dtype.kind == "V" or dtype.name == "bfloat16":
        return 2.0**-7
    return float(np.finfo(dtype).eps) if dtype.kind in "fc" else 0.0
