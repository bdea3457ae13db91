"""Flattening of axes."""

import math

import jax.numpy as jnp

from jaxgrad._core.shapes import axis_of
from jaxgrad._core.types import Array
from jaxgrad.nn.modules.module import Module


class Flatten(Module):
    """Mirror of ``torch.nn.Flatten``: makes one axis of the axes from ``start_dim`` to ``end_dim``, both included.

    Args:
        start_dim: first axis; 1 keeps the batch.
        end_dim: last axis.

    Raises:
        IndexError: an axis out of range, when called.
        RuntimeError: ``start_dim`` after ``end_dim``, when called.

    >>> Flatten()(jnp.zeros((2, 28, 28))).shape
    (2, 784)

    Source: torch/nn/modules/flatten.py.
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1):
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Array) -> Array:
        """(..., d_start, ..., d_end, ...) -> (..., product, ...)."""
        input = jnp.asarray(input)
        start, end = (axis_of(dim, input.ndim) for dim in (self.start_dim, self.end_dim))
        if start > end:
            raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
        shape = input.shape
        return input.reshape(shape[:start] + (math.prod(shape[start : end + 1]),) + shape[end + 1 :])

    def extra_repr(self) -> str:
        """Torch's."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"
