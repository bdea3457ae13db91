"""Loss, gradients and clipping done wrong."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tests.parity.faults.fault import ONE, Fault, chosen, exactly
from tests.parity.faults.port import Parts

# the loss


def loss(F: Any, **options: Any) -> Callable[[Any, Any], Any]:
    return lambda out, y: F.cross_entropy(out.reshape(-1, out.shape[-1]), y.reshape(-1), **options)


LOSSES = [
    Fault("a sum", "loss", "loss_reduction", Parts(criterion=partial(loss, reduction="sum")), "loss"),
    Fault("smoothed labels", "loss", "label_smoothing", Parts(criterion=partial(loss, label_smoothing=0.1)), "loss"),
    Fault(
        "half of it", "loss", "half_the_square", Parts(criterion=lambda F: lambda out, y: 0.5 * loss(F)(out, y)), "loss"
    ),
]


def element_off(grads: Any, memory: Any, params: Any) -> Any:
    name = chosen(grads)
    found = np.array(grads[name])
    found.flat[np.argmax(np.abs(found))] *= found.dtype.type(1.001)
    return {**grads, name: found}


def times(factor: float) -> Callable[[Any, Any, Any], Any]:
    return lambda grads, memory, params: {name: g * g.dtype.type(factor) for name, g in grads.items()}


def never_zeroed(grads: Any, memory: Any, params: Any) -> Any:
    for name, g in grads.items():
        memory[name] = memory.get(name, 0) + g
    return {name: memory[name] for name in grads}


def with_penalty(grads: Any, memory: Any, params: Any) -> Any:
    return {name: g + g.dtype.type(0.02) * params[name] for name, g in grads.items()}


def stopped(grads: Any, memory: Any, params: Any) -> Any:
    return {**grads, chosen(grads): np.zeros_like(grads[chosen(grads)])}


def gone(grads: Any, memory: Any, params: Any) -> Any:
    return {name: g for name, g in grads.items() if name != chosen(grads)}


def late(grads: Any, memory: Any, params: Any) -> Any:
    before = memory.get("last", {name: np.zeros_like(g) for name, g in grads.items()})
    memory["last"] = grads
    return before


GRADIENTS = [
    Fault("one element of a gradient 0.1 % off", "grads", None, Parts(grads=element_off), exactly(ONE)),
    Fault("gradients times 3.7", "grads", "constant_factor", Parts(grads=times(3.7))),
    Fault(
        "gradients times the batch", "grads", "loss_reduction", Parts(grads=times(10.0)), models=("mlp", "cnn", "lstm")
    ),
    Fault("the other sign", "grads", "sign", Parts(grads=times(-1.0))),
    Fault("a loss scale left in", "grads", "loss_scale_left", Parts(grads=times(1024.0))),
    Fault("never zeroed", "grads", "zero_grad_missing", Parts(grads=never_zeroed), step=1),
    Fault("a penalty in the loss", "grads", "penalty_in_loss", Parts(grads=with_penalty)),
    Fault("a stopped gradient", "grads", "parameter_does_not_move", Parts(grads=stopped), exactly(ONE)),
    Fault("a gradient that is not there", "grads", "parameter_does_not_move", Parts(grads=gone), exactly(ONE)),
    Fault("one step late", "grads", "one_step_late", Parts(grads=late)),
]


# clipping

CLIP = {"clip": 0.05}


def clip_none(grads: Any, limit: float) -> Any:
    return grads


def clip_exactly(grads: Any, limit: float) -> Any:
    total = np.sqrt(sum(np.sum(np.square(np.float64(g))) for g in grads.values()))
    return {name: g * g.dtype.type(min(1.0, limit / total)) for name, g in grads.items()}


def clip_values(grads: Any, limit: float) -> Any:
    return {name: np.clip(g, -limit, limit) for name, g in grads.items()}


def clip_each(grads: Any, limit: float) -> Any:
    return {n: g * g.dtype.type(min(1.0, limit / (np.linalg.norm(np.float64(g)) + 1e-6))) for n, g in grads.items()}


def clip_largest(grads: Any, limit: float) -> Any:
    total = max(np.max(np.abs(np.float64(g))) for g in grads.values())
    return {name: g * g.dtype.type(min(1.0, limit / (total + 1e-6))) for name, g in grads.items()}


def clip_twice_as_far(grads: Any, limit: float) -> Any:
    return clip_exactly(grads, 2 * limit * (1 - 1e-7))


CLIPS = [
    Fault("no clip", "clipped", "clip_missing", Parts(clip=clip_none), setting=CLIP),
    Fault("clip without 1e-6", "clipped", "clip_without_eps", Parts(clip=clip_exactly), setting=CLIP),
    Fault("clip by value", "clipped", "clip_by_value_or_norm", Parts(clip=clip_values), setting=CLIP),
    Fault("clip of each tensor", "clipped", "clip_each_tensor", Parts(clip=clip_each), setting=CLIP),
    Fault("clip by the largest", "clipped", "clip_another_norm", Parts(clip=clip_largest), setting=CLIP),
    Fault("clip at twice the norm", "clipped", "clip_another_limit", Parts(clip=clip_twice_as_far), setting=CLIP),
]
