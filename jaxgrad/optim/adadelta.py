"""Adadelta: steps in the parameter's own units, from running mean squares of gradient and step."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp

from jaxgrad._core.types import Array
from jaxgrad.optim._rule.arithmetic import add, addcmul, decayed, div, mul, plus, sqrt
from jaxgrad.optim._rule.checks import check, check_at_least, check_lr
from jaxgrad.optim._rule.flags import check_flags
from jaxgrad.optim._rule.kinds import constructor
from jaxgrad.optim._rule.lift import lift
from jaxgrad.optim._rule.optimizer import Optimizer
from jaxgrad.optim._rule.rule import Constants, Scalars


class AdadeltaState(NamedTuple):
    """The running mean squares of one parameter's gradient and of its steps."""

    square_avg: Array
    acc_delta: Array


def _init(param: Array, hyperparams: dict[str, Any]) -> AdadeltaState:
    del hyperparams
    return AdadeltaState(jnp.zeros_like(param), jnp.zeros_like(param))


def _host(scalars: Scalars, h: dict[str, Any]) -> tuple[Constants, Scalars]:
    del scalars
    return {
        "minus_lr": -h["lr"],
        "rho": h["rho"],
        "one_minus_rho": 1 - h["rho"],
        "eps": h["eps"],
        "weight_decay": h["weight_decay"],
    }, {}


def _validate(*, lr: Any, rho: Any, eps: Any, weight_decay: Any, maximize: bool) -> None:
    del maximize
    check_lr(lr)
    check(lambda: 0.0 <= rho <= 1.0, f"Invalid rho value: {rho}", rho, expected="a number in [0, 1]")
    check_at_least("Invalid epsilon value", eps)
    check_at_least("Invalid weight_decay value", weight_decay)


@lift(called="Adadelta", init=_init, host=_host, validate=_validate)
def _adadelta(param: Array, grad: Array, state: AdadeltaState, c: Constants) -> tuple[Array, AdadeltaState]:
    # acc_delta reads it when the parameter is overwritten already: computed anew it would take a copy of the parameter
    grad = decayed(grad, param, c["weight_decay"], stored=True)
    square_avg = addcmul(mul(state.square_avg, c["rho"]), grad, grad, c["one_minus_rho"])
    std = sqrt(plus(square_avg, c["eps"]))
    delta = mul(div(sqrt(plus(state.acc_delta, c["eps"])), std), grad)
    acc_delta = addcmul(mul(state.acc_delta, c["rho"]), delta, delta, c["one_minus_rho"])
    return add(param, delta, c["minus_lr"]), AdadeltaState(square_avg, acc_delta)


@constructor
def Adadelta(
    lr: Any = 1.0,
    rho: Any = 0.9,
    eps: Any = 1e-6,
    weight_decay: Any = 0,
    foreach: bool | None = None,
    *,
    capturable: bool = False,
    maximize: bool = False,
    differentiable: bool = False,
    param_groups: Sequence[dict[str, Any]] | None = None,
) -> Optimizer:
    """Mirror of ``torch.optim.Adadelta``.

        g <- g + weight_decay * p
        v <- rho * v + (1 - rho) * g**2
        d <- sqrt(u + eps) / sqrt(v + eps) * g
        u <- rho * u + (1 - rho) * d**2
        p <- p - lr * d

    Differs from ``optax.adadelta`` in the defaults only (lr 1.0 here).

    Args:
        lr: factor on the step.
        rho: decay of the running mean squares.
        eps: added inside both roots.
        weight_decay: L2 penalty, added to the gradient.
        foreach, capturable, differentiable: choose no number (see ``jaxgrad.optim``).
        maximize: go up instead of down.
        param_groups: groups with options of their own (see ``jaxgrad.optim.groups``).

    Raises:
        ValueError: "Invalid learning rate: -1", "Invalid rho value: 1.1", "Invalid epsilon value: -1",
            "Invalid weight_decay value: -1".

    >>> from jaxgrad import optim
    >>> tx = Adadelta()
    >>> params = {"w": jnp.ones(1)}
    >>> params, state = optim.step(tx, params, {"w": jnp.full(1, 0.5)}, tx.init(params))
    >>> round(params["w"].item(), 5), round(state.state["w"].square_avg.item(), 6)
    (0.99684, 0.025)

    Source: Zeiler, ADADELTA: an adaptive learning rate method, 2012.
    """
    flags = {"foreach": foreach, "capturable": capturable, "differentiable": differentiable}
    check_flags(flags)
    return _adadelta(
        {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay},
        {"maximize": maximize},
        param_groups,
        flags,
    )
