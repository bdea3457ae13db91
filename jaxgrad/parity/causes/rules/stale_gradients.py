"""Gradients that are not this step's alone: never zeroed, or those of the step before."""

from collections.abc import Iterator

import numpy as np

from jaxgrad.parity.causes.context import Context, Tensors, wide
from jaxgrad.parity.causes.replay import Deviation, predicted, switched
from jaxgrad.parity.causes.rule import Prediction, rule


def _summed(context: Context, step: int) -> Tensors:
    total: dict[str, np.ndarray] = {}
    for each in range(step + 1):
        for name, value in context.right("grads", each).items():
            total[name] = total.get(name, 0.0) + wide(value)
    return total


def _before(context: Context, step: int) -> Tensors:
    now, last = context.right("grads", step), context.right("grads", step - 1)
    return {name: wide(last[name]) if name in last else np.zeros_like(wide(value)) for name, value in now.items()}


@rule("zero_grad_missing", "the gradients of all steps so far are summed: zero_grad is missing", "grads", "params")
def zero_grad_missing(context: Context) -> Iterator[Prediction]:
    """``.grad`` adds up. The step before the divergence must not have moved the parameters elsewhere, so the first
    divergence is at step 1."""
    if context.step > 0:
        yield from predicted(context, Deviation(gradients=_summed), gradients="summed over steps")


@rule("one_step_late", "each update is applied one step late", "grads", "params")
def one_step_late(context: Context) -> Iterator[Prediction]:
    """The gradient of the step before, nothing at first (optax's Rprop)."""
    yield from predicted(context, Deviation(gradients=_before), gradients="of the step before")
    if context.optimizer == "Rprop":
        yield from predicted(context, switched(late=True), update="of the step before")
    if context.phase == "params":
        late = {}
        for name in context.shared:
            here = context.own_before("params", context.step)[name]
            if context.step == 0:
                late[name] = wide(here)
            else:
                earlier = context.before("params", context.step - 1)
                late[name] = wide(here) + wide(context.before("params")[name]) - wide(earlier[name])
        yield Prediction(late, {"update": "of the step before"})
