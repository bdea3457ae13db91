"""Losses of a difference: absolute, smooth, and Huber's."""

import warnings

import jax.numpy as jnp
from jaxtyping import Inexact, Num

from jaxgrad._core.arguments import as_number
from jaxgrad._core.caller import users_level
from jaxgrad._core.castable import castable
from jaxgrad._core.diagnosis import diagnosed
from jaxgrad._core.dtype_names import torch_name
from jaxgrad._core.dtypes import promoted
from jaxgrad._core.elementwise import check_kernel, elementwise
from jaxgrad._core.errors import explain
from jaxgrad._core.norms import absolute
from jaxgrad._core.operations import operation
from jaxgrad._core.shapes import broadcast, torch_size
from jaxgrad._core.types import Array
from jaxgrad.nn.functional.loss.reduction import check_reduction, reduce_loss, resolve_reduction


def difference(input: Array, target: Array) -> tuple[Array, Array]:
    """Input and target in their common shape and dtype, with torch's warning if they had to be broadcast."""
    input, target = jnp.asarray(input), jnp.asarray(target)
    if input.shape != target.shape:
        warnings.warn(
            f"Using a target size ({torch_size(target)}) that is different to the input size ({torch_size(input)}). "
            "This will likely lead to incorrect results due to broadcasting. Please ensure they have the same size.",
            UserWarning,
            stacklevel=users_level(),
        )
    x, t = promoted(*broadcast(input, target))
    return x, t


def weighted(loss: Array, weight: Array, shape: tuple[int, ...], reduction: str, *, by_weight: bool) -> Array:
    """A loss per element times its weight, reduced; ``by_weight`` divides the sum by the weights' sum."""
    weight = jnp.asarray(weight)
    if weight.shape != shape:
        raise ValueError(
            explain("Weights and input must have the same size.", got=torch_size(weight), expected=f"{shape}")
        )
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"Invalid reduction mode: {reduction}. Expected one of 'none', 'mean', 'sum'.")
    terms, spread = promoted(*broadcast(loss, weight))
    product = terms * spread
    return jnp.sum(product) / jnp.sum(weight) if reduction == "mean" and by_weight else reduce_loss(product, reduction)


@diagnosed
@castable("l1_loss")
def l1_loss(
    input: Num[Array, "*#shape"],
    target: Num[Array, "*#shape"],
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Num[Array, "*#shape"] | None = None,
) -> Inexact[Array, ""] | Inexact[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.l1_loss``: :math:`\frac1n \sum_i |x_i - t_i|`.

    The derivative is 0 where both are equal (JAX's modulus has 1). With ``weight`` the mean is
    :math:`\sum_i w_i |x_i - t_i| / \sum_i w_i`.

    Args:
        input: any shape, floating point or complex.
        target: the same shape; another one is broadcast, with torch's warning.
        size_average: deprecated in torch; see ``reduction``.
        reduce: deprecated in torch; see ``reduction``.
        reduction: 'none', 'mean' or 'sum'.
        weight: the shape of ``input``.

    Returns:
        A scalar, or the broadcast shape for 'none'.

    Raises:
        ValueError: an unknown reduction, or a weight of another shape.
        RuntimeError: shapes that cannot be broadcast, or integers, of which torch takes no mean.

    >>> float(l1_loss(jnp.array([1.0, 2.0]), jnp.array([1.0, 4.0])))
    1.0

    Source: torch/nn/functional.py, ``l1_loss``.
    """
    x, t = difference(input, target)
    if size_average is not None or reduce is not None or weight is None:
        reduction = resolve_reduction(reduction, size_average, reduce)
    loss = absolute(_floating(x - t, reduction))
    if weight is None:
        return reduce_loss(loss, reduction)
    return weighted(loss, weight, jnp.shape(input), reduction, by_weight=True)


@castable("smooth_l1_loss")
@operation("SmoothL1LossBackward0")
def smooth_l1_loss(
    input: Num[Array, "*#shape"],
    target: Num[Array, "*#shape"],
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Inexact[Array, ""] | Inexact[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.smooth_l1_loss``: :math:`d^2 / 2\beta` for :math:`|d| < \beta`, else
    :math:`|d| - \beta/2`, with :math:`d = x - t`.

    :func:`huber_loss` divided by its width; for ``beta`` 0 it is :func:`l1_loss`.

    Args:
        input: any shape, floating point.
        target: the same shape; another one is broadcast, with torch's warning.
        size_average: deprecated in torch; see ``reduction``.
        reduce: deprecated in torch; see ``reduction``.
        reduction: 'none', 'mean' or 'sum'.
        beta: where the square ends.

    Raises:
        RuntimeError: ``smooth_l1_loss does not support negative values for beta.``
        ValueError: an unknown reduction.

    >>> float(smooth_l1_loss(jnp.array([0.5, 3.0]), jnp.zeros(2), reduction="sum"))
    2.625

    Source: torch/nn/functional.py, ``smooth_l1_loss``; Girshick, 2015.
    """
    x, t = difference(input, target)
    reduction = resolve_reduction(reduction, size_average, reduce)
    beta = as_number(beta, "beta", "smooth_l1_loss")
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    if beta == 0:
        return reduce_loss(absolute(x - t), reduction)
    d = x - t
    check_kernel("smooth_l1_cpu", d)
    return reduce_loss(_smooth(d, beta), reduction)


@elementwise(lambda g, d, beta: g * jnp.clip(d / beta, -1, 1))
def _smooth(d: Array, beta: float) -> Array:
    size = jnp.abs(d)
    return jnp.where(size < beta, 0.5 * size * size / beta, size - 0.5 * beta)


@castable("huber_loss")
@operation("HuberLossBackward0")
def huber_loss(
    input: Num[Array, "*#shape"],
    target: Num[Array, "*#shape"],
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Num[Array, "*#shape"] | None = None,
) -> Inexact[Array, ""] | Inexact[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.huber_loss``: :math:`d^2 / 2` for :math:`|d| < \delta`, else
    :math:`\delta (|d| - \delta/2)`, with :math:`d = x - t`.

    Args:
        input: any shape, floating point.
        target: the same shape; another one is broadcast, with torch's warning.
        reduction: 'none', 'mean' or 'sum'.
        delta: where the square ends.
        weight: the shape of ``input``; the mean divides by the number of elements all the same.

    Returns:
        A scalar, or the common shape with 'none'.

    Raises:
        RuntimeError: ``huber_loss does not support non-positive values for delta.``
        ValueError: an unknown reduction, or a weight of another shape.

    >>> float(huber_loss(jnp.array([0.5, 3.0]), jnp.zeros(2), reduction="sum"))
    2.625

    Source: torch/nn/functional.py, ``huber_loss``; Huber, 1964.
    """
    x, t = difference(input, target)
    if weight is None:
        check_reduction(reduction)
    delta = as_number(delta, "delta", "huber_loss")
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    d = x - t
    check_kernel("huber_cpu", d)
    loss = _huber(d, delta).astype(x.dtype)
    if weight is None:
        return reduce_loss(loss, reduction)
    return weighted(loss, weight, jnp.shape(input), reduction, by_weight=False)


@elementwise(lambda g, d, delta: g * jnp.clip(d, -delta, delta))
def _huber(d: Array, delta: float) -> Array:
    size = jnp.abs(d)
    return jnp.where(size < delta, 0.5 * size * size, delta * (size - 0.5 * delta))


def _floating(d: Array, reduction: str) -> Array:
    if reduction == "mean" and not jnp.issubdtype(d.dtype, jnp.inexact):
        raise RuntimeError(
            "mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. "
            f"Got: {torch_name(d.dtype)}"
        )
    return d
