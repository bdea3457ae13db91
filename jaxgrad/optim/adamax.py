"""Adamax: Adam with the largest recent gradient in the place of the root mean square."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp

from jaxgrad._core.types import Array
from jaxgrad.optim._rule.arithmetic import addcdiv, decayed, lerp, mul, plus
from jaxgrad.optim._rule.checks import check_at_least, check_betas, check_lr
from jaxgrad.optim._rule.flags import check_flags
from jaxgrad.optim._rule.kinds import as_tuple, constructor
from jaxgrad.optim._rule.lift import lift
from jaxgrad.optim._rule.optimizer import Optimizer
from jaxgrad.optim._rule.rule import Constants, Scalars


class AdamaxState(NamedTuple):
    """The running mean and the decaying maximum of one parameter's gradient."""

    exp_avg: Array
    exp_inf: Array


def _init(param: Array, hyperparams: dict[str, Any]) -> AdamaxState:
    del hyperparams
    return AdamaxState(jnp.zeros_like(param), jnp.zeros_like(param))


def _host(scalars: Scalars, h: dict[str, Any]) -> tuple[Constants, Scalars]:
    beta1, beta2 = h["betas"]
    return {
        "one_minus_beta1": 1 - beta1,
        "beta2": beta2,
        "minus_step_size": -(h["lr"] / (1 - beta1 ** scalars["step"])),
        "eps": h["eps"],
        "weight_decay": h["weight_decay"],
    }, {}


def _validate(*, lr: Any, betas: Any, eps: Any, weight_decay: Any, maximize: bool) -> None:
    del maximize
    check_lr(lr)
    check_at_least("Invalid epsilon value", eps)
    check_betas(betas)
    check_at_least("Invalid weight_decay value", weight_decay)


@lift(called="Adamax", init=_init, host=_host, validate=_validate)
def _adamax(param: Array, grad: Array, state: AdamaxState, c: Constants) -> tuple[Array, AdamaxState]:
    grad = decayed(grad, param, c["weight_decay"])
    exp_avg = lerp(state.exp_avg, grad, c["one_minus_beta1"])
    exp_inf = jnp.maximum(mul(state.exp_inf, c["beta2"]), plus(jnp.abs(grad), c["eps"]))
    return addcdiv(param, exp_avg, exp_inf, c["minus_step_size"]), AdamaxState(exp_avg, exp_inf)


@constructor
def Adamax(
    lr: Any = 2e-3,
    betas: tuple[Any, Any] = (0.9, 0.999),
    eps: Any = 1e-8,
    weight_decay: Any = 0,
    foreach: bool | None = None,
    *,
    maximize: bool = False,
    differentiable: bool = False,
    capturable: bool = False,
    param_groups: Sequence[dict[str, Any]] | None = None,
) -> Optimizer:
    """Mirror of ``torch.optim.Adamax``.

        g <- g + weight_decay * p
        m <- beta1 * m + (1 - beta1) * g
        u <- max(beta2 * u, |g| + eps)
        p <- p - lr / (1 - beta1**t) * m / u

    Differs from ``optax.adamax``: the bias correction has float32's full accuracy; t counts each parameter's steps.

    Args:
        lr: learning rate.
        betas: decay of the running mean and of the maximum.
        eps: added to the size of the gradient.
        weight_decay: L2 penalty, added to the gradient.
        foreach, differentiable, capturable: choose no number (see ``jaxgrad.optim``).
        maximize: go up instead of down.
        param_groups: groups with options of their own (see ``jaxgrad.optim.groups``).

    Raises:
        ValueError: "Invalid learning rate: -1", "Invalid epsilon value: -1", "Invalid weight_decay value: -1",
            "Invalid beta parameter at index 0: 1.0".

    >>> from jaxgrad import optim
    >>> tx = Adamax(lr=0.1)
    >>> params = {"w": jnp.ones(1)}
    >>> params, state = optim.step(tx, params, {"w": jnp.full(1, 0.5)}, tx.init(params))
    >>> round(params["w"].item(), 6), state.state["w"].exp_inf.item()
    (0.9, 0.5)

    Source: Kingma and Ba, Adam: a method for stochastic optimization, 2015, section 7.1.
    """
    flags = {"foreach": foreach, "capturable": capturable, "differentiable": differentiable}
    check_flags(flags)
    return _adamax(
        {"lr": lr, "betas": as_tuple(betas, "betas", "Adamax", 2), "eps": eps, "weight_decay": weight_decay},
        {"maximize": maximize},
        param_groups,
        flags,
    )
