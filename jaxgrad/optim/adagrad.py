"""Adagrad: the gradient over the root of the sum of all its squares."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgrad._core.types import Array
from jaxgrad.optim._rule.arithmetic import addcdiv, addcmul, decayed, plus, sqrt
from jaxgrad.optim._rule.checks import check_at_least, check_lr
from jaxgrad.optim._rule.flags import check_flags
from jaxgrad.optim._rule.kinds import constructor
from jaxgrad.optim._rule.lift import lift
from jaxgrad.optim._rule.optimizer import Optimizer
from jaxgrad.optim._rule.rule import Constants, Scalars


class AdagradState(NamedTuple):
    """The sum of squares of one parameter's gradient."""

    sum: Array


def _init(param: Array, hyperparams: dict[str, Any]) -> AdagradState:
    start = jnp.asarray(hyperparams["initial_accumulator_value"], param.real.dtype)
    if jnp.iscomplexobj(param):
        start = jax.lax.complex(start, start)
    return AdagradState(jnp.full_like(param, start))


def _host(scalars: Scalars, h: dict[str, Any]) -> tuple[Constants, Scalars]:
    return {
        "minus_lr": -(h["lr"] / (1 + (scalars["step"] - 1) * h["lr_decay"])),
        "eps": h["eps"],
        "weight_decay": h["weight_decay"],
    }, {}


def _validate(
    *, lr: Any, lr_decay: Any, weight_decay: Any, initial_accumulator_value: Any, eps: Any, maximize: bool
) -> None:
    del maximize
    check_lr(lr)
    check_at_least("Invalid lr_decay value", lr_decay)
    check_at_least("Invalid weight_decay value", weight_decay)
    check_at_least("Invalid initial_accumulator_value value", initial_accumulator_value)
    check_at_least("Invalid epsilon value", eps)


@lift(called="Adagrad", init=_init, host=_host, validate=_validate, starts_at_once=True)
def _adagrad(param: Array, grad: Array, state: AdagradState, c: Constants) -> tuple[Array, AdagradState]:
    grad = decayed(grad, param, c["weight_decay"])
    total = addcmul(state.sum, grad, grad, 1)
    return addcdiv(param, grad, plus(sqrt(total), c["eps"]), c["minus_lr"]), AdagradState(total)


@constructor
def Adagrad(
    lr: Any = 1e-2,
    lr_decay: Any = 0,
    weight_decay: Any = 0,
    initial_accumulator_value: Any = 0,
    eps: Any = 1e-10,
    foreach: bool | None = None,
    *,
    maximize: bool = False,
    differentiable: bool = False,
    fused: bool | None = None,
    param_groups: Sequence[dict[str, Any]] | None = None,
) -> Optimizer:
    """Mirror of ``torch.optim.Adagrad``.

        g <- g + weight_decay * p
        s <- s + g**2
        p <- p - lr / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + eps)

    Differs from ``optax.adagrad``: the sum starts at 0 (optax 0.1), eps stands outside the root, lr decays.

    Args:
        lr: learning rate.
        lr_decay: decay of lr with the parameter's own steps.
        weight_decay: L2 penalty, added to the gradient.
        initial_accumulator_value: where the sum starts; read once, in ``init``.
        eps: added outside the root.
        foreach, differentiable, fused: choose no number (see ``jaxgrad.optim``).
        maximize: go up instead of down.
        param_groups: groups with options of their own (see ``jaxgrad.optim.groups``).

    Raises:
        ValueError: "Invalid learning rate: -1", "Invalid lr_decay value: -1", "Invalid weight_decay value: -1",
            "Invalid initial_accumulator_value value: -1", "Invalid epsilon value: -1".

    >>> from jaxgrad import optim
    >>> tx = Adagrad(lr=0.1)
    >>> params = {"w": jnp.ones(1)}
    >>> params, state = optim.step(tx, params, {"w": jnp.full(1, 0.5)}, tx.init(params))
    >>> round(params["w"].item(), 6), state.state["w"].sum.item()
    (0.9, 0.25)

    Source: Duchi, Hazan, Singer, Adaptive subgradient methods for online learning and stochastic optimization, 2011.
    """
    flags = {"foreach": foreach, "fused": fused, "differentiable": differentiable}
    check_flags(flags)
    return _adagrad(
        {
            "lr": lr,
            "lr_decay": lr_decay,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "eps": eps,
        },
        {"maximize": maximize},
        param_groups,
        flags,
    )
