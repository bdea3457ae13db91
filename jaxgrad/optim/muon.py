"""Muon: momentum whose matrix is brought close to an orthogonal one before the step."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgrad._core.arguments import as_integer
from jaxgrad._core.dtypes import wider_dtype
from jaxgrad._core.errors import explain
from jaxgrad._core.trees import named_leaves
from jaxgrad._core.types import Array, PyTree
from jaxgrad.optim._rule.arithmetic import add, lerp, mul, rounded
from jaxgrad.optim._rule.checks import check, check_one_element
from jaxgrad.optim._rule.kinds import as_tuple, constructor
from jaxgrad.optim._rule.lift import lift
from jaxgrad.optim._rule.optimizer import Optimizer
from jaxgrad.optim._rule.rule import Constants, Scalars


class MuonState(NamedTuple):
    """The momentum of one matrix."""

    momentum_buffer: Array


def _init(
    param: Array, hyperparams: dict[str, Any], *, nesterov: bool, ns_steps: int, adjust_lr_fn: str | None
) -> MuonState:
    del hyperparams, nesterov, ns_steps, adjust_lr_fn
    return MuonState(jnp.zeros_like(param))


def _host(scalars: Scalars, h: dict[str, Any]) -> tuple[Constants, Scalars]:
    del scalars
    a, b, c = h["ns_coefficients"]
    return {
        "momentum": h["momentum"],
        "one_minus_momentum": 1 - h["momentum"],
        "minus_lr": -h["lr"],
        "decay": 1 - h["lr"] * h["weight_decay"],
        "eps": h["eps"],
        "a": a,
        "b": b,
        "c": c,
    }, {}


def _validate(
    *,
    lr: Any,
    weight_decay: Any,
    momentum: Any,
    nesterov: bool,
    ns_coefficients: Any,
    eps: Any,
    ns_steps: int,
    adjust_lr_fn: str | None,
) -> None:
    del nesterov, eps, ns_coefficients
    check_one_element("lr", lr)
    check(lambda: 0.0 <= lr, f"Learning rate should be >= 0 but is: {lr}", lr)
    check(lambda: 0.0 <= momentum, f"momentum should be >= 0 but is: {momentum}", momentum)
    check(lambda: 0.0 <= weight_decay, f"weight decay should be >= 0 but is: {weight_decay}", weight_decay)
    if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
        raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
    if not isinstance(ns_steps, jax.Array):
        as_integer(ns_steps, "ns_steps", "Muon")
    check(lambda: ns_steps < 100, "Number of steps must be less than 100 for computational efficiency", ns_steps)


def _check_params(params: PyTree) -> None:
    for name, param in named_leaves(params).items():
        if param.ndim != 2:
            raise ValueError(
                explain(
                    f"Muon only supports 2D parameters whereas we found a parameter with size: {param.shape}",
                    got=f'"{name}"',
                    remedy="step the others with AdamW: two optimizers, each on its part of the parameters",
                )
            )
        if jnp.iscomplexobj(param):
            raise RuntimeError(explain("Muon does not support complex parameters", got=f'"{name}": {param.dtype}'))


@lift(called="Muon", init=_init, host=_host, counts_steps=False, validate=_validate, check_params=_check_params)
def _muon(
    param: Array,
    grad: Array,
    state: MuonState,
    c: Constants,
    *,
    nesterov: bool,
    ns_steps: int,
    adjust_lr_fn: str | None,
) -> tuple[Array, MuonState]:
    buf = lerp(state.momentum_buffer, grad, c["one_minus_momentum"])
    update = lerp(grad, buf, c["momentum"]) if nesterov else buf
    update = _orthogonalized(update, c, ns_steps)
    step = c["minus_lr"] * _lr_ratio(adjust_lr_fn, *param.shape)
    return _moved(mul(param, c["decay"]), update, step), MuonState(buf)


def _moved(param: Array, update: Array, step: Array) -> Array:
    """``param + step * update`` where the update is bfloat16 to torch: in what the two dtypes promote to."""
    common = wider_dtype(param.dtype, jnp.bfloat16)
    return rounded(add(param.astype(common), update.astype(common), step), param)


def _orthogonalized(matrix: Array, c: Constants, steps: int | Array) -> Array:
    """``U V^T`` of a matrix ``U S V^T``, roughly, by Newton-Schulz iterations in bfloat16, as in torch."""
    a, b, c3 = (c[name].astype(jnp.float32) for name in ("a", "b", "c"))
    wide = matrix.shape[0] <= matrix.shape[1]
    x = _bfloat16(matrix if wide else matrix.T)
    size = _bfloat16(jnp.sqrt(jnp.sum(x * x)))
    x = _bfloat16(x / jnp.maximum(size, _bfloat16(c["eps"])))

    def iterate(_: Any, x: Array) -> Array:
        gram = _bfloat16(_product(x, x.T))
        polynomial = _bfloat16(b * gram + c3 * _product(gram, gram))
        return _bfloat16(a * x + _product(polynomial, x))

    if isinstance(steps, int):
        for _ in range(steps):
            x = iterate(_, x)
    else:  # an array: optax.inject_hyperparams makes one of every number
        x = jax.lax.fori_loop(0, jnp.asarray(steps, jnp.int32), iterate, x)
    return x if wide else x.T


def _bfloat16(a: Array) -> Array:
    """Values rounded to bfloat16 and kept in float32, in which torch's bfloat16 products add up."""
    return jax.lax.reduce_precision(a.astype(jnp.float32), 8, 7)


def _product(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)


def _lr_ratio(adjust_lr_fn: str | None, rows: int, columns: int) -> float:
    if adjust_lr_fn == "match_rms_adamw":
        return 0.2 * math.sqrt(max(rows, columns))
    return math.sqrt(max(1, rows / columns))


@constructor
def Muon(
    lr: Any = 1e-3,
    weight_decay: Any = 0.1,
    momentum: Any = 0.95,
    nesterov: bool = True,
    ns_coefficients: tuple[Any, Any, Any] = (3.4445, -4.7750, 2.0315),
    eps: Any = 1e-7,
    ns_steps: int = 5,
    adjust_lr_fn: str | None = None,
    *,
    param_groups: Sequence[dict[str, Any]] | None = None,
) -> Optimizer:
    """Mirror of ``torch.optim.Muon``, for matrices.

        b <- momentum * b + (1 - momentum) * g
        u <- g + momentum * (b - g) if nesterov else b
        X <- u / |u|, then ns_steps times X <- a X + (b (X X^T) + c (X X^T)^2) X       in bfloat16
        p <- p - lr * weight_decay * p - lr * ratio * X

    with ratio sqrt(max(1, rows / columns)), or 0.2 sqrt(max(rows, columns)) for ``"match_rms_adamw"``.

    Differs from ``optax.contrib.muon``: momentum is an average, and the iteration runs in bfloat16 whatever the
    parameter's dtype, as in torch; sums of products may differ from torch's in the last of its 8 bits. Without
    ``nesterov`` torch divides the momentum buffer of a bfloat16 parameter by its norm in place; here it stays b.

    Args:
        lr: learning rate.
        weight_decay: share of the parameter taken away each step, times lr.
        momentum: momentum factor.
        nesterov: look ahead by one momentum step.
        ns_coefficients: (a, b, c).
        eps: least norm to divide by.
        ns_steps: number of iterations.
        adjust_lr_fn: ``"original"`` (None is the same) or ``"match_rms_adamw"``.
        param_groups: groups with options of their own (see ``jaxgrad.optim.groups``).

    Raises:
        ValueError: "Learning rate should be >= 0 but is: -1", "Adjust learning rate function f is not supported" ...;
            in ``init`` "Muon only supports 2D parameters whereas we found a parameter with size: (3,)".
        RuntimeError: "Muon does not support complex parameters", in ``init``.

    >>> from jaxgrad import optim
    >>> tx = Muon(lr=0.1, weight_decay=0.0)
    >>> params = {"w": jnp.ones((1, 1))}
    >>> params, state = optim.step(tx, params, {"w": jnp.ones((1, 1))}, tx.init(params))
    >>> round(params["w"].item(), 3)
    0.931

    Source: Jordan et al., Muon: an optimizer for hidden layers in neural networks, 2024; Liu et al., Muon is scalable
    for LLM training, 2025.
    """
    return _muon(
        {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "ns_coefficients": as_tuple(ns_coefficients, "ns_coefficients", "Muon", 3),
            "eps": eps,
        },
        {"nesterov": nesterov, "ns_steps": ns_steps, "adjust_lr_fn": adjust_lr_fn},
        param_groups,
    )
