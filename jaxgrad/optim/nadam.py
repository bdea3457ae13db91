"""NAdam: Adam with Nesterov's momentum, whose factor follows a schedule of its own."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp

from jaxgrad._core.types import Array
from jaxgrad.optim._rule.arithmetic import addcdiv, addcmul, decay_factor, decayed, div, lerp, mul, plus, sqrt
from jaxgrad.optim._rule.checks import check_at_least, check_betas, check_lr
from jaxgrad.optim._rule.flags import check_flags
from jaxgrad.optim._rule.kinds import as_tuple, constructor
from jaxgrad.optim._rule.lift import lift
from jaxgrad.optim._rule.optimizer import Optimizer
from jaxgrad.optim._rule.rule import Constants, Scalars


class NAdamState(NamedTuple):
    """The running moments of one parameter's gradient; ``mu_product`` stands beside ``step`` in the group."""

    exp_avg: Array
    exp_avg_sq: Array


def _init(param: Array, hyperparams: dict[str, Any], *, decoupled_weight_decay: bool) -> NAdamState:
    del hyperparams, decoupled_weight_decay
    return NAdamState(jnp.zeros_like(param), jnp.zeros_like(param))


def _scalars(**hyperparams: Any) -> dict[str, Any]:
    del hyperparams
    return {"mu_product": 1.0}


def _host(scalars: Scalars, h: dict[str, Any], keep: Callable[[Array], Array]) -> tuple[Constants, Scalars]:
    lr, (beta1, beta2), t = h["lr"], h["betas"], scalars["step"]
    mu = beta1 * (1 - 0.5 * 0.96 ** (t * h["momentum_decay"]))
    mu_next = beta1 * (1 - 0.5 * 0.96 ** ((t + 1) * h["momentum_decay"]))
    mu_product = keep(scalars["mu_product"] * keep(mu))  # torch multiplies a tensor of the default dtype
    return {
        "one_minus_beta1": 1 - beta1,
        "beta2": beta2,
        "one_minus_beta2": 1 - beta2,
        "bias_correction2": 1 - beta2**t,
        "grad_step": -lr * (1 - mu) / (1 - mu_product),
        "momentum_step": -lr * mu_next / (1 - mu_product * mu_next),
        "eps": h["eps"],
        "weight_decay": h["weight_decay"],
        "decay": decay_factor(lr, h["weight_decay"]),
    }, {"mu_product": mu_product}


def _validate(
    *,
    lr: Any,
    betas: Any,
    eps: Any,
    weight_decay: Any,
    momentum_decay: Any,
    decoupled_weight_decay: bool,
    maximize: bool,
) -> None:
    del decoupled_weight_decay, maximize
    check_lr(lr)
    check_at_least("Invalid epsilon value", eps)
    check_betas(betas)
    check_at_least("Invalid weight_decay value", weight_decay)
    check_at_least("Invalid momentum_decay value", momentum_decay)


@lift(called="NAdam", init=_init, host=_host, scalars=_scalars, validate=_validate)
def _nadam(
    param: Array, grad: Array, state: NAdamState, c: Constants, *, decoupled_weight_decay: bool
) -> tuple[Array, NAdamState]:
    if decoupled_weight_decay:
        param = mul(param, c["decay"])
    else:
        grad = decayed(grad, param, c["weight_decay"])
    exp_avg = lerp(state.exp_avg, grad, c["one_minus_beta1"])
    exp_avg_sq = addcmul(mul(state.exp_avg_sq, c["beta2"]), grad, grad, c["one_minus_beta2"])
    denom = plus(sqrt(div(exp_avg_sq, c["bias_correction2"])), c["eps"])
    param = addcdiv(param, grad, denom, c["grad_step"])
    return addcdiv(param, exp_avg, denom, c["momentum_step"]), NAdamState(exp_avg, exp_avg_sq)


@constructor
def NAdam(
    lr: Any = 2e-3,
    betas: tuple[Any, Any] = (0.9, 0.999),
    eps: Any = 1e-8,
    weight_decay: Any = 0,
    momentum_decay: Any = 4e-3,
    decoupled_weight_decay: bool = False,
    *,
    foreach: bool | None = None,
    maximize: bool = False,
    capturable: bool = False,
    differentiable: bool = False,
    param_groups: Sequence[dict[str, Any]] | None = None,
) -> Optimizer:
    """Mirror of ``torch.optim.NAdam``.

        mu_t <- beta1 * (1 - 0.96**(t * momentum_decay) / 2),    M <- M * mu_t
        m, v as in Adam
        p <- p - lr * ((1 - mu_t) / (1 - M) * g + mu_(t+1) / (1 - M * mu_(t+1)) * m) / (sqrt(v / (1 - beta2**t)) + eps)

    Differs from ``optax.nadam``: the schedule of mu_t, which no setting there reaches.

    Args:
        lr: learning rate.
        betas: decay of the running moments.
        eps: added outside the root.
        weight_decay: L2 penalty, in the gradient unless ``decoupled_weight_decay``.
        momentum_decay: how fast the momentum rises to beta1.
        decoupled_weight_decay: decay the parameter before the step, as AdamW.
        foreach, capturable, differentiable: choose no number (see ``jaxgrad.optim``).
        maximize: go up instead of down.
        param_groups: groups with options of their own (see ``jaxgrad.optim.groups``).

    Raises:
        ValueError: "Invalid learning rate: -1", "Invalid epsilon value: -1", "Invalid weight_decay value: -1",
            "Invalid beta parameter at index 0: 1.0", "Invalid momentum_decay value: -1".

    >>> from jaxgrad import optim
    >>> tx = NAdam(lr=0.1)
    >>> params = {"w": jnp.ones(1)}
    >>> params, state = optim.step(tx, params, {"w": jnp.full(1, 0.5)}, tx.init(params))
    >>> round(params["w"].item(), 5), round(state.param_groups[0].scalars["mu_product"].item(), 6)
    (0.89435, 0.450073)

    Source: Dozat, Incorporating Nesterov momentum into Adam, 2016.
    """
    flags = {"foreach": foreach, "capturable": capturable, "differentiable": differentiable}
    check_flags(flags)
    return _nadam(
        {
            "lr": lr,
            "betas": as_tuple(betas, "betas", "NAdam", 2),
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
        },
        {"decoupled_weight_decay": decoupled_weight_decay, "maximize": maximize},
        param_groups,
        flags,
    )
