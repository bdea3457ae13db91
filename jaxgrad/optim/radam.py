"""RAdam: Adam that waits with the adaptive step until its variance is known well enough."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp

from jaxgrad._core.types import Array
from jaxgrad.optim._rule.arithmetic import add, addcmul, decay_factor, decayed, div, lerp, mul, plus, scalar_over, sqrt
from jaxgrad.optim._rule.checks import check_at_least, check_betas, check_lr
from jaxgrad.optim._rule.flags import check_flags
from jaxgrad.optim._rule.kinds import as_tuple, constructor
from jaxgrad.optim._rule.lift import lift
from jaxgrad.optim._rule.optimizer import Optimizer
from jaxgrad.optim._rule.rule import Constants, Scalars


class RAdamState(NamedTuple):
    """The running moments of one parameter's gradient."""

    exp_avg: Array
    exp_avg_sq: Array


def _init(param: Array, hyperparams: dict[str, Any], *, decoupled_weight_decay: bool) -> RAdamState:
    del hyperparams, decoupled_weight_decay
    return RAdamState(jnp.zeros_like(param), jnp.zeros_like(param))


def _host(scalars: Scalars, h: dict[str, Any]) -> tuple[Constants, Scalars]:
    (beta1, beta2), t = h["betas"], scalars["step"]
    bias_correction2 = 1 - beta2**t
    rho_inf = 2 / (1 - beta2) - 1
    rho = rho_inf - 2 * t * beta2**t / bias_correction2
    rectified = rho > 5
    rect = jnp.sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
    return {
        "one_minus_beta1": 1 - beta1,
        "beta2": beta2,
        "one_minus_beta2": 1 - beta2,
        "bias_correction1": 1 - beta1**t,
        "bias_correction2_sqrt": jnp.sqrt(bias_correction2),
        "rectified": rectified,
        "rect": jnp.where(rectified, rect, 1),
        "lr": h["lr"],
        "eps": h["eps"],
        "weight_decay": h["weight_decay"],
        "decay": decay_factor(h["lr"], h["weight_decay"]),
    }, {}


def _validate(
    *, lr: Any, betas: Any, eps: Any, weight_decay: Any, decoupled_weight_decay: bool, maximize: bool
) -> None:
    del decoupled_weight_decay, maximize
    check_lr(lr)
    check_at_least("Invalid epsilon value", eps)
    check_betas(betas)
    check_at_least("Invalid weight_decay value", weight_decay)


@lift(called="RAdam", init=_init, host=_host, validate=_validate)
def _radam(
    param: Array, grad: Array, state: RAdamState, c: Constants, *, decoupled_weight_decay: bool
) -> tuple[Array, RAdamState]:
    if decoupled_weight_decay:
        param = mul(param, c["decay"])
    else:
        grad = decayed(grad, param, c["weight_decay"])
    exp_avg = lerp(state.exp_avg, grad, c["one_minus_beta1"])
    exp_avg_sq = addcmul(mul(state.exp_avg_sq, c["beta2"]), grad, grad, c["one_minus_beta2"])
    plain = mul(div(exp_avg, c["bias_correction1"]), c["lr"])
    adaptive = scalar_over(c["bias_correction2_sqrt"], plus(sqrt(exp_avg_sq), c["eps"]))
    moved = jnp.where(c["rectified"] != 0, mul(mul(plain, adaptive), c["rect"]), plain)
    return add(param, moved, -1), RAdamState(exp_avg, exp_avg_sq)


@constructor
def RAdam(
    lr: Any = 1e-3,
    betas: tuple[Any, Any] = (0.9, 0.999),
    eps: Any = 1e-8,
    weight_decay: Any = 0,
    decoupled_weight_decay: bool = False,
    *,
    foreach: bool | None = None,
    maximize: bool = False,
    capturable: bool = False,
    differentiable: bool = False,
    param_groups: Sequence[dict[str, Any]] | None = None,
) -> Optimizer:
    """Mirror of ``torch.optim.RAdam``.

        rho_inf = 2 / (1 - beta2) - 1,    rho_t = rho_inf - 2 * t * beta2**t / (1 - beta2**t)
        r_t = sqrt((rho_t - 4) (rho_t - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho_t))
        m, v as in Adam
        p <- p - lr * m / (1 - beta1**t) * r_t * sqrt(1 - beta2**t) / (sqrt(v) + eps)     if rho_t > 5
        p <- p - lr * m / (1 - beta1**t)                                                  otherwise

    Differs from ``optax.radam``: eps is added before the bias correction of v; rho_t has a double's accuracy.

    Args:
        lr: learning rate.
        betas: decay of the running moments.
        eps: added outside the root.
        weight_decay: L2 penalty, in the gradient unless ``decoupled_weight_decay``.
        decoupled_weight_decay: decay the parameter before the step, as AdamW.
        foreach, capturable, differentiable: choose no number (see ``jaxgrad.optim``).
        maximize: go up instead of down.
        param_groups: groups with options of their own (see ``jaxgrad.optim.groups``).

    Raises:
        ValueError: "Invalid learning rate: -1", "Invalid epsilon value: -1", "Invalid weight_decay value: -1",
            "Invalid beta parameter at index 0: 1.0".

    >>> from jaxgrad import optim
    >>> tx = RAdam(lr=0.1)
    >>> params = {"w": jnp.ones(1)}
    >>> params, state = optim.step(tx, params, {"w": jnp.full(1, 0.5)}, tx.init(params))
    >>> round(params["w"].item(), 6)
    0.95

    Source: Liu et al., On the variance of the adaptive learning rate and beyond, 2020.
    """
    flags = {"foreach": foreach, "capturable": capturable, "differentiable": differentiable}
    check_flags(flags)
    return _radam(
        {"lr": lr, "betas": as_tuple(betas, "betas", "RAdam", 2), "eps": eps, "weight_decay": weight_decay},
        {"decoupled_weight_decay": decoupled_weight_decay, "maximize": maximize},
        param_groups,
        flags,
    )
