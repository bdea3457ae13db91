"""A cosine of another length: one step less, or epochs for batches."""

from collections.abc import Iterator, Mapping

import numpy as np

from jaxgrad.parity.causes.context import Context
from jaxgrad.parity.causes.rule import Prediction, rule


@rule("schedule_length", "the cosine has another length", "lr")
def schedule_length(context: Context) -> Iterator[Prediction]:
    """``base * (1 + cos(pi * step / T)) / 2`` with another whole T, at all recorded steps; base is the first."""
    if context.meta.get("scheduler") != "CosineAnnealingLR" or context.step == 0:
        return
    right = {step: value for step in context.steps if (value := _lr(context.right("lr", step), context.tensor))}
    wrong = {step: value for step in right if (value := _lr(context.wrong("lr", step), context.tensor)) is not None}
    lengths = [_length(each, context.step) for each in (right, wrong)]
    if None in lengths or lengths[0] == lengths[1]:
        return
    whole = {step: _cosine(right[0], step, lengths[1]) for step in wrong}
    if all(abs(wrong[step] - value) <= 1e-5 * right[0] for step, value in whole.items()):
        values = {name: np.asarray(whole[context.step]) for name in context.shared}
        sentence = f"the cosine is {lengths[1]} steps long instead of {lengths[0]}"
        yield Prediction(values, {"T_max": lengths[1], "expected": lengths[0]}, sentence)  # whole, so not fitted


def _lr(tensors: Mapping[str, object], name: str) -> float | None:
    return float(np.ravel(tensors[name])[0]) if name in tensors else None  # type: ignore[call-overload]


def _length(lrs: Mapping[int, float], step: int) -> int | None:
    """The length that the learning rate of one step tells, if it is a whole number."""
    if 0 not in lrs or step not in lrs:
        return None
    angle = float(np.arccos(np.clip(2 * lrs[step] / lrs[0] - 1, -1, 1)))
    length = np.pi * step / angle if angle else 0.0
    return round(length) if length and abs(length - round(length)) < 1e-4 * length else None


def _cosine(base: float, step: int, length: int | None) -> float:
    assert length is not None
    return base * (1 + float(np.cos(np.pi * step / length))) / 2
