"""The adaptive softmax: frequent classes are looked at at once, rare ones in clusters of their own."""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.errors import explain, is_traced
from jaxgrad._core.shapes import torch_size
from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F
from jaxgrad.nn.modules.container import ModuleList, Sequential
from jaxgrad.nn.modules.linear import Linear
from jaxgrad.nn.modules.module import Module
from jaxgrad.nn.rngs import Rngs


class ASMoutput(NamedTuple):
    """What :class:`AdaptiveLogSoftmaxWithLoss` returns: log-probabilities of the targets, and minus their mean."""

    output: Array
    loss: Array


class AdaptiveLogSoftmaxWithLoss(Module):
    r"""Mirror of ``torch.nn.AdaptiveLogSoftmaxWithLoss``: the log-softmax over very many classes, by clusters.

    Classes below the first cutoff have an entry of their own in the head, each cluster of the others has one too:
    :math:`\log p(c) = \log p_\mathrm{head}(\mathrm{cluster}) + \log p_\mathrm{cluster}(c)`. Differs from torch in that
    every cluster is computed for every row, since shapes are fixed under jit.

    Args:
        in_features: size of the last axis of the input.
        n_classes: number of classes, the most frequent first.
        cutoffs: where clusters begin, increasing.
        div_value: by how much smaller each cluster's projection is than the one before.
        head_bias: whether the head has a bias.
        device: a JAX device to put the parameters on.
        dtype: of the parameters, float32 by default.
        rngs: where initial values are drawn from.

    Raises:
        ValueError: cutoffs that are not unique, positive, increasing and below ``n_classes``, in torch's words.
        RuntimeError: called with shapes that do not fit, or a target out of range (inside jit its output is nan).

    >>> from jaxgrad import nn, random
    >>> softmax = nn.AdaptiveLogSoftmaxWithLoss(16, 20, [4, 10], rngs=nn.Rngs(random.manual_seed(0)))
    >>> output, loss = softmax(jnp.ones((3, 16)), jnp.array([1, 5, 19]))
    >>> output.shape, softmax.log_prob(jnp.ones((3, 16))).shape
    ((3,), (3, 20))

    Source: torch/nn/modules/adaptive.py; Grave et al., 2017.
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: jax.Device | None = None,
        dtype: Any = None,
        *,
        rngs: Rngs,
    ):
        bounds = list(cutoffs)
        if not bounds:
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        unique = bounds == sorted(bounds) and len(set(bounds)) == len(bounds)
        if not unique or bounds[0] <= 0 or bounds[-1] > n_classes - 1 or any(int(c) != c for c in bounds):
            raise ValueError(
                "cutoffs should be a sequence of unique, positive integers sorted in an increasing order, "
                "where each value is between 1 and n_classes-1"
            )
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = (*bounds, n_classes)
        if not div_value > 0:
            raise ValueError(
                explain("the clusters become smaller by div_value", got=div_value, expected="div_value > 0")
            )
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = bounds[0]
        self.n_clusters = len(bounds)
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, head_bias, device, dtype, rngs=rngs)
        self.tail = ModuleList()
        for i, (low, high) in enumerate(itertools.pairwise(self.cutoffs)):
            hidden = int(in_features // div_value ** (i + 1))
            self.tail.append(
                Sequential(
                    Linear(in_features, hidden, False, device, dtype, rngs=rngs),
                    Linear(hidden, high - low, False, device, dtype, rngs=rngs),
                )
            )

    def forward(self, input_: Array, target_: Array) -> ASMoutput:
        """(N, in_features) and (N,), or (in_features,) and () -> ASMoutput of (N,) or (), and a scalar."""
        x, target = jnp.asarray(input_), jnp.asarray(target_)
        self._check(x, target)
        batched = target.ndim > 0
        if not batched:
            x, target = x[None], target[None]
        output = jnp.take_along_axis(
            self.log_prob(x), target[:, None].astype(jnp.int32), 1, mode="fill", fill_value=jnp.nan
        )[:, 0]
        loss = -jnp.sum(output) / output.size
        return ASMoutput(output if batched else output[0], loss)

    def log_prob(self, input: Array) -> Array:
        """Log-probabilities of all classes: (N, in_features) -> (N, n_classes)."""
        head = F.log_softmax(self.head(input), 1)
        parts = [head[:, : self.shortlist_size]]
        for i, cluster in enumerate(self.tail):
            parts.append(F.log_softmax(cluster(input), 1) + head[:, self.shortlist_size + i, None])
        return jnp.concatenate(parts, 1)

    def predict(self, input: Array) -> Array:
        """The class that the head, or the cluster that it chose, holds most probable: (N, in_features) -> (N,)."""
        first = jnp.argmax(self.head(input), 1)
        return jnp.where(first < self.shortlist_size, first, jnp.argmax(self.log_prob(input), 1))

    def _check(self, x: Array, target: Array) -> None:
        if target.ndim > 1:
            raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
        if target.ndim == 1 and x.shape[0] != target.shape[0]:
            raise RuntimeError("Input and target should have the same size in the batch dimension.")
        if x.ndim != target.ndim + 1:
            raise RuntimeError(
                f"{target.ndim}D target tensor expects {target.ndim + 1}D input tensors, "
                f"but found inputs with size {torch_size(x)}"
            )
        if not is_traced(target) and target.size:
            values = np.asarray(target)
            if values.min() < 0 or values.max() >= self.n_classes:
                raise RuntimeError(
                    f"Target values should be in [0, {self.n_classes - 1}], but values in range "
                    f"[{values.min()}, {values.max()}] were found. "
                )
