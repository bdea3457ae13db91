"""Shapes as torch writes them, and explicit broadcasting.

JAX may be told to refuse implicit broadcasting between ranks; the library itself always broadcasts by name.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxgrad._core.types import Array


def torch_size(value: Any) -> str:
    """The shape of an array in torch's words.

    >>> torch_size(np.zeros((4, 1)))
    'torch.Size([4, 1])'
    """
    return f"torch.Size({list(np.shape(value))})"


def broadcast_shape(*arrays: Any) -> tuple[int, ...]:
    """The common shape of arrays under the rule that both libraries share.

    Raises:
        RuntimeError: torch's sentence, naming the first pair that does not fit.

    >>> broadcast_shape(np.zeros((4, 2)), np.zeros((4, 3)))
    Traceback (most recent call last):
        ...
    RuntimeError: The size of tensor a (2) must match the size of tensor b (3) at non-singleton dimension 1
    """
    shape: tuple[int, ...] = ()
    for array in arrays:
        other = np.shape(array)
        ndim = max(len(shape), len(other))
        a = (1,) * (ndim - len(shape)) + shape
        b = (1,) * (ndim - len(other)) + other
        for dim, (m, n) in reversed(list(enumerate(zip(a, b, strict=True)))):
            if m != n and 1 not in (m, n):
                raise RuntimeError(
                    f"The size of tensor a ({m}) must match the size of tensor b ({n}) at non-singleton dimension {dim}"
                )
        shape = tuple(n if m == 1 else m for m, n in zip(a, b, strict=True))
    return shape


def broadcast(*arrays: Array) -> tuple[Array, ...]:
    """All arrays in their common shape, after ``torch.broadcast_tensors``."""
    shape = broadcast_shape(*arrays)
    return tuple(jnp.broadcast_to(array, shape) for array in arrays)


def along(vector: Array, axis: int, ndim: int) -> Array:
    """A vector laid along one axis of an ``ndim``-dimensional array, ready to multiply it.

    >>> along(jnp.ones(3), 1, 4).shape
    (1, 3, 1, 1)
    """
    shape = [1] * ndim
    shape[axis] = -1
    return vector.reshape(shape)


def axis_of(dim: int, ndim: int) -> int:
    """An axis as a number from 0, counted from the end if it is negative; an array without axes has one to name.

    Raises:
        IndexError: torch's sentence.

    >>> axis_of(-1, 3)
    2
    >>> axis_of(5, 2)
    Traceback (most recent call last):
        ...
    IndexError: Dimension out of range (expected to be in range of [-2, 1], but got 5)
    """
    n = max(ndim, 1)
    if not -n <= dim < n:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})")
    return dim % n
