"""Losses by another convention: half the square, smoothed labels, ignored targets in the mean."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from jaxgrad.parity.causes.again import called, remade, with_arguments
from jaxgrad.parity.causes.context import Array, Context, wide
from jaxgrad.parity.causes.rule import Prediction, rule

CROSS_ENTROPY = ("input", "target", "weight", "size_average", "ignore_index", "reduce", "reduction", "label_smoothing")
SMOOTHINGS = (0.1, 0.05, 0.2, 0.01, 0.15, 0.3)


def _pair(context: Context) -> tuple[Array, Array] | None:
    """Logits (rows, classes) and targets (rows) of a classification; None if the batch does not look like one."""
    output = context.right("forward").get("model")
    targets = [value for value in context.right("inputs").values() if np.asarray(value).dtype.kind in "iu"]
    for target in reversed(targets):
        for logits in (output, None if output is None else np.moveaxis(output, 1, -1) if np.ndim(output) > 2 else None):
            if logits is not None and logits.shape[:-1] == target.shape:
                return wide(logits).reshape(-1, logits.shape[-1]), target.reshape(-1)
    return None


def _cross_entropy(logits: Array, target: Array, smoothing: float = 0.0, over_all: bool = False) -> float:
    shifted = logits - logits.max(-1, keepdims=True)
    log = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    seen = target >= 0
    picked = log[np.arange(len(target)), np.where(seen, target, 0)]
    each = -(1 - smoothing) * picked - smoothing * log.mean(-1)
    return float(each[seen].sum() / (len(target) if over_all else max(int(seen.sum()), 1)))


@rule("half_the_square", "the loss has a factor of 1/2", "loss", "grads", "params")
def half_the_square(context: Context) -> Iterator[Prediction]:
    """``(x - y)**2 / 2`` (optax's l2_loss) where torch's mse_loss has no half, or the reverse."""
    if context.phase == "loss":
        right = {name: wide(context.right("loss")[name]) for name in context.shared}
        yield Prediction({name: value / 2 for name, value in right.items()}, {"factor": 0.5})
        yield Prediction(
            {name: value * 2 for name, value in right.items()}, {"factor": 2}, "the loss is twice as large"
        )


@rule("label_smoothing", "labels are smoothed on one side only", "loss", "grads", "params")
def label_smoothing(context: Context) -> Iterator[Prediction]:
    """The candidate's loss is a plain cross entropy and the reference's is not; or smoothed by a usual number."""
    for smoothing in (0.0, *SMOOTHINGS):
        change = with_arguments(CROSS_ENTROPY, label_smoothing=smoothing)
        sentence = f"labels are smoothed by {smoothing}" if smoothing else "labels are not smoothed"
        yield from remade(context, {"cross_entropy": change}, sentence=sentence, label_smoothing=smoothing)
    pair = _pair(context)
    if pair is None or context.phase != "loss" or "cross_entropy" in called(context):
        return
    plain = _cross_entropy(*pair)
    right = float(np.ravel(wide(context.right("loss")[context.tensor]))[0])
    if abs(plain - right) > 1e-4 * abs(right):
        sentence = "the loss is a plain cross entropy (no label smoothing, no class weights)"
        yield Prediction({context.tensor: np.asarray(plain)}, {"label_smoothing": 0.0}, sentence)
        return
    for smoothing in SMOOTHINGS:
        value = np.asarray(_cross_entropy(*pair, smoothing))
        yield Prediction({context.tensor: value}, {"label_smoothing": smoothing}, f"labels are smoothed by {smoothing}")


def over_all(*, weighted: bool) -> Callable[..., Any]:
    """The cross entropy as a mean over all examples; only of one with class weights, or of one without."""

    def change(torch: Any, function: Any, args: Any, kwargs: Any) -> Any:
        bound = {**dict(zip(CROSS_ENTROPY, args, strict=False)), **kwargs, "reduction": "none"}
        if (bound.get("weight") is not None) != weighted:
            raise ValueError("not this one's fault")
        return function(**bound).mean()

    return change


@rule("ignored_targets_counted", "ignored targets count in the mean", "loss", "grads")
def ignored_targets_counted(context: Context) -> Iterator[Prediction]:
    """torch divides by the targets that are not ``ignore_index``."""
    yield from remade(context, {"cross_entropy": over_all(weighted=False)}, mean="over all")
    pair = _pair(context)
    if pair is not None and np.any(pair[1] < 0):
        yield Prediction({context.tensor: np.asarray(_cross_entropy(*pair, over_all=True))}, {"mean": "over all"})
