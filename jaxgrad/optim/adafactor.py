"""Adafactor: Adam's second moment of a matrix kept as the outer product of a row and a column."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp

from jaxgrad._core.errors import explain
from jaxgrad._core.trees import named_leaves
from jaxgrad._core.types import Array, PyTree
from jaxgrad.optim._rule.arithmetic import add, decay_factor, div, element, lerp, mean, mul, norm, rsqrt
from jaxgrad.optim._rule.checks import check, check_one_element
from jaxgrad.optim._rule.flags import check_flags
from jaxgrad.optim._rule.kinds import as_tuple, constructor
from jaxgrad.optim._rule.lift import lift
from jaxgrad.optim._rule.optimizer import Optimizer
from jaxgrad.optim._rule.rule import Constants, Scalars


class AdafactorState(NamedTuple):
    """The second moment of one parameter's gradient: factored from two dimensions on, whole below."""

    row_var: Array | None
    col_var: Array | None
    variance: Array | None


def _init(param: Array, hyperparams: dict[str, Any]) -> AdafactorState:
    del hyperparams
    if param.ndim < 2:
        return AdafactorState(None, None, jnp.zeros_like(param))
    return AdafactorState(jnp.zeros_like(param[..., :1]), jnp.zeros_like(param[..., :1, :]), None)


def _host(scalars: Scalars, h: dict[str, Any]) -> tuple[Constants, Scalars]:
    eps1, eps2 = h["eps"]
    constants = {
        "one_minus_beta2": scalars["step"] ** h["beta2_decay"],
        "rho": jnp.where(1 / jnp.sqrt(scalars["step"]) < h["lr"], 1 / jnp.sqrt(scalars["step"]), h["lr"]),
        "eps2": eps2,
        "d": h["d"],
        "decay": decay_factor(h["lr"], h["weight_decay"]),
    }
    return constants | ({} if eps1 is None else {"eps1": eps1, "eps1_squared": eps1 * eps1}), {}


def _validate(*, lr: Any, beta2_decay: Any, eps: Any, d: Any, weight_decay: Any, maximize: bool) -> None:
    del maximize
    check_one_element("lr", lr)
    check(lambda: 0.0 <= lr, f"Learning rate should be >= 0 but is: {lr}", lr)
    check(lambda: 0.0 >= beta2_decay, f"beta2_decay should be <= 0 but is: {beta2_decay}", beta2_decay)
    if eps[0] is not None:
        check(lambda: 0.0 <= eps[0], f"epsilon1 should be >= 0 but is: {eps[0]}", eps[0])
    check(lambda: 0.0 <= eps[1], f"epsilon2 should be >= 0 but is: {eps[1]}", eps[1])
    check(lambda: 1.0 <= d, f"Clipping threshold d should be >= 1 but is: {d}", d)
    check(lambda: 0.0 <= weight_decay, f"weight_decay should be >= 0 but is: {weight_decay}", weight_decay)


def _check_params(params: PyTree) -> None:
    for name, param in named_leaves(params).items():
        if jnp.iscomplexobj(param):
            raise RuntimeError(explain("Adafactor does not support complex parameters", got=f'"{name}": {param.dtype}'))


@lift(called="Adafactor", init=_init, host=_host, validate=_validate, check_params=_check_params)
def _adafactor(param: Array, grad: Array, state: AdafactorState, c: Constants) -> tuple[Array, AdafactorState]:
    tiny = float(jnp.finfo(param.dtype).eps)
    eps1, eps1_squared = c.get("eps1", tiny), c.get("eps1_squared", tiny * tiny)
    root_size = param.size**0.5
    alpha = _larger(c["eps2"], _number(norm(param), c) / root_size) * c["rho"]
    param = mul(param, c["decay"])
    if state.row_var is not None and state.col_var is not None:
        row_var = lerp(state.row_var, _mean_square(grad, -1), c["one_minus_beta2"])
        col_var = lerp(state.col_var, _mean_square(grad, -2), c["one_minus_beta2"])
        estimate = div(mul(row_var, col_var), _at_least(mean(row_var, -2), eps1))
        state = AdafactorState(row_var, col_var, None)
    elif state.variance is not None:
        estimate = lerp(state.variance, mul(grad, grad), c["one_minus_beta2"])
        state = AdafactorState(None, None, estimate)
    update = mul(rsqrt(_at_least(estimate, eps1_squared)), grad)
    denom = _larger(jnp.ones_like(alpha), _number(norm(update), c) / (root_size * c["d"]))
    return add(param, update, -alpha / denom), state


def _mean_square(grad: Array, axis: int) -> Array:
    size = norm(grad, axis)
    return div(mul(size, size), jnp.asarray(grad.shape[axis]))


def _at_least(a: Array, least: Any) -> Array:
    return jnp.maximum(a, element(jnp.asarray(least), a))


def _larger(a: Array, b: Array) -> Array:
    """Python's ``max(a, b)``: a unless b is larger, so also where b is nan."""
    return jnp.where(b > a, b, a)


def _number(value: Array, c: Constants) -> Array:
    return value.astype(c["rho"].dtype)


@constructor
def Adafactor(
    lr: Any = 1e-2,
    beta2_decay: Any = -0.8,
    eps: tuple[Any, Any] = (None, 1e-3),
    d: Any = 1.0,
    weight_decay: Any = 0.0,
    *,
    foreach: bool | None = None,
    maximize: bool = False,
    param_groups: Sequence[dict[str, Any]] | None = None,
) -> Optimizer:
    """Mirror of ``torch.optim.Adafactor``.

        a <- max(eps2, rms(p)) * min(lr, 1 / sqrt(t)),    w = t**beta2_decay
        p <- p - lr * weight_decay * p
        R <- R + w * (mean over columns of g**2 - R),    C <- the same over rows,    V = R C / max(mean(R), eps1)
        u <- g / sqrt(max(V, eps1**2))
        p <- p - a / max(1, rms(u) / d) * u

    Differs from ``optax.adafactor``: factors every tensor of two or more dimensions (over its last two), and lr is a
    cap of the relative step size.

    Args:
        lr: cap of the relative step size.
        beta2_decay: power with which the second moment forgets.
        eps: eps1 under the root (None: the dtype's epsilon) and eps2, the least scale of a parameter.
        d: clipping threshold of the update's root mean square.
        weight_decay: share of the parameter taken away each step, times lr.
        foreach: chooses no number (see ``jaxgrad.optim``).
        maximize: go up instead of down.
        param_groups: groups with options of their own (see ``jaxgrad.optim.groups``).

    Raises:
        ValueError: "Learning rate should be >= 0 but is: -1", "beta2_decay should be <= 0 but is: 0.8",
            "epsilon1 should be >= 0 but is: -1", "Clipping threshold d should be >= 1 but is: 0.0" ...
        RuntimeError: "Adafactor does not support complex parameters", in ``init``.

    >>> from jaxgrad import optim
    >>> tx = Adafactor()
    >>> params = {"w": jnp.ones((2, 3))}
    >>> params, state = optim.step(tx, params, {"w": jnp.ones((2, 3))}, tx.init(params))
    >>> round(params["w"][0, 0].item(), 6), state.state["w"].row_var.shape, state.state["w"].col_var.shape
    (0.99, (2, 1), (1, 3))

    Source: Shazeer and Stern, Adafactor: adaptive learning rates with sublinear memory cost, 2018.
    """
    flags = {"foreach": foreach}
    check_flags(flags)
    return _adafactor(
        {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": as_tuple(eps, "eps", "Adafactor", 2),
            "d": d,
            "weight_decay": weight_decay,
        },
        {"maximize": maximize},
        param_groups,
        flags,
    )
