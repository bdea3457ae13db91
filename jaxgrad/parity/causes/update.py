"""One parameter's update in double precision, in torch's formula and with the switches that turn it into another one.

The undeviated formulas are those of ``jaxgrad.optim`` (a test holds them together). They stand here once more, in
numpy, because a cause needs them with one thing wrong, at numbers that are fitted, without compiling anything.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from jaxgrad.parity.causes.context import Array

State = dict[str, Any]
Options = Mapping[str, Any]
Update = Callable[[Array, Array, State, int, Options], tuple[Array, State]]
"""``(parameter, gradient, state, t from 1, options) -> (parameter, state)``; no state is an empty dict."""


def adam(p: Array, g: Array, state: State, t: int, h: Options) -> tuple[Array, State]:
    """Adam and AdamW. Switches: ``decay`` (l2, decoupled, without lr, none), ``bias_correction`` (double, float32,
    none), ``eps_place`` (outside, inside, before correction), ``max_order`` (before, after correction)."""
    lr, (beta1, beta2), eps = h["lr"], h["betas"], h["eps"]
    p, g = decayed(p, g, h, default="l2")
    m = beta1 * state.get("exp_avg", 0.0) + (1 - beta1) * g
    v = beta2 * state.get("exp_avg_sq", 0.0) + (1 - beta2) * g * g
    state = {"step": t, "exp_avg": m, "exp_avg_sq": v} | {k: x for k, x in state.items() if k.startswith("max")}
    c1, c2 = _corrections(beta1, beta2, t, h.get("bias_correction", "double"))
    second = v
    if h.get("amsgrad"):
        after = h.get("max_order") == "after"
        second = np.maximum(state.get("max_exp_avg_sq", 0.0), v / c2 if after else v)
        state["max_exp_avg_sq"] = second
        c2 = 1.0 if after else c2
    place = h.get("eps_place", "outside")
    if place == "inside":
        denominator = np.sqrt(second / c2 + eps)
    elif place == "before correction":
        denominator = (np.sqrt(second) + eps) / np.sqrt(c2)
    else:
        denominator = np.sqrt(second) / np.sqrt(c2) + eps
    return p - lr / c1 * m / denominator, state


def _corrections(beta1: float, beta2: float, t: int, how: str) -> tuple[float, float]:
    if how == "none":
        return 1.0, 1.0
    if how == "float32":
        one, power = np.float32(1), np.float32(t)
        return float(one - np.float32(beta1) ** power), float(one - np.float32(beta2) ** power)
    return 1 - beta1**t, 1 - beta2**t


def decayed(p: Array, g: Array, h: Options, default: str) -> tuple[Array, Array]:
    """Parameter and gradient with the weight decay in one of them, by the switch ``decay``; and ``maximize``."""
    rate = h.get("weight_decay", 0.0)
    how = h.get("decay", "decoupled" if h.get("decoupled_weight_decay") else default)
    g = -g if h.get("maximize") else g
    if how == "none" or rate == 0:
        return p, g
    if how == "l2":
        return p, g + rate * p
    return p * (1 - (rate if how == "without lr" else h["lr"] * rate)), g


def sgd(p: Array, g: Array, state: State, t: int, h: Options) -> tuple[Array, State]:
    """SGD. Switches: ``decay``; ``convention`` of the momentum (torch, lr inside, average), ``first`` (undampened,
    dampened)."""
    lr, momentum, dampening = h["lr"], h.get("momentum", 0.0), h.get("dampening", 0.0)
    p, g = decayed(p, g, h, default="l2")
    if momentum == 0:
        return p - lr * g, {}
    convention = h.get("convention", "torch")
    scale = 1 - dampening
    if convention == "average":
        scale = 1 - momentum
    first = state.get("momentum_buffer") is None
    if convention == "lr inside":
        buffer = momentum * (0.0 if first else state["momentum_buffer"]) + lr * g
        step = lr * g + momentum * buffer if h.get("nesterov") else buffer
        return p - step, {"momentum_buffer": buffer}
    if first:
        undampened = convention == "torch" and h.get("first", "undampened") == "undampened"
        buffer = g if undampened else scale * g
    else:
        buffer = momentum * state["momentum_buffer"] + scale * g
    return p - lr * (g + momentum * buffer if h.get("nesterov") else buffer), {"momentum_buffer": buffer}


def rmsprop(p: Array, g: Array, state: State, t: int, h: Options) -> tuple[Array, State]:
    """RMSprop. Switches: ``decay``, ``eps_place`` (outside, inside), ``convention`` (torch, lr inside),
    ``bias_correction`` (none, double), ``initial`` of the mean square."""
    lr, alpha, eps, momentum = h["lr"], h["alpha"], h["eps"], h.get("momentum", 0.0)
    p, g = decayed(p, g, h, default="l2")
    v = alpha * state.get("square_avg", h.get("initial", 0.0)) + (1 - alpha) * g * g
    new: State = {"step": t, "square_avg": v}
    if h.get("centered"):
        new["grad_avg"] = alpha * state.get("grad_avg", 0.0) + (1 - alpha) * g
        v = v - new["grad_avg"] ** 2
    if h.get("bias_correction") == "double":
        v = v / (1 - alpha**t)
    step = g / (np.sqrt(v + eps) if h.get("eps_place") == "inside" else np.sqrt(v) + eps)
    if momentum > 0:
        inside = h.get("convention") == "lr inside"
        new["momentum_buffer"] = momentum * state.get("momentum_buffer", 0.0) + (lr * step if inside else step)
        return p - (1 if inside else lr) * new["momentum_buffer"], new
    return p - lr * step, new


def adagrad(p: Array, g: Array, state: State, t: int, h: Options) -> tuple[Array, State]:
    """Adagrad. Switches: ``decay``, ``eps_place`` (outside, inside)."""
    p, g = decayed(p, g, h, default="l2")
    total = state.get("sum", h.get("initial_accumulator_value", 0.0)) + g * g
    eps = h.get("eps", 1e-10)
    root = np.sqrt(total + eps) if h.get("eps_place") == "inside" else np.sqrt(total) + eps
    return p - h["lr"] / (1 + (t - 1) * h.get("lr_decay", 0.0)) * g / root, {"step": t, "sum": total}


def adamw(p: Array, g: Array, state: State, t: int, h: Options) -> tuple[Array, State]:
    """AdamW: ``adam``, decoupled."""
    return adam(p, g, state, t, {"decoupled_weight_decay": True} | dict(h))


def rprop(p: Array, g: Array, state: State, t: int, h: Options) -> tuple[Array, State]:
    """Rprop. Switch: ``late``, each update is applied one step late unless the sign has turned (optax)."""
    g = -g if h.get("maximize") else g
    (smaller, larger), (least, most) = h["etas"], h["step_sizes"]
    turn = g * state.get("prev", 0.0)
    factor = np.where(turn > 0, larger, np.where(turn < 0, smaller, 1.0))
    size = np.clip(state.get("step_size", h["lr"]) * factor, least, most)
    g = np.where(turn < 0, 0.0, g)
    now = -np.sign(g) * size
    applied = np.where(turn < 0, 0.0, state.get("now", 0.0)) if h.get("late") else now
    return p + applied, {"step": t, "prev": g, "step_size": size, "now": now}


UPDATES: Mapping[str, Update] = {
    "SGD": sgd,
    "Adam": adam,
    "AdamW": adamw,
    "RMSprop": rmsprop,
    "Adagrad": adagrad,
    "Rprop": rprop,
}
"""By the name of torch's optimizer."""
