"""The further members of Adam's family, and Adadelta, as in ``update``."""

from collections.abc import Mapping

import numpy as np

from jaxgrad.parity.causes.context import Array
from jaxgrad.parity.causes.update import Options, State, Update, decayed


def nadam(p: Array, g: Array, state: State, t: int, h: Options) -> tuple[Array, State]:
    """NAdam. Switches: ``decay``; ``momentum_schedule`` (torch, none: beta1 itself, as in optax)."""
    lr, (beta1, beta2), eps = h["lr"], h["betas"], h["eps"]
    p, g = decayed(p, g, h, default="l2")
    m = beta1 * state.get("exp_avg", 0.0) + (1 - beta1) * g
    v = beta2 * state.get("exp_avg_sq", 0.0) + (1 - beta2) * g * g
    mu, after = (
        beta1 * (1 - 0.5 * 0.96 ** (step * h["momentum_decay"])) if h.get("momentum_schedule") != "none" else beta1
        for step in (t, t + 1)
    )
    product = float(np.ravel(state.get("mu_product", 1.0))[0]) * mu
    root = np.sqrt(v / (1 - beta2**t)) + eps
    p = p - lr * (1 - mu) / (1 - product) * g / root - lr * after / (1 - product * after) * m / root
    return p, {"step": t, "exp_avg": m, "exp_avg_sq": v, "mu_product": product}


def radam(p: Array, g: Array, state: State, t: int, h: Options) -> tuple[Array, State]:
    """RAdam. Switches: ``decay``; ``eps_place`` (torch: before the bias correction; behind: as in optax)."""
    lr, (beta1, beta2), eps = h["lr"], h["betas"], h["eps"]
    p, g = decayed(p, g, h, default="l2")
    m = beta1 * state.get("exp_avg", 0.0) + (1 - beta1) * g
    v = beta2 * state.get("exp_avg_sq", 0.0) + (1 - beta2) * g * g
    corrected, c2 = m / (1 - beta1**t), 1 - beta2**t
    rho_inf = 2 / (1 - beta2) - 1
    rho = rho_inf - 2 * t * beta2**t / c2
    step = corrected
    if rho > 5:
        rectified = np.sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
        behind = h.get("eps_place") == "behind"
        step = corrected * rectified / (np.sqrt(v / c2) + eps if behind else (np.sqrt(v) + eps) / np.sqrt(c2))
    return p - lr * step, {"step": t, "exp_avg": m, "exp_avg_sq": v}


def adamax(p: Array, g: Array, state: State, t: int, h: Options) -> tuple[Array, State]:
    """Adamax. Switch: ``decay``."""
    (beta1, beta2), eps = h["betas"], h["eps"]
    p, g = decayed(p, g, h, default="l2")
    m = beta1 * state.get("exp_avg", 0.0) + (1 - beta1) * g
    largest = np.maximum(beta2 * state.get("exp_inf", 0.0), np.abs(g) + eps)
    return p - h["lr"] / (1 - beta1**t) * m / largest, {"step": t, "exp_avg": m, "exp_inf": largest}


def adadelta(p: Array, g: Array, state: State, t: int, h: Options) -> tuple[Array, State]:
    """Adadelta. Switch: ``decay``."""
    rho, eps = h["rho"], h["eps"]
    p, g = decayed(p, g, h, default="l2")
    v = rho * state.get("square_avg", 0.0) + (1 - rho) * g * g
    delta = np.sqrt(state.get("acc_delta", 0.0) + eps) / np.sqrt(v + eps) * g
    moved = rho * state.get("acc_delta", 0.0) + (1 - rho) * delta * delta
    return p - h["lr"] * delta, {"step": t, "square_avg": v, "acc_delta": moved}


OTHERS: Mapping[str, Update] = {"NAdam": nadam, "RAdam": radam, "Adamax": adamax, "Adadelta": adadelta}
"""By the name of torch's optimizer."""
