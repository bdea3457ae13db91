"""Weight decay in the gradient (L2) for decoupled decay, and the reverse; without lr; or not for all parameters."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from jaxgrad.parity.causes.context import Context
from jaxgrad.parity.causes.fit import DECAYS, fit
from jaxgrad.parity.causes.replay import Deviation, parameter_of, predicted, replay, switched
from jaxgrad.parity.causes.rule import Prediction, rule

DECOUPLED = {"AdamW"}


def _decoupled(context: Context) -> bool:
    group = context.group(parameter_of(context, context.tensor))
    return context.optimizer in DECOUPLED or bool(group.get("decoupled_weight_decay"))


@rule("l2_for_decoupled_decay", "weight decay is in the gradient (L2) instead of decoupled", "params", "optimizer")
def l2_for_decoupled_decay(context: Context) -> Iterator[Prediction]:
    """``g + weight_decay * p`` goes through the moments."""
    if _decoupled(context):
        yield from predicted(context, switched(decay="l2"), decay="L2 in the gradient")


@rule("decoupled_for_l2_decay", "weight decay is decoupled instead of in the gradient (L2)", "params", "optimizer")
def decoupled_for_l2_decay(context: Context) -> Iterator[Prediction]:
    """``p * (1 - lr * weight_decay)`` beside the update."""
    if not _decoupled(context):
        yield from predicted(context, switched(decay="decoupled"), decay="decoupled")


@rule("decoupled_decay_added", "a decoupled weight decay is there that the reference does not have", "params")
def decoupled_decay_added(context: Context) -> Iterator[Prediction]:
    """``p * (1 - lr * weight_decay)`` with a fitted decay: Adam ported as AdamW, whose decay in optax is 1e-4."""
    groups = context.meta.get("optimizer", {}).get("groups", [])
    if _decoupled(context) or any(group.get("weight_decay") for group in groups):
        return

    def decaying(rate: float) -> Deviation:
        return switched(decay="decoupled", weight_decay=rate)

    found = fit(context, lambda rate: replay(context, decaying(rate)), DECAYS)
    if found:
        sentence = f"the weights decay by {found:g} (decoupled), and in the reference not at all"
        yield from predicted(context, decaying(found), sentence=sentence, fitted=1, weight_decay=found)


@rule("decay_without_lr", "decoupled weight decay is not multiplied by lr", "params")
def decay_without_lr(context: Context) -> Iterator[Prediction]:
    """``p * (1 - weight_decay)``."""
    yield from predicted(context, switched(decay="without lr"), decay="not multiplied by lr")


@rule("decay_missing", "weight decay is missing", "params", "optimizer")
def decay_missing(context: Context) -> Iterator[Prediction]:
    """For all parameters, for vectors (biases, norms), or for biases alone."""
    yield from predicted(context, switched(decay="none"), decay="none")


@rule("decay_of_some", "weight decay is for other parameters", "params", "optimizer")
def decay_of_some(context: Context) -> Iterator[Prediction]:
    """The usual masks of ports, which torch's optimizer does not have by itself."""
    dims = {name: np.ndim(value) for name, value in context.reference.before(context.step, "params").items()}
    masks: dict[str, Callable[[str], bool]] = {
        "parameters of one dimension (biases and norms)": lambda name: dims.get(name, 0) <= 1,
        "biases": lambda name: name.rpartition(".")[2].startswith("bias"),
    }
    groups = context.meta.get("optimizer", {}).get("groups", [])
    if len({group.get("weight_decay") for group in groups}) > 1:
        most = max(group.get("weight_decay", 0.0) for group in groups)
        sentence = "all parameters decay, also those of the group without decay"
        yield from predicted(context, switched(weight_decay=most), sentence=sentence, left_out="none")
    for which, left_out in masks.items():
        sentence = f"weight decay is left out for {which}"
        yield from predicted(context, _without(left_out), sentence=sentence, left_out=which)


def _without(left_out: Callable[[str], bool]) -> Deviation:
    def options(name: str, right: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**right, "decay": "none"} if left_out(name) else right

    return Deviation(options=options)
