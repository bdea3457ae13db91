"""The recorded gradient has the weight decay in it already: a penalty in the loss."""

from collections.abc import Iterator

import numpy as np

from jaxgrad.parity.causes.context import Context, wide
from jaxgrad.parity.causes.rule import Prediction, rule


@rule("penalty_in_loss", "the gradients have an L2 penalty in them", "grads")
def penalty_in_loss(context: Context) -> Iterator[Prediction]:
    """``g + c * p`` with a fitted c."""
    params, right, wrong = context.before("params"), context.right("grads"), context.wrong("grads")
    names = [name for name in context.shared if name in params]
    if not names:
        return
    p = np.concatenate([np.ravel(wide(params[name])) for name in names])
    d = np.concatenate([np.ravel(wide(wrong[name]) - wide(right[name])) for name in names])
    if p @ p:
        rate = float(p @ d) / float(p @ p)
        values = {name: wide(right[name]) + rate * wide(params[name]) for name in names}
        sentence = f"the gradients have an L2 penalty of {rate:.4g} * p in them"
        yield Prediction(values, {"weight_decay": float(f"{rate:.6g}")}, sentence, fitted=1)
