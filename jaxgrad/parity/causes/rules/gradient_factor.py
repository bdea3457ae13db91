"""All gradients times one number: mean for sum, a loss scale, a sign; the loss with them where it shows there first."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from jaxgrad.parity.causes.context import Array, Context, Tensors, wide
from jaxgrad.parity.causes.fit import fit
from jaxgrad.parity.causes.replay import Deviation, parameter_of, predicted, replay, switched
from jaxgrad.parity.causes.rule import Prediction, rule


def times(factor: float) -> Deviation:
    """The step with all gradients times a number."""

    def gradients(context: Context, step: int) -> Tensors:
        return {name: factor * wide(value) for name, value in context.right("grads", step).items()}

    return Deviation(gradients=gradients)


def counts(context: Context) -> Mapping[str, int]:
    """The numbers that a sum or mean can be over, by what they count."""
    found: dict[str, int] = {}
    micro = int(context.meta.get("accumulate") or 1)
    if micro > 1:
        found["micro-batches"] = micro
    for name, value in context.right("inputs").items():
        shape = np.shape(value)[1:] if micro > 1 else np.shape(value)
        if shape:
            found.setdefault("examples", shape[0])
            found.setdefault(f"elements of input {name}", int(np.prod(shape)))
            if micro > 1:
                found.setdefault("examples of all micro-batches", micro * shape[0])
    output = context.right("forward").get("model")
    if output is not None:
        found.setdefault("elements of the output", int(np.size(output)))
        found.setdefault("rows of the output", int(np.prod(np.shape(output)[:-1])))
        found.setdefault("columns of the output", int(np.shape(output)[-1]) if np.ndim(output) else 1)
    return {what: count for what, count in found.items() if count > 1}


def _scaled(context: Context, by: float, sentence: str, **parameters: Any) -> Iterator[Prediction]:
    if context.phase == "loss":
        loss = {name: by * wide(context.right("loss")[name]) for name in context.shared}
        yield Prediction(loss, parameters, sentence)
    else:
        yield from predicted(context, times(by), sentence=sentence, **parameters)


@rule("accumulation_factor", "the gradients of the micro-batches are summed for averaged", "loss", "grads", "params")
def accumulation_factor(context: Context) -> Iterator[Prediction]:
    """K or 1/K (optax's MultiSteps averages, ``.grad`` sums)."""
    count = counts(context).get("micro-batches")
    if count:
        for factor, sentence in (
            (count, f"the {count} micro-batches are summed instead of averaged"),
            (1 / count, f"the {count} micro-batches are averaged instead of summed"),
        ):
            yield from _scaled(context, factor, sentence, factor=factor, micro_batches=count)


@rule("loss_reduction", "the loss is a sum instead of a mean", "loss", "grads", "params")
def loss_reduction(context: Context) -> Iterator[Prediction]:
    """A sum for a mean over examples or elements, or the reverse."""
    for what, count in counts(context).items():
        if what != "micro-batches":
            yield from _scaled(context, count, f"the loss is a sum over the {count} {what}, not a mean", factor=count)
            yield from _scaled(
                context, 1 / count, f"the loss is a mean over the {count} {what}, not a sum", factor=1 / count
            )


@rule("sign", "the gradients have the other sign", "grads", "params")
def sign(context: Context) -> Iterator[Prediction]:
    """Up instead of down."""
    flag = bool(context.group(parameter_of(context, context.tensor)).get("maximize"))
    yield from predicted(context, switched(maximize=not flag), sentence="the update goes the other way", factor=-1)
    yield from predicted(context, times(-1.0), factor=-1)


@rule("loss_scale_left", "the loss scale was not taken out of the gradients", "grads", "params")
def loss_scale_left(context: Context) -> Iterator[Prediction]:
    """A power of two, from 2**7."""
    for power in range(7, 25):
        yield from predicted(
            context, times(2.0**power), sentence=f"a loss scale of 2**{power} was not taken out", factor=2.0**power
        )


@rule("constant_factor", "all gradients are multiplied by a constant", "grads", "params")
def constant_factor(context: Context) -> Iterator[Prediction]:
    """Fitted."""
    if context.phase == "grads":
        factor = _projected(context)
    else:
        factor = fit(context, lambda value: replay(context, times(value)), [10.0**n for n in range(-6, 7)])
    if factor is not None and factor != 1:
        sentence = f"all gradients are multiplied by {factor:.6g}"
        yield from predicted(context, times(factor), sentence=sentence, fitted=1, factor=float(f"{factor:.6g}"))


def _projected(context: Context) -> float | None:
    right, wrong = context.right("grads"), context.wrong("grads")
    a: Array = np.concatenate([np.ravel(wide(right[name])) for name in context.shared] or [np.zeros(0)])
    b: Array = np.concatenate([np.ravel(wide(wrong[name])) for name in context.shared] or [np.zeros(0)])
    square = float(a @ a)
    return float(a @ b) / square if square else None
