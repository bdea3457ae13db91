"""The learning rate of another step: read late or early, or a schedule off by one."""

from collections.abc import Iterator, Mapping

import numpy as np

from jaxgrad.parity.causes.context import Context
from jaxgrad.parity.causes.replay import Deviation, predicted
from jaxgrad.parity.causes.rule import Prediction, Rule, rule


def _shifted(by: int) -> Deviation:
    def lr(lrs: Mapping[int, float], step: int) -> float:
        return lrs.get(max(step + by, 0), lrs[step])

    return Deviation(lr=lr)


def _rule(name: str, sentence: str, by: int) -> Rule:
    @rule(name, sentence, "lr", "params", "optimizer")
    def predictions(context: Context) -> Iterator[Prediction]:
        if context.phase != "lr":
            yield from predicted(context, _shifted(by), sentence=sentence, steps=by)
            return
        found = context.right("lr", max(context.step + by, 0))
        if found:
            yield Prediction({name: found[name] for name in context.shared if name in found}, {"steps": by})

    return predictions


schedule_late = _rule("schedule_late", "the learning rate is that of the step before", -1)
schedule_early = _rule("schedule_early", "the learning rate is that of the step after", 1)


@rule("schedule_starts_at_zero", "the first learning rate is 0", "lr", "params")
def schedule_starts_at_zero(context: Context) -> Iterator[Prediction]:
    """A warm-up that counts from 0 where the reference's counts from 1."""
    if context.step != 0:
        return
    if context.phase == "lr":
        yield Prediction({name: np.zeros_like(context.right("lr")[name]) for name in context.shared}, {"lr": 0.0})
    else:
        yield from predicted(context, Deviation(lr=lambda lrs, step: 0.0), lr=0.0)


@rule("schedule_missing", "the learning rate is that of the first step still", "lr", "params", "optimizer")
def schedule_missing(context: Context) -> Iterator[Prediction]:
    """The schedule does not move."""
    if context.phase == "lr":
        start = context.right("lr", 0)
        yield Prediction({name: start[name] for name in context.shared if name in start}, {"lr": "constant"})
    else:
        yield from predicted(context, Deviation(lr=lambda lrs, step: lrs.get(0, lrs[step])), lr="constant")


@rule("lr_factor", "the learning rate is another constant times the reference's", "lr")
def lr_factor(context: Context) -> Iterator[Prediction]:
    """One factor from the first step on."""
    if context.step > 0:
        return
    ratios = [
        float(np.ravel(context.wrong("lr", step)[context.tensor])[0]) / float(np.ravel(right)[0])
        for step in context.steps
        if (right := context.right("lr", step).get(context.tensor)) is not None
        and context.tensor in context.wrong("lr", step)
        and float(np.ravel(right)[0])
        and step >= context.step
    ]
    if ratios and np.allclose(ratios, ratios[0], rtol=1e-5) and ratios[0] > 0:
        factor = float(f"{ratios[0]:.6g}")
        sentence = f"the learning rate is {factor:g} times the reference's"
        values = {name: context.right("lr")[name] * ratios[0] for name in context.shared}
        yield Prediction(values, {"factor": factor}, sentence)
