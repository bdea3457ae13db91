"""Parameters that move and should not, that do not move and should; None taken for a gradient of 0."""

from collections.abc import Iterator

import numpy as np

from jaxgrad.parity.causes.context import Context, wide
from jaxgrad.parity.causes.replay import Deviation, predicted
from jaxgrad.parity.causes.rule import Prediction, rule


def _still(context: Context, name: str) -> bool:
    start, end = context.before("params").get(name), context.right("params").get(name)
    return start is not None and end is not None and np.array_equal(start, end)


@rule("frozen_parameter_moves", "a parameter without a gradient in the reference has one here", "grads", "params")
def frozen_parameter_moves(context: Context) -> Iterator[Prediction]:
    """Its gradient is there, or it moves, or decays, where the reference leaves it alone."""
    name = context.tensor
    if context.phase == "grads":
        if context.divergence.kind == "extra" and name in context.wrong("grads"):
            gradient = context.wrong("grads")[name]
            base = {name: np.zeros_like(wide(gradient))}
            yield Prediction({name: gradient}, {"parameter": name}, f"`{name}` is frozen in the reference", base=base)
        return
    moving = [
        each
        for each in context.shared
        if each not in context.right("grads") and _still(context, each) and not _unmoved(context, each)
    ]
    if name in moving:
        right, wrong = context.right("params"), context.wrong("params")
        values = {each: wrong[each] if each in moving else right[each] for each in context.shared}
        sentence = f"`{name}` is frozen in the reference and moves here"
        yield Prediction(values, {"parameters": sorted(moving)}, sentence)


@rule("zero_for_none", "a gradient of None is taken for 0, so that momentum and decay go on", "grads", "params")
def zero_for_none(context: Context) -> Iterator[Prediction]:
    """torch skips a parameter whose ``.grad`` is None, and its state with it."""

    if context.tensor in context.right("grads"):
        return
    if context.phase == "grads":
        found = context.wrong("grads").get(context.tensor)
        if found is not None and not np.any(found):
            yield Prediction({context.tensor: found}, {"gradient": 0.0}, base={context.tensor: np.ones_like(found)})
    else:
        yield from predicted(context, Deviation(none_is_zero=True), gradient="0 for None")


@rule("parameter_does_not_move", "a parameter that the reference trains stays as it was", "grads", "params")
def parameter_does_not_move(context: Context) -> Iterator[Prediction]:
    """No gradient (or one of 0), or no update."""
    name = context.tensor
    if context.phase == "params":
        moved = [each for each in context.shared if _unmoved(context, each) and not _still(context, each)]
        if name in moved:
            start = context.own_before("params", context.step)
            sentence = "no parameter moves" if len(moved) == len(context.shared) > 1 else f"`{name}` does not move"
            yield Prediction({each: start[each] for each in moved}, {"parameters": sorted(moved)}, sentence)
    elif context.divergence.kind == "missing":
        gone = [each for each in context.right("grads") if each not in context.wrong("grads")]
        sentence = f"`{name}` has no gradient"
        yield Prediction({each: None for each in gone}, {"parameters": sorted(gone)}, sentence)
    elif name in context.shared and not np.any(context.wrong("grads")[name]):
        zero = [each for each in context.shared if not np.any(context.wrong("grads")[each])]
        if len(zero) == len(context.shared) > 1:
            return  # nothing is stopped, there is no gradient yet
        right = context.right("grads")
        sentence = f"the gradient of `{name}` is 0 (stopped on the way)"
        values = {each: np.zeros_like(wide(right[each])) for each in zero}
        yield Prediction(values, {"parameters": sorted(zero)}, sentence)


def _unmoved(context: Context, name: str) -> bool:
    start = context.own_before("params", context.step).get(name)
    end = context.wrong("params").get(name)
    return start is not None and end is not None and np.array_equal(start, end)
