"""The trial of all rules: the one that leaves least is the cause, if it leaves little enough."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxgrad.parity.causes.context import Context
from jaxgrad.parity.causes.replay import RIGHT, replay
from jaxgrad.parity.causes.rule import Prediction, Rule
from jaxgrad.parity.causes.weigh import UNITS, Weight, weigh
from jaxgrad.parity.report.parts import Cause

AS_GOOD = 3.0
"""What leaves no more than this many times as much as the best (or half a last place, if more) is as good."""


SECONDS = 60.0
"""No rule is begun after this time."""

EXACT = 1e-9
"""So does what leaves no more than this part of the divergence: in double precision, that is all of it."""


_AGAIN = ("clipped", "lr", "optimizer", "params")
"""Phases of a step in which what is wrong is wrong in the next step too."""


_CHANGING = frozenset({"another_lr"})
"""Rules whose constant may be another at every step: a learning rate falls, a limit or a decay does not."""


class Candidate(NamedTuple):
    """One explanation that convinces; simpler are those that fit fewer numbers, then those of earlier rules."""

    fitted: int
    order: int
    rule: Rule
    prediction: Prediction
    weight: Weight


def tried(context: Context, rules: Sequence[Rule]) -> Cause | None:
    """The cause of the first divergence, found by applying each known deviation to the reference's values.

    Args:
        context: the recordings and where they part.
        rules: the deviations to try, the simpler ones first.

    Returns:
        The simplest of those that leave as little as the best; None if none explains it.
    """
    with np.errstate(all="ignore"):
        return _tried(context, rules)


def _tried(context: Context, rules: Sequence[Rule]) -> Cause | None:
    found = list(_convincing(context, rules))
    if not found:
        return None
    least = min(max(each.weight.remaining, each.weight.rounding / (2 * UNITS)) for each in found)
    good = [each for each in found if each.weight.remaining <= max(AS_GOOD * least, EXACT * each.weight.divergence)]
    good = [each for each in _lasting(context, good) if not _contradicted(context, each)]
    if not good:
        return None
    best = min(good, key=lambda each: (each.fitted, each.order, each.weight.remaining))
    return _cause(context, best, [each for each in good if each.rule.name != best.rule.name])


def _lasting(context: Context, found: list[Candidate]) -> list[Candidate]:
    """Those that explain the next step too, from what the candidate had by then; the first step of an Adam, say, cannot
    tell one constant from another. Where none does, a learning rate may have changed; other fitted constants have
    nothing to choose between them."""
    if len({each.rule.name for each in found}) < 2 or context.phase not in _AGAIN:
        return found
    later = context.later()
    if later is None:
        return found
    lasting = [each for each in found if _holds(later, each)]
    lasting = lasting or [each for each in found if each.rule.name in _CHANGING and _holds(later, each, changed=True)]
    return lasting or [each for each in found if not each.fitted or replay(later, RIGHT) is None]


def _holds(later: Context, candidate: Candidate, changed: bool = False) -> bool:
    for prediction in candidate.rule.predictions(later):
        weight = weigh(later, prediction)
        lasts = changed or _same(prediction.parameters, candidate.prediction.parameters)
        if weight is not None and weight.convinces(0) and lasts:
            return True
    return False


def _contradicted(context: Context, candidate: Candidate) -> bool:
    """Whether a constant that was fitted to one step has, whatever its value, no part in what the next one made."""
    later = context.later() if candidate.fitted and context.phase in _AGAIN else None
    if later is None or replay(later, RIGHT) is None:
        return False
    weights = [weigh(later, prediction) for prediction in candidate.rule.predictions(later)]
    known = [weight for weight in weights if weight is not None]
    if any(weight.convinces(0) for weight in known):
        return False
    return not known or any(weight.divergence > weight.rounding for weight in known)


def _same(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    numbers = (int, float)
    return a.keys() == b.keys() and all(
        abs(a[key] - b[key]) <= 1e-3 * abs(a[key]) if isinstance(a[key], numbers) else a[key] == b[key] for key in a
    )


def _convincing(context: Context, rules: Sequence[Rule]) -> Iterator[Candidate]:
    began = time.monotonic()
    for order, rule in enumerate(rules):
        if context.phase not in rule.phases or time.monotonic() - began > SECONDS:
            continue
        for prediction in rule.predictions(context):
            weight = weigh(context, prediction)
            if weight is not None and weight.convinces(prediction.fitted):
                yield Candidate(prediction.fitted, order, rule, prediction, weight)


def _cause(context: Context, best: Candidate, others: list[Candidate]) -> Cause:
    sentence = best.prediction.sentence or best.rule.sentence
    if others:
        also = sorted({each.rule.name.replace("_", " ") for each in others})
        sentence += f" (these numbers fit as well: {', '.join(also)})"
    parameters: dict[str, Any] = dict(best.prediction.parameters)
    return Cause(
        name=best.rule.name,
        sentence=sentence,
        remaining=best.weight.remaining,
        explained=best.weight.explained,
        tensor=context.tensor,
        parameters=parameters,
        reference_source=context.divergence.reference_source,
    )
