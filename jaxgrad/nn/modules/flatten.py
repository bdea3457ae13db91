"""Flattening of axes, and its opposite."""

import math
from typing import Any

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


class Unflatten(Module):
    """Mirror of ``torch.nn.Unflatten``: makes several axes of one.

    Args:
        dim: the axis.
        unflattened_size: a tuple or list of sizes; one may be -1.

    Raises:
        TypeError: ``unflattened_size must be tuple of ints, ...``.
        RuntimeError: ``unflatten: Provided sizes ... don't multiply up to the size of dim ...``, when called.
        IndexError: an axis out of range, when called.

    >>> Unflatten(1, (3, -1))(jnp.zeros((2, 12))).shape
    (2, 3, 4)

    Source: torch/nn/modules/flatten.py.
    """

    def __init__(self, dim: int, unflattened_size: Any):
        if not isinstance(unflattened_size, tuple | list):
            kind = type(unflattened_size).__name__
            raise TypeError(f"unflattened_size must be a tuple of ints, but found type {kind}")
        for i, size in enumerate(unflattened_size):
            if not isinstance(size, int):
                raise TypeError(
                    "unflattened_size must be tuple of ints, "
                    f"but found element of type {type(size).__name__} at pos {i}"
                )
        self.dim = dim
        self.unflattened_size = unflattened_size

    def forward(self, input: Array) -> Array:
        """(..., d, ...) -> (..., unflattened_size, ...)."""
        input = jnp.asarray(input)
        if not isinstance(self.dim, int):
            raise TypeError(f"unflatten(): argument 'dim' (position 1) must be int, not {type(self.dim).__name__}")
        sizes = list(self.unflattened_size)
        if not sizes:
            raise RuntimeError("unflatten: sizes must be non-empty")
        dim = axis_of(self.dim, input.ndim)
        length = input.shape[dim]
        known = math.prod(size for size in sizes if size != -1)
        if sizes.count(-1) > 1 or min(sizes) < -1 or (-1 in sizes and known == 0):
            raise RuntimeError(f"unflatten got an unexpected error:\n  sizes {sizes} of an axis of {length}")
        if -1 in sizes and length % known == 0:
            sizes[sizes.index(-1)] = length // known
        if -1 in sizes or math.prod(sizes) != length:
            raise RuntimeError(
                f"unflatten: Provided sizes {list(self.unflattened_size)} don't multiply up to the size of "
                f"dim {dim} ({length}) in the input tensor"
            )
        return input.reshape(input.shape[:dim] + tuple(sizes) + input.shape[dim + 1 :])

    def extra_repr(self) -> str:
        """Torch's."""
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
