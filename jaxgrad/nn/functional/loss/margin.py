"""Losses of a margin: what is on the right side by enough costs nothing.

Where the hinge is composed of operations, the derivative at the margin itself is that of the costly side, as that of
``torch.clamp_min``; the two losses over classes, which are kernels of their own, have 0 there.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Inexact, Integer, Num

from jaxgrad._core.castable import castable
from jaxgrad._core.diagnosis import diagnosed
from jaxgrad._core.dtype_names import torch_name
from jaxgrad._core.dtypes import as_inexact, common_dtype, promoted
from jaxgrad._core.elementwise import check_kernel, elementwise
from jaxgrad._core.errors import explain, is_traced
from jaxgrad._core.operations import operation
from jaxgrad._core.shapes import broadcast, torch_size
from jaxgrad._core.types import Array
from jaxgrad.nn.functional.activation.sigmoids import logsigmoid
from jaxgrad.nn.functional.loss.reduction import reduce_loss, resolve_reduction


@elementwise(lambda g, x: jnp.where(x >= 0, g, 0))
def hinge(x: Array) -> Array:
    """``clamp_min(x, 0)``, with derivative 1 at 0."""
    return jnp.where(x < 0, 0, x)


@diagnosed
@castable("hinge_embedding_loss")
def hinge_embedding_loss(
    input: Num[Array, "*#shape"],
    target: Num[Array, "*#shape"],
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Num[Array, ""] | Num[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.hinge_embedding_loss``: x where t = 1, :math:`\max(0, m - x)` where t = -1.

    The derivative at the margin is -1.

    Args:
        input: distances, any shape.
        target: 1 or -1, the same shape, or one to be broadcast.
        margin: m.
        size_average: deprecated in torch; see ``reduction``.
        reduce: deprecated in torch; see ``reduction``.
        reduction: 'none', 'mean' or 'sum'.

    Raises:
        ValueError: an unknown reduction.

    >>> hinge_embedding_loss(jnp.array([0.5, 0.25]), jnp.array([1, -1]), reduction="none").tolist()
    [0.5, 0.75]

    Source: torch/nn/functional.py, ``hinge_embedding_loss``.
    """
    reduction = resolve_reduction(reduction, size_average, reduce)
    t, x = broadcast(jnp.asarray(target), jnp.asarray(input))
    _refuse_complex(x)
    x = x.astype(common_dtype(x, margin))
    loss = jnp.where(t != 1, hinge(margin - x), 0) + jnp.where(t != -1, x, 0)
    return reduce_loss(loss, reduction)


@diagnosed
@castable("margin_ranking_loss")
def margin_ranking_loss(
    input1: Num[Array, "*#shape"],
    input2: Num[Array, "*#shape"],
    target: Num[Array, "*#shape"],
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Num[Array, ""] | Num[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.margin_ranking_loss``: :math:`\max(0, -t (x_1 - x_2) + m)`.

    The derivative at the margin is that of the costly side.

    Args:
        input1: x_1, any shape.
        input2: x_2, as many axes.
        target: 1 if x_1 should be the greater, -1 if x_2; as many axes.
        margin: m.
        size_average: deprecated in torch; see ``reduction``.
        reduce: deprecated in torch; see ``reduction``.
        reduction: 'none', 'mean' or 'sum'.

    Raises:
        RuntimeError: ``margin_ranking_loss : All input tensors should have same dimension but got sizes: ...``.
        ValueError: an unknown reduction.

    >>> margin_ranking_loss(jnp.array([1.0]), jnp.array([3.0]), jnp.array([1.0])).item()
    2.0

    Source: torch/nn/functional.py, ``margin_ranking_loss``.
    """
    reduction = resolve_reduction(reduction, size_average, reduce)
    a, b, t = jnp.asarray(input1), jnp.asarray(input2), jnp.asarray(target)
    if not a.ndim == b.ndim == t.ndim:
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {torch_size(a)}, input2: {torch_size(b)}, target: {torch_size(t)} "
        )
    a, b = promoted(*broadcast(a, b))
    t, difference = promoted(*broadcast(t, a - b))
    loss = as_inexact(-t * difference) + margin
    _refuse_complex(loss)
    return reduce_loss(hinge(loss), reduction)


@castable("soft_margin_loss")
@operation("SoftMarginLossBackward0")
def soft_margin_loss(
    input: Num[Array, "*#shape"],
    target: Num[Array, "*#shape"],
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Inexact[Array, ""] | Inexact[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.soft_margin_loss``: :math:`\log(1 + e^{-t x})`.

    The exponential is taken as it stands: where it overflows the loss is inf and its derivative nan, as in torch.

    Args:
        input: any shape.
        target: 1 or -1, the same shape, or one to be broadcast; not differentiated.
        size_average: deprecated in torch; see ``reduction``.
        reduce: deprecated in torch; see ``reduction``.
        reduction: 'none', 'mean' or 'sum'.

    Raises:
        ValueError: an unknown reduction.

    >>> f"{soft_margin_loss(jnp.zeros(1), jnp.ones(1)):.4f}"
    '0.6931'

    Source: torch/nn/functional.py, ``soft_margin_loss``.
    """
    reduction = resolve_reduction(reduction, size_average, reduce)
    x, t = broadcast(jnp.asarray(input), jax.lax.stop_gradient(_signs(target)))
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        raise RuntimeError(f"result type Float can't be cast to the desired output type {torch_name(x.dtype)}")
    signs, values = promoted(t, x)
    return reduce_loss(_soft((-signs * values).astype(x.dtype)), reduction)


def _soft_gradient(g: Array, v: Array) -> Array:
    z = jnp.exp(v)
    return g * (z / (1 + z))


@elementwise(_soft_gradient)
def _soft(v: Array) -> Array:
    return jnp.log1p(jnp.exp(v))


@diagnosed
def multilabel_soft_margin_loss(
    input: Float[Array, "*batch classes"],
    target: Num[Array, "*batch classes"],
    weight: Num[Array, "*#weights"] | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Float[Array, ""] | Float[Array, "*batch"]:
    r"""Mirror of ``torch.nn.functional.multilabel_soft_margin_loss``.

    :math:`-\frac1C \sum_c w_c [t_c \log\sigma(x_c) + (1 - t_c) \log\sigma(-x_c)]`, reduced over what is left.

    Args:
        input: logits, (..., C).
        target: 0 or 1, the same shape, or one to be broadcast.
        weight: (C,), or any shape to be broadcast.
        size_average: deprecated in torch; see ``reduction``.
        reduce: deprecated in torch; see ``reduction``.
        reduction: 'none', 'mean' or 'sum'.

    Raises:
        ValueError: ``avg is not valid``.
        IndexError: an input without axes.

    >>> f"{multilabel_soft_margin_loss(jnp.zeros((1, 2)), jnp.ones((1, 2))):.4f}"
    '0.6931'

    Source: torch/nn/functional.py, ``multilabel_soft_margin_loss``.
    """
    if size_average is not None or reduce is not None:
        reduction = resolve_reduction(reduction, size_average, reduce)
    if jnp.ndim(input) == 0:
        raise IndexError("Dimension specified as -1 but tensor has no dimensions")
    classes = jnp.shape(input)[-1]
    t, x = promoted(*broadcast(jnp.asarray(target), jnp.asarray(input)))
    loss = -(t * logsigmoid(x) + (1 - t) * logsigmoid(-x))
    if weight is not None:
        loss, weight = promoted(*broadcast(loss, jnp.asarray(weight)))
        loss = loss * weight
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not valid")
    return reduce_loss(jnp.sum(loss, -1) / classes, reduction)


@castable("multi_margin_loss")
@operation("MultiMarginLossBackward0")
def multi_margin_loss(
    input: Float[Array, "*batch classes"] | Float[Array, ""],
    target: Integer[Array, "*samples"],
    p: int = 1,
    margin: float = 1.0,
    weight: Float[Array, " classes"] | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Float[Array, ""] | Float[Array, "*samples"]:
    r"""Mirror of ``torch.nn.functional.multi_margin_loss``.

    :math:`\frac1C \sum_{c \ne t} w_t \max(0, m - x_t + x_c)^p`. The derivative at the margin is 0.

    Args:
        input: scores, (N, C) or (C,).
        target: class indices, (N,) or ().
        p: 1 or 2.
        margin: m.
        weight: (C,); not differentiated, as in torch.
        size_average: deprecated in torch; see ``reduction``.
        reduce: deprecated in torch; see ``reduction``.
        reduction: 'none', 'mean' or 'sum'.

    Raises:
        ValueError: ``only p == 1 and p == 2 supported``, or an unknown reduction.
        RuntimeError: shapes that do not fit, in torch's words; ``target out of range`` (inside jit the loss is nan).

    >>> multi_margin_loss(jnp.array([[0.5, 0.25]]), jnp.array([0])).item()
    0.375

    Source: torch/nn/functional.py, ``multi_margin_loss``; Crammer and Singer, 2001.
    """
    reduction = resolve_reduction(reduction, size_average, reduce)
    x, t = jnp.asarray(input), jnp.asarray(target)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    w = None if weight is None else jax.lax.stop_gradient(jnp.asarray(weight))
    _check_multi_margin(x, t, w)
    x2 = x.reshape(-1, x.shape[-1]) if x.ndim else x.reshape(1, 1)
    index = t.reshape(-1, 1)
    own = jnp.take_along_axis(x2, index, 1, mode="fill", fill_value=jnp.nan)
    z = margin - own + x2
    terms = jnp.where(z > 0, z if p == 1 else z * z, jnp.where(jnp.isnan(z), z, 0))
    if w is not None:
        terms = terms * jnp.take(w, index, mode="fill", fill_value=jnp.nan)
    others = jnp.arange(x2.shape[1])[None] != index
    loss = jnp.sum(jnp.where(others, terms, 0), 1) / x2.shape[1]
    return reduce_loss(loss.reshape(()) if x.ndim < 2 else loss, reduction)


@castable("multilabel_margin_loss")
@operation("MultilabelMarginLossBackward0")
def multilabel_margin_loss(
    input: Float[Array, "*batch classes"] | Float[Array, ""],
    target: Integer[Array, "*batch classes"] | Integer[Array, ""],
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Float[Array, ""] | Float[Array, "*batch"]:
    r"""Mirror of ``torch.nn.functional.multilabel_margin_loss``.

    :math:`\frac1C \sum_{j, c} \max(0, 1 - x_{t_j} + x_c)`, where j runs over the targets before the first -1, c over
    the classes that are none of them. The derivative at the margin is 0.

    Args:
        input: scores, (N, C) or (C,).
        target: class indices, filled up with -1, the same shape.
        size_average: deprecated in torch; see ``reduction``.
        reduce: deprecated in torch; see ``reduction``.
        reduction: 'none', 'mean' or 'sum'.

    Raises:
        ValueError: an unknown reduction.
        RuntimeError: shapes that do not fit, in torch's words; ``argument #2 'target' is out of range``.

    >>> multilabel_margin_loss(jnp.array([0.5, 0.25]), jnp.array([0, -1])).item()
    0.375

    Source: torch/nn/functional.py, ``multilabel_margin_loss``.
    """
    reduction = resolve_reduction(reduction, size_average, reduce)
    x, t = jnp.asarray(input), jnp.asarray(target)
    _check_multilabel_margin(x, t)
    x2 = x.reshape(-1, x.shape[-1]) if x.ndim else x.reshape(1, 1)
    index = t.reshape(x2.shape)
    classes = x2.shape[1]
    listed = jnp.cumsum(index < 0, axis=1) == 0  # before the first -1
    hit = (index[:, :, None] == jnp.arange(classes)[None, None]) & listed[:, :, None]
    is_target = jnp.any(hit, 1)
    own = jnp.take_along_axis(x2, jnp.where(listed, index, 0), 1, mode="fill", fill_value=jnp.nan)
    z = 1 - own[:, :, None] + x2[:, None, :]
    terms = jnp.where(z > 0, z, jnp.where(jnp.isnan(z), z, 0))
    counted = listed[:, :, None] & ~is_target[:, None, :]
    loss = jnp.sum(jnp.where(counted, terms, 0), (1, 2)) / classes
    return reduce_loss(loss.reshape(()) if x.ndim < 2 else loss, reduction)


def _refuse_complex(x: Array) -> None:
    if jnp.issubdtype(x.dtype, jnp.complexfloating):
        raise NotImplementedError("clamp is not supported for complex types")


def _check_vector_or_matrix(x: Array) -> None:
    if x.ndim > 2 or (x.size == 0 and not (x.ndim == 2 and x.shape[1])):
        raise RuntimeError(
            f"Expected non-empty vector or matrix with optional 0-dim batch size, but got: {list(x.shape)}"
        )


def _check_multi_margin(x: Array, t: Array, w: Array | None) -> None:
    if w is not None and w.ndim != 1:
        raise ValueError("weight must be one-dimensional")
    _check_vector_or_matrix(x)
    samples = x.shape[0] if x.ndim == 2 else 1
    classes = x.shape[-1] if x.ndim else 1
    if t.ndim > 1 or t.size != samples:
        raise RuntimeError(
            "multi_margin_loss: target tensor should be 1-D with size equal to the number of input samples "
            f"(batch size). Expected target size [{samples}], but got {list(t.shape)}. "
            f"Input has shape {list(x.shape)}."
        )
    if w is not None and w.size != classes:
        raise RuntimeError(f"inconsistent weight size, expected {classes} but got {list(w.shape)}")
    _check_indices(t)
    check_kernel("multi_margin_loss_cpu_kernel", x)
    if not is_traced(t) and bool(((np.asarray(t) < 0) | (np.asarray(t) >= classes)).any()):
        raise RuntimeError(explain("target out of range", expected=f"0 <= target < {classes}"))


def _check_multilabel_margin(x: Array, t: Array) -> None:
    _check_vector_or_matrix(x)
    fits = t.shape == x.shape if x.ndim == 2 else t.ndim <= 1 and t.size == (x.size if x.ndim else 1)
    if not fits:
        raise RuntimeError(
            f"inconsistent target size: {list(t.shape)} for input of size: {list(x.shape)}",
        )
    _check_indices(t)
    classes = x.shape[-1] if x.ndim else 1
    if not is_traced(t) and t.size:
        values = np.asarray(t)
        if values.min() < -1 or values.max() >= classes:
            raise RuntimeError(explain("argument #2 'target' is out of range", expected=f"-1 <= target < {classes}"))


def _check_indices(t: Array) -> None:
    if not jnp.issubdtype(t.dtype, jnp.integer):
        raise RuntimeError(explain(f"expected scalar type Long but found {torch_name(t.dtype)}", got=t.dtype))


def _signs(target: Array) -> Array:
    """1 and -1; true and false as 1 and 0, as torch takes them."""
    t = jnp.asarray(target)
    return t.astype(jnp.int32) if t.dtype == bool else t
