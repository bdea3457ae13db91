"""Losses that pull embeddings together or apart."""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Inexact, Num, Shaped

from jaxgrad._core.arguments import as_number
from jaxgrad._core.castable import castable
from jaxgrad._core.diagnosis import diagnosed
from jaxgrad._core.dtypes import as_inexact
from jaxgrad._core.shapes import broadcast
from jaxgrad._core.types import Array
from jaxgrad.nn.functional.distance import pairwise_distance
from jaxgrad.nn.functional.loss.margin import hinge
from jaxgrad.nn.functional.loss.reduction import check_reduction, reduce_loss, resolve_reduction

_EPSILON = 1e-12


@diagnosed
@castable("cosine_embedding_loss")
def cosine_embedding_loss(
    input1: Num[Array, "*#vectors"],
    input2: Num[Array, "*#vectors"],
    target: Num[Array, "*#samples"],
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Inexact[Array, ""] | Inexact[Array, "*losses"]:
    r"""Mirror of ``torch.nn.functional.cosine_embedding_loss``: :math:`1 - \cos` where t = 1,
    :math:`\max(0, \cos - m)` where t = -1.

    :math:`\cos = x_1 \cdot x_2 / \sqrt{(|x_1|^2 + 10^{-12}) (|x_2|^2 + 10^{-12})}`. The derivative at the margin is
    that of the costly side.

    Args:
        input1: (N, D) or (D,).
        input2: the same shape.
        target: 1 or -1, (N,) or ().
        margin: m.
        size_average: deprecated in torch; see ``reduction``.
        reduce: deprecated in torch; see ``reduction``.
        reduction: 'none', 'mean' or 'sum'.

    Raises:
        RuntimeError: shapes that do not fit, in torch's words.
        ValueError: an unknown reduction.

    >>> a = jnp.array([[1.0, 0.0]])
    >>> cosine_embedding_loss(a, a, jnp.array([-1])).item()
    1.0

    Source: torch/nn/functional.py, ``cosine_embedding_loss``.
    """
    reduction = resolve_reduction(reduction, size_average, reduce)
    a, b, t = jnp.asarray(input1), jnp.asarray(input2), jnp.asarray(target)
    if t.ndim > 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if not a.ndim == b.ndim == t.ndim + 1:
        raise RuntimeError(
            f"{t.ndim}D target tensor expects {t.ndim + 1}D input tensors, "
            f"but found inputs with sizes {list(a.shape)} and {list(b.shape)}."
        )
    a, b = broadcast(as_inexact(a), as_inexact(b))
    size1, size2 = (jnp.sum(x * x, t.ndim) + _EPSILON for x in (a, b))
    cosine = jnp.sum(a * b, t.ndim) / jnp.sqrt(size1 * size2)
    t, cosine = broadcast(t, cosine)
    loss = jnp.where(t == 1, 1 - cosine, 0) + jnp.where(t == -1, hinge(cosine - margin), 0)
    return reduce_loss(loss, reduction)


@diagnosed
@castable("triplet_margin_loss")
def triplet_margin_loss(
    anchor: Num[Array, "*#vectors"],
    positive: Num[Array, "*#vectors"],
    negative: Num[Array, "*#vectors"],
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Num[Array, ""] | Num[Array, "*losses"]:
    r"""Mirror of ``torch.nn.functional.triplet_margin_loss``: :math:`\max(0, m + d(a, p) - d(a, n))`.

    :math:`d(x, y) = |x - y + \varepsilon|_p`. The derivative at the margin is that of the costly side.

    Args:
        anchor: a, (..., D).
        positive: p, as many axes, to be near the anchor.
        negative: n, as many axes, to be far from it.
        margin: m, positive.
        p: degree of the norm.
        eps: added to every difference.
        swap: whether d(p, n) is taken where it is less than d(a, n).
        size_average: deprecated in torch; see ``reduction``.
        reduce: deprecated in torch; see ``reduction``.
        reduction: 'none', 'mean' or 'sum'.

    Raises:
        ValueError: ``margin must be greater than 0, got ...``, or an unknown reduction.
        RuntimeError: ``The anchor, positive, and negative tensors are expected to have the same number of
            dimensions, ...``.

    >>> a = jnp.array([[1.0, 0.0]])
    >>> triplet_margin_loss(a, a, a).item()
    1.0

    Source: torch/nn/functional.py, ``triplet_margin_loss``; Balntas et al., 2016.
    """
    reduction = resolve_reduction(reduction, size_average, reduce)

    def distance(x: Array, y: Array) -> Array:
        return pairwise_distance(x, y, p, eps)

    return _triplet(anchor, positive, negative, distance, margin, swap, reduction)


@diagnosed
def triplet_margin_with_distance_loss(
    anchor: Shaped[Array, "*#vectors"],
    positive: Shaped[Array, "*#vectors"],
    negative: Shaped[Array, "*#vectors"],
    *,
    distance_function: Callable[[Array, Array], Array] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Num[Array, ""] | Num[Array, "*losses"]:
    r"""Mirror of ``torch.nn.functional.triplet_margin_with_distance_loss``: :func:`triplet_margin_loss` with a distance
    of one's own.

    Args:
        anchor: a.
        positive: p, as many axes, to be near the anchor.
        negative: n, as many axes, to be far from it.
        distance_function: of two arrays; ``pairwise_distance`` if it is None.
        margin: m, positive.
        swap: whether d(p, n) is taken where it is less than d(a, n).
        reduction: 'none', 'mean' or 'sum'.

    Raises:
        ValueError: ``margin must be greater than 0, got ...``, or an unknown reduction.
        RuntimeError: another number of axes.

    >>> a = jnp.array([[1.0, 0.0]])
    >>> triplet_margin_with_distance_loss(a, a, a, distance_function=lambda x, y: jnp.sum((x - y) ** 2, -1)).item()
    1.0

    Source: torch/nn/functional.py, ``triplet_margin_with_distance_loss``.
    """
    check_reduction(reduction)
    return _triplet(anchor, positive, negative, distance_function or pairwise_distance, margin, swap, reduction)


def _triplet(
    anchor: Array,
    positive: Array,
    negative: Array,
    distance: Callable[[Array, Array], Array],
    margin: float,
    swap: bool,
    reduction: str,
) -> Array:
    margin = as_number(margin, "margin", "triplet_margin_loss")
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    a, p, n = (jnp.asarray(x) for x in (anchor, positive, negative))
    if not a.ndim == p.ndim == n.ndim:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, "
            f"but got: anchor {a.ndim}D, positive {p.ndim}D, and negative {n.ndim}D inputs"
        )
    near, far = distance(a, p), distance(a, n)
    if swap:
        far = jnp.minimum(*broadcast(far, distance(p, n)))
    near, far = broadcast(near, far)
    return reduce_loss(hinge(margin + near - far), reduction)
