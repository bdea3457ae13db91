"""Adam, and AdamW as the same rule with the decay taken out of the gradient."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp

from jaxgrad._core.types import Array
from jaxgrad.optim._rule.arithmetic import addcdiv, addcmul, decay_factor, decayed, div, lerp, mul, plus, sqrt
from jaxgrad.optim._rule.checks import check, check_at_least, check_betas, check_lr, check_one_element
from jaxgrad.optim._rule.flags import check_flags, given_as_tensor
from jaxgrad.optim._rule.kinds import as_tuple, constructor
from jaxgrad.optim._rule.lift import lift
from jaxgrad.optim._rule.optimizer import Optimizer
from jaxgrad.optim._rule.rule import Constants, Scalars


class AdamState(NamedTuple):
    """The running moments of one parameter's gradient."""

    exp_avg: Array
    exp_avg_sq: Array
    max_exp_avg_sq: Array | None
    """Only with ``amsgrad``: the largest ``exp_avg_sq`` so far, before bias correction."""


def _init(param: Array, hyperparams: dict[str, Any], *, amsgrad: bool, decoupled_weight_decay: bool) -> AdamState:
    del hyperparams, decoupled_weight_decay
    return AdamState(jnp.zeros_like(param), jnp.zeros_like(param), jnp.zeros_like(param) if amsgrad else None)


def _host(scalars: Scalars, h: dict[str, Any]) -> tuple[Constants, Scalars]:
    beta1, beta2 = h["betas"]
    bias_correction1 = 1 - beta1 ** scalars["step"]
    bias_correction2 = 1 - beta2 ** scalars["step"]
    return {
        "one_minus_beta1": 1 - beta1,
        "beta2": beta2,
        "one_minus_beta2": 1 - beta2,
        "minus_step_size": -(h["lr"] / bias_correction1),
        "bias_correction2_sqrt": jnp.sqrt(bias_correction2),
        "eps": h["eps"],
        "weight_decay": h["weight_decay"],
        "decay": decay_factor(h["lr"], h["weight_decay"]),
    }, {}


def _validate(
    *,
    lr: Any,
    betas: Any,
    eps: Any,
    weight_decay: Any,
    amsgrad: bool,
    maximize: bool,
    decoupled_weight_decay: bool,
) -> None:
    del amsgrad, maximize, decoupled_weight_decay
    check_lr(lr)
    check_at_least("Invalid epsilon value", eps)
    check_betas(betas)
    check_at_least("Invalid weight_decay value", weight_decay)
    first, second = map(given_as_tensor, betas)
    check(lambda: first == second, "betas must be either both floats or both Tensors")
    for index, beta in enumerate(betas):
        check_one_element(f"betas[{index}]", beta)


@lift(called="Adam", init=_init, host=_host, validate=_validate)
def _adam(
    param: Array, grad: Array, state: AdamState, c: Constants, *, amsgrad: bool, decoupled_weight_decay: bool
) -> tuple[Array, AdamState]:
    del amsgrad
    if decoupled_weight_decay:
        param = mul(param, c["decay"])
    else:
        grad = decayed(grad, param, c["weight_decay"])
    exp_avg = lerp(state.exp_avg, grad, c["one_minus_beta1"])
    exp_avg_sq = addcmul(mul(state.exp_avg_sq, c["beta2"]), grad, grad, c["one_minus_beta2"])
    largest = state.max_exp_avg_sq
    if largest is not None:
        largest = jnp.maximum(largest, exp_avg_sq)
    second_moment = exp_avg_sq if largest is None else largest
    denom = plus(div(sqrt(second_moment), c["bias_correction2_sqrt"]), c["eps"])
    return addcdiv(param, exp_avg, denom, c["minus_step_size"]), AdamState(exp_avg, exp_avg_sq, largest)


@constructor
def Adam(
    lr: Any = 1e-3,
    betas: tuple[Any, Any] = (0.9, 0.999),
    eps: Any = 1e-8,
    weight_decay: Any = 0,
    amsgrad: bool = False,
    *,
    foreach: bool | None = None,
    maximize: bool = False,
    capturable: bool = False,
    differentiable: bool = False,
    fused: bool | None = None,
    decoupled_weight_decay: bool = False,
    param_groups: Sequence[dict[str, Any]] | None = None,
) -> Optimizer:
    """Mirror of ``torch.optim.Adam``.

        g <- g + weight_decay * p                (or p <- p - lr * weight_decay * p, if decoupled)
        m <- beta1 * m + (1 - beta1) * g
        v <- beta2 * v + (1 - beta2) * g**2
        p <- p - lr / (1 - beta1**t) * m / (sqrt(v) / sqrt(1 - beta2**t) + eps)

    Differs from ``optax.adam``: the bias corrections have float32's full accuracy (computed in float32 they are off
    by 1e-5, which is another trajectory within a hundred steps); AMSGrad takes the largest v before its bias
    correction; t counts each parameter's own steps; ``weight_decay`` is L2 in the gradient.

    Args:
        lr: learning rate.
        betas: decay of the running moments.
        eps: added outside the root.
        weight_decay: L2 penalty, in the gradient unless ``decoupled_weight_decay``.
        amsgrad: divide by the largest second moment so far.
        foreach, capturable, differentiable, fused: choose no number (see ``jaxgrad.optim``).
        maximize: go up instead of down.
        decoupled_weight_decay: AdamW.
        param_groups: groups with options of their own (see ``jaxgrad.optim.groups``).

    Raises:
        ValueError: "Invalid learning rate: -1", "Invalid epsilon value: -1", "Invalid weight_decay value: -1",
            "Invalid beta parameter at index 0: 1.0".

    >>> from jaxgrad import optim
    >>> tx = Adam(lr=0.1)
    >>> params = {"w": jnp.ones(1)}
    >>> params, state = optim.step(tx, params, {"w": jnp.full(1, 0.5)}, tx.init(params))
    >>> round(params["w"].item(), 6), round(state.state["w"].exp_avg.item(), 6)
    (0.9, 0.05)

    Source: Kingma and Ba, Adam: a method for stochastic optimization, 2015; Reddi, Kale, Kumar, On the convergence of
    Adam and beyond, 2018.
    """
    betas = as_tuple(betas, "betas", "Adam", 2)
    flags = {"foreach": foreach, "fused": fused, "capturable": capturable, "differentiable": differentiable}
    check_flags(flags, tensors={"lr": lr, "betas[0]": betas[0], "betas[1]": betas[1]})
    return _adam(
        {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay},
        {"amsgrad": amsgrad, "maximize": maximize, "decoupled_weight_decay": decoupled_weight_decay},
        param_groups,
        flags,
    )


@constructor
def AdamW(
    lr: Any = 1e-3,
    betas: tuple[Any, Any] = (0.9, 0.999),
    eps: Any = 1e-8,
    weight_decay: Any = 1e-2,
    amsgrad: bool = False,
    *,
    maximize: bool = False,
    foreach: bool | None = None,
    capturable: bool = False,
    differentiable: bool = False,
    fused: bool | None = None,
    param_groups: Sequence[dict[str, Any]] | None = None,
) -> Optimizer:
    """Mirror of ``torch.optim.AdamW``: Adam whose decay shrinks the parameter before the step.

        p <- p - lr * weight_decay * p, then Adam with the gradient as it is

    Differs from ``optax.adamw``: the default decay is 1e-2 (optax 1e-4), and what is said of ``Adam``.

    Args:
        lr: learning rate.
        betas: decay of the running moments.
        eps: added outside the root.
        weight_decay: share of the parameter taken away each step, times lr.
        amsgrad: divide by the largest second moment so far.
        maximize: go up instead of down.
        foreach, capturable, differentiable, fused: choose no number (see ``jaxgrad.optim``).
        param_groups: groups with options of their own (see ``jaxgrad.optim.groups``).

    Raises:
        ValueError: as ``Adam``.

    >>> from jaxgrad import optim
    >>> tx = AdamW(lr=0.1, weight_decay=0.5)
    >>> params = {"w": jnp.ones(1)}
    >>> params, state = optim.step(tx, params, {"w": jnp.full(1, 0.5)}, tx.init(params))
    >>> round(params["w"].item(), 6)
    0.85

    Source: Loshchilov and Hutter, Decoupled weight decay regularization, 2019.
    """
    return Adam(
        lr,
        betas,
        eps,
        weight_decay,
        amsgrad,
        foreach=foreach,
        maximize=maximize,
        capturable=capturable,
        differentiable=differentiable,
        fused=fused,
        decoupled_weight_decay=True,
        param_groups=param_groups,
    )
