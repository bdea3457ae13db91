"""Dropout by another mask, with another rate or scale, or none."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from jaxgrad.parity.causes.again import remade, with_arguments
from jaxgrad.parity.causes.context import Array, Context, wide
from jaxgrad.parity.causes.layers import layer, path_of
from jaxgrad.parity.causes.rule import Prediction, rule

ANY = ("forward", "loss", "grads", "params")
RATES = (0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9)
DROPOUT = ("input", "p", "training")


def _unscaled(torch: Any, function: Any, args: Any, kwargs: Any) -> Any:
    bound = {"p": 0.5, **dict(zip(DROPOUT, args, strict=False)), **kwargs}
    return function(*args, **kwargs) * (1 - bound["p"])


def _p(context: Context) -> float | None:
    module = context.meta.get("modules", {}).get(path_of(context.tensor), {})
    if not str(module.get("class", "")).startswith("Dropout"):
        return None
    return float(module.get("options", {}).get("p", 0.5))


def _pair(context: Context) -> tuple[Array, Array, float] | None:
    p = _p(context)
    right, wrong = context.right("forward").get(context.tensor), context.wrong("forward").get(context.tensor)
    if p is None or right is None or wrong is None or np.shape(right) != np.shape(wrong) or not 0 < p < 1:
        return None
    return wide(right), wide(wrong), p


@rule("dropout_scale", "what dropout keeps is not divided by 1 - p", *ANY)
def dropout_scale(context: Context) -> Iterator[Prediction]:
    """The same mask."""
    yield from remade(context, {"dropout": _unscaled}, factor="1 - p")
    pair = _pair(context)
    if pair is not None:
        right, _, p = pair
        yield Prediction({context.tensor: right * (1 - p)}, {"factor": 1 - p})
        yield Prediction(
            {context.tensor: right * (1 - p) / p}, {"rate": 1 - p}, "dropout divides by p instead of 1 - p"
        )


@rule("dropout_off", "nothing is dropped", *ANY)
def dropout_off(context: Context) -> Iterator[Prediction]:
    """As in evaluation; the input itself comes out."""
    yield from remade(context, {"dropout": lambda torch, function, args, kwargs: args[0]}, training=False)
    found = layer(context)
    if found is not None and found.kind.startswith("Dropout"):
        yield Prediction({context.tensor: found.x}, {"training": False})


@rule("another_dropout_rate", "dropout has another rate", *ANY)
def another_dropout_rate(context: Context) -> Iterator[Prediction]:
    """The same stream; among others the probability to keep for that to drop."""
    for rate in RATES:
        change = with_arguments(DROPOUT, p=rate)
        yield from remade(context, {"dropout": change}, sentence=f"the rate of dropout is {rate}", p=rate)


@rule("another_mask", "dropout drew another mask", "forward")
def another_mask(context: Context) -> Iterator[Prediction]:
    """What both kept is equal, and the zeros stand elsewhere: another draw of the stream, or another seed."""
    pair = _pair(context)
    if pair is None:
        return
    right, wrong, p = pair
    found = layer(context)
    both = (right != 0) & (wrong != 0)
    dropped = float(np.mean(wrong == 0))
    if found is not None:
        kept = found.x / (1 - p)
    elif np.sum(both) >= 4 and abs(dropped - p) < 5 * np.sqrt(p * (1 - p) / wrong.size):
        kept = np.where(right != 0, right, wrong)
    else:
        return
    yield Prediction({context.tensor: np.where(wrong != 0, kept, 0.0)}, {"dropped": round(dropped, 4), "p": p})
