"""Losses of ``torch.nn.functional``.

- ``regression``, ``mse``: of a difference
- ``nll``, ``cross_entropy``, ``linear_cross_entropy``: of class indices and class probabilities
- ``binary_cross_entropy_with_logits``, ``likelihood``: of probabilities, rates and variances
- ``margin``, ``embedding``: of a margin between scores or distances
- ``ctc``: of a sequence
- ``reduction``: how a loss per element becomes one number
"""

from jaxgrad.nn.functional.loss.binary_cross_entropy_with_logits import binary_cross_entropy_with_logits
from jaxgrad.nn.functional.loss.cross_entropy import cross_entropy
from jaxgrad.nn.functional.loss.ctc import ctc_loss
from jaxgrad.nn.functional.loss.embedding import (
    cosine_embedding_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)
from jaxgrad.nn.functional.loss.likelihood import (
    binary_cross_entropy,
    gaussian_nll_loss,
    kl_div,
    poisson_nll_loss,
)
from jaxgrad.nn.functional.loss.linear_cross_entropy import linear_cross_entropy
from jaxgrad.nn.functional.loss.margin import (
    hinge_embedding_loss,
    margin_ranking_loss,
    multi_margin_loss,
    multilabel_margin_loss,
    multilabel_soft_margin_loss,
    soft_margin_loss,
)
from jaxgrad.nn.functional.loss.mse import mse_loss
from jaxgrad.nn.functional.loss.nll import nll_loss
from jaxgrad.nn.functional.loss.regression import huber_loss, l1_loss, smooth_l1_loss

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cosine_embedding_loss",
    "cross_entropy",
    "ctc_loss",
    "gaussian_nll_loss",
    "hinge_embedding_loss",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "linear_cross_entropy",
    "margin_ranking_loss",
    "mse_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "nll_loss",
    "poisson_nll_loss",
    "smooth_l1_loss",
    "soft_margin_loss",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]
