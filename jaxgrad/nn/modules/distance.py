"""Distances as modules."""

from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F
from jaxgrad.nn.modules.module import Module


class PairwiseDistance(Module):
    r"""Mirror of ``torch.nn.PairwiseDistance``: :math:`|x_1 - x_2 + \varepsilon|_p` along the last axis.

    Args:
        p: degree of the norm.
        eps: added to the difference.
        keepdim: whether the last axis stays with size 1.

    >>> import jax.numpy as jnp
    >>> PairwiseDistance(eps=0.0)(jnp.array([3.0, 4.0]), jnp.zeros(2)).item()
    5.0

    Source: torch/nn/modules/distance.py.
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False):
        self.norm = p
        self.eps = eps
        self.keepdim = keepdim

    def forward(self, x1: Array, x2: Array) -> Array:
        """(N, D) or (D,) both -> (N,) or ()."""
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)


class CosineSimilarity(Module):
    r"""Mirror of ``torch.nn.CosineSimilarity``: :math:`x_1 \cdot x_2 / (|x_1| |x_2|)` along ``dim``.

    Args:
        dim: the axis of the vectors.
        eps: least norm.

    >>> import jax.numpy as jnp
    >>> CosineSimilarity()(jnp.array([[1.0, 0.0]]), jnp.array([[2.0, 0.0]])).tolist()
    [1.0]

    Source: torch/nn/modules/distance.py.
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8):
        self.dim = dim
        self.eps = eps

    def forward(self, x1: Array, x2: Array) -> Array:
        """Any shapes that can be broadcast."""
        return F.cosine_similarity(x1, x2, self.dim, self.eps)
