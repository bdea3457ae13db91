"""Losses of a margin as modules: what each computes is said at the function of the same name in ``nn.functional``."""

from collections.abc import Callable

import numpy as np

from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F
from jaxgrad.nn.modules.distance import PairwiseDistance
from jaxgrad.nn.modules.loss_base import Loss, WeightedLoss, value_of


class HingeEmbeddingLoss(Loss):
    r"""Mirror of ``torch.nn.HingeEmbeddingLoss``: x where t = 1, :math:`\max(0, m - x)` where t = -1.

    Args:
        margin: how much it takes to cost nothing.
        size_average: deprecated in torch; see ``reduction``.
        reduce: deprecated in torch; see ``reduction``.
        reduction: 'none', 'mean' or 'sum'.

    >>> HingeEmbeddingLoss(0.5).margin
    0.5

    Source: torch/nn/modules/loss.py.
    """

    def __init__(
        self, margin: float = 1.0, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"
    ):
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input: Array, target: Array) -> Array:
        """Shapes as the function of the same name takes them."""
        return F.hinge_embedding_loss(input, target, self.margin, reduction=self.reduction)


class SoftMarginLoss(Loss):
    r"""Mirror of ``torch.nn.SoftMarginLoss``: :math:`\log(1 + e^{-t x})`.

    Args:
        size_average: deprecated in torch; see ``reduction``.
        reduce: deprecated in torch; see ``reduction``.
        reduction: 'none', 'mean' or 'sum'.

    >>> SoftMarginLoss()
    SoftMarginLoss()

    Source: torch/nn/modules/loss.py.
    """

    _function = staticmethod(F.soft_margin_loss)


class MultiLabelMarginLoss(Loss):
    r"""Mirror of ``torch.nn.MultiLabelMarginLoss``: every target by a margin above every other class.

    Args:
        size_average: deprecated in torch; see ``reduction``.
        reduce: deprecated in torch; see ``reduction``.
        reduction: 'none', 'mean' or 'sum'.

    >>> import jax.numpy as jnp
    >>> MultiLabelMarginLoss()(jnp.array([0.5, 0.25]), jnp.array([0, -1])).item()
    0.375

    Source: torch/nn/modules/loss.py.
    """

    _function = staticmethod(F.multilabel_margin_loss)


class MultiLabelSoftMarginLoss(WeightedLoss):
    r"""Mirror of ``torch.nn.MultiLabelSoftMarginLoss``: the mean over classes of the binary cross-entropies.

    Args:
        weight: a factor for each class, (C,); becomes a buffer.
        size_average: deprecated in torch; see ``reduction``.
        reduce: deprecated in torch; see ``reduction``.
        reduction: 'none', 'mean' or 'sum'.

    >>> MultiLabelSoftMarginLoss()
    MultiLabelSoftMarginLoss()

    Source: torch/nn/modules/loss.py.
    """

    _function = staticmethod(F.multilabel_soft_margin_loss)


class MultiMarginLoss(WeightedLoss):
    r"""Mirror of ``torch.nn.MultiMarginLoss``: :math:`\frac1C \sum_{c \ne t} w_t \max(0, m - x_t + x_c)^p`.

    Args:
        p: 1 or 2.
        margin: how much it takes to cost nothing.
        weight: a factor for each class, (C,); becomes a buffer.
        size_average: deprecated in torch; see ``reduction``.
        reduce: deprecated in torch; see ``reduction``.
        reduction: 'none', 'mean' or 'sum'.

    >>> import jax.numpy as jnp
    >>> MultiMarginLoss()(jnp.array([[0.5, 0.25]]), jnp.array([0])).item()
    0.375

    Source: Crammer and Singer, 2001.
    """

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: Array | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ):
        if p not in (1, 2):
            raise ValueError("only p == 1 and p == 2 supported")
        if weight is not None and np.ndim(weight) != 1:
            raise ValueError(
                f"MultiMarginLoss: expected weight to be None or 1D tensor, got {np.ndim(weight)}D instead"
            )
        super().__init__(weight, size_average, reduce, reduction)
        self.p = p
        self.margin = margin

    def forward(self, input: Array, target: Array) -> Array:
        """Shapes as the function of the same name takes them."""
        return F.multi_margin_loss(input, target, self.p, self.margin, value_of(self.weight), reduction=self.reduction)


class MarginRankingLoss(Loss):
    r"""Mirror of ``torch.nn.MarginRankingLoss``: :math:`\max(0, -t (x_1 - x_2) + m)`.

    Args:
        margin: how much it takes to cost nothing.
        size_average: deprecated in torch; see ``reduction``.
        reduce: deprecated in torch; see ``reduction``.
        reduction: 'none', 'mean' or 'sum'.

    >>> MarginRankingLoss(0.5).margin
    0.5

    Source: torch/nn/modules/loss.py.
    """

    def __init__(
        self, margin: float = 0.0, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"
    ):
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input1: Array, input2: Array, target: Array) -> Array:
        """Shapes as the function of the same name takes them."""
        return F.margin_ranking_loss(input1, input2, target, self.margin, reduction=self.reduction)


class CosineEmbeddingLoss(Loss):
    r"""Mirror of ``torch.nn.CosineEmbeddingLoss``: :math:`1 - \cos` or :math:`\max(0, \cos - m)`.

    Args:
        margin: how much it takes to cost nothing.
        size_average: deprecated in torch; see ``reduction``.
        reduce: deprecated in torch; see ``reduction``.
        reduction: 'none', 'mean' or 'sum'.

    >>> CosineEmbeddingLoss(0.5).margin
    0.5

    Source: torch/nn/modules/loss.py.
    """

    def __init__(
        self, margin: float = 0.0, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"
    ):
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input1: Array, input2: Array, target: Array) -> Array:
        """Shapes as the function of the same name takes them."""
        return F.cosine_embedding_loss(input1, input2, target, self.margin, reduction=self.reduction)


class TripletMarginLoss(Loss):
    r"""Mirror of ``torch.nn.TripletMarginLoss``: :math:`\max(0, m + d(a, p) - d(a, n))`.

    Args:
        margin: how much it takes to cost nothing.
        p: degree of the norm.
        eps: added to every difference.
        swap: whether d(p, n) is taken where it is less than d(a, n).
        size_average: deprecated in torch; see ``reduction``.
        reduce: deprecated in torch; see ``reduction``.
        reduction: 'none', 'mean' or 'sum'.

    >>> TripletMarginLoss(0.5).margin
    0.5

    Source: Balntas et al., 2016.
    """

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ):
        if margin <= 0:
            raise ValueError(f"TripletMarginLoss: expected margin to be greater than 0, got {margin} instead")
        super().__init__(size_average, reduce, reduction)
        self.margin = margin
        self.p = p
        self.eps = eps
        self.swap = swap

    def forward(self, anchor: Array, positive: Array, negative: Array) -> Array:
        """Shapes as the function of the same name takes them."""
        return F.triplet_margin_loss(
            anchor, positive, negative, self.margin, self.p, self.eps, self.swap, reduction=self.reduction
        )


class TripletMarginWithDistanceLoss(Loss):
    r"""Mirror of ``torch.nn.TripletMarginWithDistanceLoss``: :class:`TripletMarginLoss` with a distance of one's own.

    Args:
        distance_function: of two arrays; a :class:`PairwiseDistance` if it is None.
        margin: how much it takes to cost nothing.
        swap: whether d(p, n) is taken where it is less than d(a, n).
        reduction: 'none', 'mean' or 'sum'.

    >>> TripletMarginWithDistanceLoss()
    TripletMarginWithDistanceLoss(
      (distance_function): PairwiseDistance()
    )

    Source: torch/nn/modules/loss.py.
    """

    def __init__(
        self,
        *,
        distance_function: Callable[[Array, Array], Array] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ):
        if margin <= 0:
            raise ValueError(
                f"TripletMarginWithDistanceLoss: expected margin to be greater than 0, got {margin} instead"
            )
        super().__init__(None, None, reduction)
        self.distance_function = PairwiseDistance() if distance_function is None else distance_function
        self.margin = margin
        self.swap = swap

    def forward(self, anchor: Array, positive: Array, negative: Array) -> Array:
        """Shapes as the function of the same name takes them."""
        return F.triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            distance_function=self.distance_function,
            margin=self.margin,
            swap=self.swap,
            reduction=self.reduction,
        )
