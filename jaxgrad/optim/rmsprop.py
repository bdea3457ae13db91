"""RMSprop: the gradient over the root of its running mean square."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp

from jaxgrad._core.types import Array
from jaxgrad.optim._rule.arithmetic import add, addcdiv, addcmul, decayed, lerp, mul, plus, sqrt
from jaxgrad.optim._rule.checks import check_at_least, check_lr
from jaxgrad.optim._rule.flags import check_flags
from jaxgrad.optim._rule.kinds import constructor
from jaxgrad.optim._rule.lift import lift
from jaxgrad.optim._rule.optimizer import Optimizer
from jaxgrad.optim._rule.rule import Constants, Scalars
from jaxgrad.optim.sgd import has_momentum


class RMSpropState(NamedTuple):
    """The running averages of one parameter's gradient."""

    square_avg: Array
    momentum_buffer: Array | None
    """Only with momentum."""
    grad_avg: Array | None
    """Only with ``centered``."""


def _init(param: Array, hyperparams: dict[str, Any], *, centered: bool) -> RMSpropState:
    return RMSpropState(
        jnp.zeros_like(param),
        jnp.zeros_like(param) if has_momentum(hyperparams["momentum"]) else None,
        jnp.zeros_like(param) if centered else None,
    )


def _host(scalars: Scalars, h: dict[str, Any]) -> tuple[Constants, Scalars]:
    del scalars
    return {
        "minus_lr": -h["lr"],
        "alpha": h["alpha"],
        "one_minus_alpha": 1 - h["alpha"],
        "eps": h["eps"],
        "momentum": h["momentum"],
        "weight_decay": h["weight_decay"],
    }, {}


def _validate(
    *, lr: Any, alpha: Any, eps: Any, weight_decay: Any, momentum: Any, centered: bool, maximize: bool
) -> None:
    del centered, maximize
    check_lr(lr)
    check_at_least("Invalid epsilon value", eps)
    check_at_least("Invalid momentum value", momentum)
    check_at_least("Invalid weight_decay value", weight_decay)
    check_at_least("Invalid alpha value", alpha)


@lift(called="RMSprop", init=_init, host=_host, validate=_validate)
def _rmsprop(
    param: Array, grad: Array, state: RMSpropState, c: Constants, *, centered: bool
) -> tuple[Array, RMSpropState]:
    del centered
    grad = decayed(grad, param, c["weight_decay"])
    square_avg = addcmul(mul(state.square_avg, c["alpha"]), grad, grad, c["one_minus_alpha"])
    grad_avg, variance = state.grad_avg, square_avg
    if grad_avg is not None:
        grad_avg = lerp(grad_avg, grad, c["one_minus_alpha"])
        variance = addcmul(square_avg, grad_avg, grad_avg, -1)
    avg = plus(sqrt(variance), c["eps"])
    plain = addcdiv(param, grad, avg, c["minus_lr"])
    buf = state.momentum_buffer
    if buf is None:
        return plain, RMSpropState(square_avg, None, grad_avg)
    on = c["momentum"] > 0
    buf = jnp.where(on, addcdiv(mul(buf, c["momentum"]), grad, avg, 1), buf)
    return jnp.where(on, add(param, buf, c["minus_lr"]), plain), RMSpropState(square_avg, buf, grad_avg)


@constructor
def RMSprop(
    lr: Any = 1e-2,
    alpha: Any = 0.99,
    eps: Any = 1e-8,
    weight_decay: Any = 0,
    momentum: Any = 0,
    centered: bool = False,
    capturable: bool = False,
    foreach: bool | None = None,
    maximize: bool = False,
    differentiable: bool = False,
    *,
    param_groups: Sequence[dict[str, Any]] | None = None,
) -> Optimizer:
    """Mirror of ``torch.optim.RMSprop``.

        g <- g + weight_decay * p
        v <- alpha * v + (1 - alpha) * g**2
        a <- alpha * a + (1 - alpha) * g                    (centered; otherwise 0)
        b <- momentum * b + g / (sqrt(v - a**2) + eps)
        p <- p - lr * b

    Differs from ``optax.rmsprop``: decay is 0.99 (optax 0.9), eps stands outside the root, and lr is applied after the
    momentum, so a schedule acts as in torch. Without momentum there is no buffer, and none can be switched on later.
    ``centered`` with ``alpha=0`` takes the root of what rounding leaves of g**2 - g**2: half of the elements
    become nan, in torch as here, and which ones is the processor's affair.

    Args:
        lr: learning rate.
        alpha: decay of the running mean square.
        eps: added outside the root.
        weight_decay: L2 penalty, added to the gradient.
        momentum: momentum factor; 0 at construction keeps no buffer.
        centered: divide by an estimate of the standard deviation.
        capturable, foreach, differentiable: choose no number (see ``jaxgrad.optim``).
        maximize: go up instead of down.
        param_groups: groups with options of their own (see ``jaxgrad.optim.groups``).

    Raises:
        ValueError: "Invalid learning rate: -1", "Invalid epsilon value: -1", "Invalid momentum value: -1",
            "Invalid weight_decay value: -1", "Invalid alpha value: -1".

    >>> from jaxgrad import optim
    >>> tx = RMSprop(lr=0.1)
    >>> params = {"w": jnp.ones(1)}
    >>> params, state = optim.step(tx, params, {"w": jnp.full(1, 0.5)}, tx.init(params))
    >>> round(params["w"].item(), 4), round(state.state["w"].square_avg.item(), 4)
    (0.0, 0.0025)

    Source: Hinton, Neural networks for machine learning, lecture 6, 2012; centered: Graves, Generating sequences with
    recurrent neural networks, 2013.
    """
    flags = {"foreach": foreach, "capturable": capturable, "differentiable": differentiable}
    check_flags(flags)
    return _rmsprop(
        {"lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay, "momentum": momentum},
        {"centered": centered, "maximize": maximize},
        param_groups,
        flags,
    )
