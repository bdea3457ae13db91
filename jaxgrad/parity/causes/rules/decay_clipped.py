"""The decay is added before the clip instead of by the optimizer, which comes after it."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from jaxgrad.parity.causes.context import Context, Tensors, wide
from jaxgrad.parity.causes.replay import Deviation, by_norm, clip_options, predicted
from jaxgrad.parity.causes.rule import Prediction, rule


@rule("decay_clipped", "the decay is added before the clip, and is clipped with the gradient", "optimizer", "params")
def decay_clipped(context: Context) -> Iterator[Prediction]:
    """``clip(g + decay * p)`` where torch has ``clip(g) + decay * p``; with torch's 1e-6 and without."""
    groups = context.meta.get("optimizer", {}).get("groups", [])
    if "norm" not in clip_options(context) or not any(group.get("weight_decay") for group in groups):
        return
    for eps, more in ((1e-6, ""), (0.0, "; the norm has no 1e-6 either")):

        def clip(gradients: Tensors, options: Mapping[str, Any], eps: float = eps) -> Tensors:
            params = _params_of(context, gradients)
            joined = {
                name: each + float(context.group(name).get("weight_decay", 0.0)) * wide(params[name])
                for name, each in gradients.items()
                if name in params
            }
            return by_norm(joined, options, eps)

        deviation = Deviation(clip=clip, options=lambda name, right: {**right, "decay": "none"})
        yield from predicted(context, deviation, sentence=decay_clipped.sentence + more, eps=eps)


def _params_of(context: Context, gradients: Tensors) -> Tensors:
    """The parameters of the step that these gradients are of."""
    for step in context.steps:
        own = context.own("grads", step)
        if own.keys() == gradients.keys() and all(np.array_equal(wide(own[name]), gradients[name]) for name in own):
            return context.own_before("params", step, whole=True)
    return {}
