"""Rprop: steps whose size follows the sign of the gradient, not its size."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgrad._core.types import Array
from jaxgrad.optim._rule.arithmetic import addcmul, element, mul, sign
from jaxgrad.optim._rule.checks import check, check_lr
from jaxgrad.optim._rule.flags import check_flags
from jaxgrad.optim._rule.kinds import as_tuple, constructor
from jaxgrad.optim._rule.lift import lift
from jaxgrad.optim._rule.optimizer import Optimizer
from jaxgrad.optim._rule.rule import Constants, Scalars


class RpropState(NamedTuple):
    """The last gradient and the step size of every element of one parameter."""

    prev: Array
    step_size: Array


def _init(param: Array, hyperparams: dict[str, Any]) -> RpropState:
    size = jnp.asarray(hyperparams["lr"]).reshape(()).astype(param.real.dtype)
    if jnp.iscomplexobj(param):
        size = jax.lax.complex(size, size)
    return RpropState(jnp.zeros_like(param), jnp.full_like(param, size))


def _host(scalars: Scalars, h: dict[str, Any]) -> tuple[Constants, Scalars]:
    etaminus, etaplus = h["etas"]
    smallest, largest = h["step_sizes"]
    return {
        "first": scalars["step"] == 1,
        "lr": h["lr"],
        "etaminus": etaminus,
        "etaplus": etaplus,
        "smallest": smallest,
        "largest": largest,
    }, {}


def _validate(*, lr: Any, etas: Any, step_sizes: Any, maximize: bool) -> None:
    del step_sizes, maximize
    check_lr(lr)
    check(
        lambda: 0.0 < etas[0] < 1.0 < etas[1],
        f"Invalid eta values: {etas[0]}, {etas[1]}",
        *etas,
        expected="one in (0, 1) and one above 1",
    )


@lift(called="Rprop", init=_init, host=_host, validate=_validate)
def _rprop(param: Array, grad: Array, state: RpropState, c: Constants) -> tuple[Array, RpropState]:
    turn = mul(grad, state.prev)
    factor = jnp.where(turn > 0, c["etaplus"], jnp.where(turn < 0, c["etaminus"], 1))
    least, most = (element(c[name], param) for name in ("smallest", "largest"))
    before = jnp.where(c["first"] != 0, element(c["lr"], param), state.step_size)
    step_size = jnp.clip(mul(before, element(factor, param)), least, most)
    grad = jnp.where(turn < 0, 0, grad)
    return addcmul(param, sign(grad), step_size, -1), RpropState(grad, step_size)


@constructor
def Rprop(
    lr: Any = 1e-2,
    etas: tuple[Any, Any] = (0.5, 1.2),
    step_sizes: tuple[Any, Any] = (1e-6, 50),
    *,
    capturable: bool = False,
    foreach: bool | None = None,
    maximize: bool = False,
    differentiable: bool = False,
    param_groups: Sequence[dict[str, Any]] | None = None,
) -> Optimizer:
    """Mirror of ``torch.optim.Rprop``.

        s <- clip(s * (etaplus if g * g_prev > 0, etaminus if < 0, else 1), smallest, largest)
        g <- 0 where g * g_prev < 0
        p <- p - sign(g) * s

    Differs from ``optax.rprop``, which applies each update one step late.

    Args:
        lr: the size of the first step; read once, at that step, as in torch.
        etas: factors (etaminus, etaplus) on the step size.
        step_sizes: smallest and largest step size.
        capturable, foreach, differentiable: choose no number (see ``jaxgrad.optim``).
        maximize: go up instead of down.
        param_groups: groups with options of their own (see ``jaxgrad.optim.groups``).

    Raises:
        ValueError: "Invalid learning rate: -1", "Invalid eta values: 1.0, 0.5".

    >>> from jaxgrad import optim
    >>> tx = Rprop(lr=0.1)
    >>> params = {"w": jnp.ones(1)}
    >>> state = tx.init(params)
    >>> for _ in range(2):
    ...     params, state = optim.step(tx, params, {"w": jnp.ones(1)}, state)
    >>> round(params["w"].item(), 6)
    0.78

    Source: Riedmiller and Braun, A direct adaptive method for faster backpropagation learning, 1993.
    """
    flags = {"foreach": foreach, "capturable": capturable, "differentiable": differentiable}
    check_flags(flags)
    return _rprop(
        {
            "lr": lr,
            "etas": as_tuple(etas, "etas", "Rprop", 2),
            "step_sizes": as_tuple(step_sizes, "step_sizes", "Rprop", 2),
        },
        {"maximize": maximize},
        param_groups,
        flags,
    )
