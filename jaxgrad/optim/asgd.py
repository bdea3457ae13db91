"""ASGD: stochastic gradient descent that also keeps the average of its iterates."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp

from jaxgrad._core.types import Array
from jaxgrad.optim._rule.arithmetic import add, decayed, mul, plus, sub
from jaxgrad.optim._rule.checks import check_at_least, check_lr
from jaxgrad.optim._rule.flags import check_flags
from jaxgrad.optim._rule.kinds import constructor
from jaxgrad.optim._rule.lift import lift
from jaxgrad.optim._rule.optimizer import Optimizer
from jaxgrad.optim._rule.rule import Constants, Scalars


class ASGDState(NamedTuple):
    """The average of one parameter; ``eta`` and ``mu`` stand beside ``step`` in the group."""

    ax: Array


def _init(param: Array, hyperparams: dict[str, Any]) -> ASGDState:
    del hyperparams
    return ASGDState(jnp.zeros_like(param))


def _scalars(*, lr: Any, **others: Any) -> dict[str, Any]:
    del others
    return {"eta": lr, "mu": 1.0}


def _host(scalars: Scalars, h: dict[str, Any], keep: Callable[[Array], Array]) -> tuple[Constants, Scalars]:
    lr, t = h["lr"], scalars["step"]
    eta = jnp.where(t == 1, keep(lr), scalars["eta"])  # torch makes the state at the first step, with the lr of then
    return {
        "decay": 1 - h["lambd"] * eta,
        "minus_eta": -eta,
        "mu": scalars["mu"],
        "weight_decay": h["weight_decay"],
    }, {
        "eta": keep(lr / (1 + h["lambd"] * lr * t) ** h["alpha"]),
        "mu": keep(1 / jnp.maximum(1, t - h["t0"])),
    }


def _validate(*, lr: Any, lambd: Any, alpha: Any, t0: Any, weight_decay: Any, maximize: bool) -> None:
    del lambd, alpha, t0, maximize
    check_lr(lr)
    check_at_least("Invalid weight_decay value", weight_decay)


@lift(called="ASGD", init=_init, host=_host, scalars=_scalars, validate=_validate)
def _asgd(param: Array, grad: Array, state: ASGDState, c: Constants) -> tuple[Array, ASGDState]:
    grad = decayed(grad, param, c["weight_decay"])
    param = add(mul(param, c["decay"]), grad, c["minus_eta"])
    towards = plus(state.ax, mul(sub(param, state.ax), c["mu"]))
    return param, ASGDState(jnp.where(c["mu"] == 1, param, towards))


@constructor
def ASGD(
    lr: Any = 1e-2,
    lambd: Any = 1e-4,
    alpha: Any = 0.75,
    t0: Any = 1e6,
    weight_decay: Any = 0,
    foreach: bool | None = None,
    maximize: bool = False,
    differentiable: bool = False,
    capturable: bool = False,
    *,
    param_groups: Sequence[dict[str, Any]] | None = None,
) -> Optimizer:
    """Mirror of ``torch.optim.ASGD``.

        g <- g + weight_decay * p
        p <- (1 - lambd * eta) * p - eta * g
        a <- a + mu * (p - a)                       (a <- p while mu is 1)
        eta <- lr / (1 + lambd * lr * t)**alpha,    mu <- 1 / max(1, t - t0)

    The average is ``state.state[name].ax``. optax has no counterpart. A new lr acts from the step after next on, since
    eta is computed at the end of a step, as in torch. Where that divides by zero or overflows, torch raises Python's
    error in the middle of its step; here eta is then infinite or nan.

    Args:
        lr: learning rate.
        lambd: decay term.
        alpha: power of the decay of eta.
        t0: step at which averaging starts.
        weight_decay: L2 penalty, added to the gradient.
        foreach, differentiable, capturable: choose no number (see ``jaxgrad.optim``).
        maximize: go up instead of down.
        param_groups: groups with options of their own (see ``jaxgrad.optim.groups``).

    Raises:
        ValueError: "Invalid learning rate: -1", "Invalid weight_decay value: -1".

    >>> from jaxgrad import optim
    >>> tx = ASGD(lr=0.1, lambd=0.0)
    >>> params = {"w": jnp.ones(1)}
    >>> params, state = optim.step(tx, params, {"w": jnp.full(1, 0.5)}, tx.init(params))
    >>> round(params["w"].item(), 6), round(state.state["w"].ax.item(), 6)
    (0.95, 0.95)

    Source: Polyak and Juditsky, Acceleration of stochastic approximation by averaging, 1992.
    """
    flags = {"foreach": foreach, "capturable": capturable, "differentiable": differentiable}
    check_flags(flags)
    return _asgd(
        {"lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay},
        {"maximize": maximize},
        param_groups,
        flags,
    )
