"""Negative log-likelihoods of distributions, and the divergence of two."""

import math
import warnings

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Inexact, Num

from jaxgrad._core.arguments import wrong_kind
from jaxgrad._core.caller import users_level
from jaxgrad._core.castable import castable
from jaxgrad._core.diagnosis import diagnosed
from jaxgrad._core.dtype_names import torch_name
from jaxgrad._core.dtypes import as_inexact
from jaxgrad._core.elementwise import check_kernel, elementwise
from jaxgrad._core.errors import explain, is_traced
from jaxgrad._core.operations import operation
from jaxgrad._core.shapes import broadcast
from jaxgrad._core.types import Array
from jaxgrad.nn.functional.loss.reduction import check_reduction, reduce_loss, resolve_reduction


@diagnosed
@castable("poisson_nll_loss")
def poisson_nll_loss(
    input: Num[Array, "*#shape"],
    target: Num[Array, "*#shape"],
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Num[Array, ""] | Num[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.poisson_nll_loss``: :math:`e^x - t x`, or :math:`x - t \log(x + \varepsilon)`.

    ``full`` adds Stirling's approximation of :math:`\log t!` where t > 1.

    Args:
        input: logarithm of the rate, or the rate itself, any shape.
        target: counts, the same shape, or one to be broadcast.
        log_input: whether the input is a logarithm.
        full: whether to add what depends on the target alone.
        size_average: deprecated in torch; see ``reduction``.
        eps: added to a rate before its logarithm.
        reduce: deprecated in torch; see ``reduction``.
        reduction: 'none', 'mean' or 'sum'.

    Raises:
        ValueError: an unknown reduction.
        RuntimeError: shapes that cannot be broadcast.

    >>> float(poisson_nll_loss(jnp.zeros(2), jnp.array([1.0, 2.0])))
    1.0

    Source: torch/nn/functional.py, ``poisson_nll_loss``.
    """
    reduction = resolve_reduction(reduction, size_average, reduce)
    x, t = jnp.asarray(input), jnp.asarray(target)
    if jnp.bool_ in (x.dtype, t.dtype):
        raise RuntimeError(
            "Subtraction, the `-` operator, with a bool tensor is not supported. "
            "If you are trying to invert a mask, use the `~` or `logical_not()` operator instead."
        )
    # torch's operands in torch's order: the shape that does not fit is reported as target against input
    t, x = broadcast(t, x)
    loss = jnp.exp(as_inexact(x)) - t * x if log_input else x - t * jnp.log(as_inexact(x) + eps)
    if full:
        n = as_inexact(t)
        stirling = t * jnp.log(n) - t + 0.5 * jnp.log(2 * math.pi * n)
        loss = loss + jnp.where(t <= 1, 0, stirling)
    return reduce_loss(loss, reduction)


@diagnosed
def gaussian_nll_loss(
    input: Num[Array, "*#shape"],
    target: Num[Array, "*#shape"],
    var: Num[Array, "*variances"] | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Inexact[Array, ""] | Inexact[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.gaussian_nll_loss``: :math:`\frac12 (\log v + (x - t)^2 / v)`.

    :math:`v = \max(\mathrm{var}, \varepsilon)`, with the derivative of var itself, also below eps, as in torch.

    Args:
        input: expected values, any shape.
        target: the same shape, or one to be broadcast.
        var: variances: the shape of the input, or with size 1 at one axis, or without the last; or one number.
        full: whether to add :math:`\frac12 \log 2\pi`.
        eps: least variance.
        reduction: 'none', 'mean' or 'sum'.

    Returns:
        A scalar, or the shape of the input with 'none'.

    Raises:
        ValueError: ``var has negative entry/entries`` (not seen inside jit), ``var is of incorrect size``, or an
            unknown reduction.

    >>> float(gaussian_nll_loss(jnp.ones(2), jnp.zeros(2), 1.0))
    0.5

    Source: torch/nn/functional.py, ``gaussian_nll_loss``; Nix and Weigend, 1994.
    """
    x, t = jnp.asarray(input), jnp.asarray(target)
    if isinstance(var, complex):
        raise wrong_kind(var, "var", "gaussian_nll_loss", "float or Tensor")
    v: Array = jnp.full_like(x, var) if isinstance(var, int | float) else jnp.asarray(var)
    if not is_traced(var) and bool(np.any(np.asarray(var, np.float64) < 0)):
        raise ValueError("var has negative entry/entries")
    if v.shape != x.shape:
        if x.shape[:-1] == v.shape:
            v = v[..., None]
        elif x.ndim != v.ndim or sum(n for m, n in zip(x.shape, v.shape, strict=True) if m != n) != 1:
            raise ValueError(explain("var is of incorrect size", got=v.shape, expected=f"{x.shape}, or 1 at one axis"))
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not valid")
    v = _at_least(v, float(eps))
    x, t = broadcast(x, t)
    x, t, v = broadcast(x, t, v)
    loss = 0.5 * (jnp.log(v) + jnp.square(x - t) / v)
    if full:
        loss = loss + 0.5 * math.log(2 * math.pi)
    return reduce_loss(loss, reduction)


@elementwise(lambda g, v, eps: g)
def _at_least(v: Array, eps: float) -> Array:
    return jnp.maximum(v, eps)


@diagnosed
@castable("kl_div")
def kl_div(
    input: Num[Array, "*#shape"],
    target: Num[Array, "*#shape"],
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Inexact[Array, ""] | Inexact[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.kl_div``: :math:`t (\log t - x)`, or :math:`e^t (t - x)` with ``log_target``.

    'mean' divides by the number of elements, 'batchmean' by the size of the first axis, which is the divergence
    itself; torch warns of 'mean', and so does this.

    Args:
        input: log-probabilities, any shape.
        target: probabilities, or their logarithms, the same shape, or one to be broadcast.
        size_average: deprecated in torch; see ``reduction``.
        reduce: deprecated in torch; see ``reduction``.
        reduction: 'none', 'batchmean', 'mean' or 'sum'.
        log_target: whether the target is a logarithm.

    Raises:
        ValueError: an unknown reduction.
        RuntimeError: ``kl_div: Integral inputs not supported.``

    >>> half = jnp.log(jnp.full((1, 2), 0.5))
    >>> f"{kl_div(half, jnp.array([[1.0, 0.0]]), reduction='batchmean'):.4f}"
    '0.6931'

    Source: torch/nn/functional.py, ``kl_div``; Kullback and Leibler, 1951.
    """
    batch = False
    if size_average is not None or reduce is not None:
        reduction = resolve_reduction(reduction, size_average, reduce)
    else:
        if reduction == "mean":
            warnings.warn(
                "reduction: 'mean' divides the total loss by both the batch size and the support size."
                "'batchmean' divides only by the batch size, and aligns with the KL div math definition."
                "'mean' will be changed to behave the same as 'batchmean' in the next major release.",
                UserWarning,
                stacklevel=users_level(),
            )
        batch = reduction == "batchmean"
        check_reduction("sum" if batch else reduction)
    x, t = jnp.asarray(input), jnp.asarray(target)
    for each in (x, t):
        if jnp.issubdtype(each.dtype, jnp.complexfloating):
            raise RuntimeError("kl_div: Complex inputs not supported.")
        if not jnp.issubdtype(each.dtype, jnp.floating):
            raise RuntimeError("kl_div: Integral inputs not supported.")
    n = x.shape[0] if x.ndim else 1
    t, x = broadcast(t, x)
    loss = jnp.exp(t) * (t - x) if log_target else _t_log_t(t) - t * x
    if batch:
        return jnp.sum(loss) / n
    return reduce_loss(loss, reduction)


@elementwise(lambda g, t: jnp.where(t == 0, 0, g * jnp.log(jnp.where(t == 0, 1, t))) + g * t / t)
def _t_log_t(t: Array) -> Array:
    return jnp.where(t == 0, 0, t * jnp.log(jnp.where(t == 0, 1, t)))


@castable("binary_cross_entropy")
@operation("BinaryCrossEntropyBackward0")
def binary_cross_entropy(
    input: Float[Array, "*#shape"],
    target: Float[Array, "*#shape"],
    weight: Num[Array, "*#shape"] | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Float[Array, ""] | Float[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.binary_cross_entropy``: :math:`-w\,[t \log x + (1 - t) \log(1 - x)]`.

    Each logarithm is at least -100, and the derivative :math:`(x - t) / \max(x (1 - x), 10^{-12})`: both stay finite
    at 0 and 1. 'mean' divides by the number of elements, whatever the weights.

    Args:
        input: probabilities, any shape, floating point.
        target: the same shape and dtype, in [0, 1].
        weight: factor for each element, broadcast to ``input``; not differentiated, as in torch.
        size_average: deprecated in torch; see ``reduction``.
        reduce: deprecated in torch; see ``reduction``.
        reduction: 'none', 'mean' or 'sum'.

    Raises:
        ValueError: shapes that differ, or an unknown reduction.
        RuntimeError: ``all elements of input should be between 0 and 1`` (not seen inside jit, where the loss of such
            an element is whatever the formula gives), and the same of the target.

    >>> f"{binary_cross_entropy(jnp.array([0.5, 0.0]), jnp.array([1.0, 0.0]), reduction='sum'):.4f}"
    '0.6931'

    Source: torch/nn/functional.py, ``binary_cross_entropy``.
    """
    reduction = resolve_reduction(reduction, size_average, reduce)
    x, t = jnp.asarray(input), jnp.asarray(target)
    if t.shape != x.shape:
        raise ValueError(
            explain(
                f"Using a target size (torch.Size({list(t.shape)})) that is different to the input size "
                f"(torch.Size({list(x.shape)})) is deprecated. Please ensure they have the same size.",
                got=t.shape,
                expected=x.shape,
            )
        )
    _check_probabilities(x, t)
    loss = _bernoulli(x, t)
    if weight is not None:
        loss, w = broadcast(loss, jax.lax.stop_gradient(jnp.asarray(weight)))
        loss = (loss * w).astype(x.dtype)
    return reduce_loss(loss, reduction)


_LEAST = float(np.float32(1e-12))  # torch's constant is single, also in double precision


@jax.custom_jvp
def _bernoulli(x: Array, t: Array) -> Array:
    return (t - 1) * jnp.maximum(jnp.log1p(-x), -100) - t * jnp.maximum(jnp.log(x), -100)


@_bernoulli.defjvp
def _bernoulli_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (x, t), (dx, dt) = primals, tangents
    by_x = (x - t) / jnp.maximum((1 - x) * x, _LEAST)
    by_t = jnp.log1p(-x) - jnp.log(x)
    return _bernoulli(x, t), by_x * dx + by_t * dt


def _check_probabilities(x: Array, t: Array) -> None:
    if x.dtype != t.dtype:
        raise RuntimeError(
            explain(
                f"Found dtype {torch_name(t.dtype)} but expected {torch_name(x.dtype)}",
                got=f"target {t.dtype}",
                expected=x.dtype,
                remedy=f"target.astype({x.dtype})",
            )
        )
    check_kernel("binary_cross_entropy", x)
    for name, values in (("input", x), ("target", t)):
        if not is_traced(values) and not bool(jnp.all((values >= 0) & (values <= 1))):
            raise RuntimeError(
                explain(
                    f"all elements of {name} should be between 0 and 1",
                    got=f"{float(jnp.min(values)):g} to {float(jnp.max(values)):g}",
                    remedy="binary_cross_entropy_with_logits takes logits" if name == "input" else None,
                )
            )
