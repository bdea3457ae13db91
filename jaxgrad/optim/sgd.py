"""Stochastic gradient descent with torch's momentum, whose first step is not dampened."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp

from jaxgrad._core.types import Array
from jaxgrad.optim._rule.arithmetic import add, decayed, mul
from jaxgrad.optim._rule.checks import check, check_one_element
from jaxgrad.optim._rule.flags import check_flags
from jaxgrad.optim._rule.kinds import constructor
from jaxgrad.optim._rule.lift import lift
from jaxgrad.optim._rule.optimizer import Optimizer
from jaxgrad.optim._rule.rule import Constants, Scalars


class SGDState(NamedTuple):
    """What SGD remembers of one parameter; nothing without momentum."""

    momentum_buffer: Array | None


def _init(param: Array, hyperparams: dict[str, Any], *, nesterov: bool) -> SGDState:
    del nesterov
    return SGDState(jnp.zeros_like(param) if has_momentum(hyperparams["momentum"]) else None)


def has_momentum(momentum: Any) -> bool:
    """Whether momentum is or may become other than 0: a number that is 0 needs no buffer."""
    return not (isinstance(momentum, (int, float)) and momentum == 0)


def _host(scalars: Scalars, h: dict[str, Any]) -> tuple[Constants, Scalars]:
    return {
        "first": scalars["step"] == 1,
        "minus_lr": -h["lr"],
        "momentum": h["momentum"],
        "one_minus_dampening": 1 - h["dampening"],
        "weight_decay": h["weight_decay"],
    }, {}


def _validate(*, lr: Any, momentum: Any, dampening: Any, weight_decay: Any, nesterov: bool, maximize: bool) -> None:
    del maximize
    check_one_element("lr", lr)
    check(lambda: not lr < 0, f"Invalid learning rate: {lr}", lr, expected="a number >= 0")  # nan passes, as in torch
    check(lambda: not momentum < 0, f"Invalid momentum value: {momentum}", momentum)
    check(lambda: not weight_decay < 0, f"Invalid weight_decay value: {weight_decay}", weight_decay)
    if nesterov:
        check(
            lambda: not (momentum <= 0 or dampening != 0),
            "Nesterov momentum requires a momentum and zero dampening",
            momentum,
            dampening,
        )


@lift(called="SGD", init=_init, host=_host, counts_steps=False, validate=_validate)
def _sgd(param: Array, grad: Array, state: SGDState, c: Constants, *, nesterov: bool) -> tuple[Array, SGDState]:
    grad = decayed(grad, param, c["weight_decay"])
    buf = state.momentum_buffer
    if buf is not None:
        moved = jnp.where(c["first"] != 0, grad, add(mul(buf, c["momentum"]), grad, c["one_minus_dampening"]))
        on = c["momentum"] != 0
        buf = jnp.where(on, moved, buf)
        grad = jnp.where(on, add(grad, buf, c["momentum"]) if nesterov else buf, grad)
    return add(param, grad, c["minus_lr"]), SGDState(buf)


@constructor
def SGD(
    lr: Any = 1e-3,
    momentum: Any = 0,
    dampening: Any = 0,
    weight_decay: Any = 0,
    nesterov: bool = False,
    *,
    maximize: bool = False,
    foreach: bool | None = None,
    differentiable: bool = False,
    fused: bool | None = None,
    param_groups: Sequence[dict[str, Any]] | None = None,
) -> Optimizer:
    """Mirror of ``torch.optim.SGD``.

        g <- g + weight_decay * p
        b <- g at the first step, else momentum * b + (1 - dampening) * g
        p <- p - lr * (g + momentum * b if nesterov else b)

    Differs from ``optax.sgd``: dampening exists and spares the first step; lr is applied after the momentum, so a
    schedule acts as in torch. Without momentum there is no buffer, and momentum cannot be switched on later.

    Args:
        lr: learning rate.
        momentum: momentum factor; 0 at construction keeps no buffer.
        dampening: what momentum takes from the gradient.
        weight_decay: L2 penalty, added to the gradient.
        nesterov: look ahead by one momentum step.
        maximize: go up instead of down.
        foreach, differentiable, fused: choose no number (see ``jaxgrad.optim``).
        param_groups: groups with options of their own (see ``jaxgrad.optim.groups``).

    Raises:
        ValueError: "Invalid learning rate: -1", "Invalid momentum value: -1", "Invalid weight_decay value: -1",
            "Nesterov momentum requires a momentum and zero dampening".

    >>> from jaxgrad import optim
    >>> tx = SGD(lr=0.1, momentum=0.9, dampening=0.5)
    >>> params = {"w": jnp.ones(1)}
    >>> state = tx.init(params)
    >>> for _ in range(2):
    ...     params, state = optim.step(tx, params, {"w": jnp.ones(1)}, state)
    >>> round(state.state["w"].momentum_buffer.item(), 6)
    1.4

    Source: Sutskever, Martens, Dahl, Hinton, On the importance of initialization and momentum in deep learning, 2013.
    """
    flags = {"foreach": foreach, "fused": fused, "differentiable": differentiable}
    check_flags(flags)
    return _sgd(
        {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay},
        {"nesterov": nesterov, "maximize": maximize},
        param_groups,
        flags,
    )
