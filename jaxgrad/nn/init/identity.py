"""Initial values under which a layer passes its input on."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Num

from jaxgrad._core.arguments import as_integer
from jaxgrad._core.dtypes import keep_dtype
from jaxgrad._core.errors import explain
from jaxgrad._core.types import Array, Shape
from jaxgrad.random.checks import as_shape


def eye(shape: Shape, *, dtype: Any = jnp.float32) -> Num[Array, "rows columns"]:
    """The identity, as far as the matrix reaches: ``torch.nn.init.eye_``.

    Args:
        shape: (rows, columns).
        dtype: of the values.

    Returns:
        The matrix; nothing is drawn.

    Raises:
        ValueError: ``Only tensors with 2 dimensions are supported``.

    >>> print(eye((2, 3)))
    [[1. 0. 0.]
     [0. 1. 0.]]
    """
    shape = as_shape(shape)
    if len(shape) != 2:
        raise ValueError(explain("Only tensors with 2 dimensions are supported", got=shape))
    return jnp.eye(*shape, dtype=keep_dtype(dtype))


def dirac(shape: Shape, groups: int = 1, *, dtype: Any = jnp.float32) -> Num[Array, "out_channels in_channels *kernel"]:
    """The kernel that passes as many input channels on as possible: ``torch.nn.init.dirac_``.

    Args:
        shape: (out, in, *receptive field) with 1 to 3 spatial axes.
        groups: of the convolution; each group passes its own channels on.
        dtype: of the values.

    Returns:
        The kernel; nothing is drawn.

    Raises:
        ValueError: ``Only tensors with 3, 4, or 5 dimensions are supported`` or
            ``dim 0 must be divisible by groups``.

    >>> print(dirac((2, 2, 3))[:, :, 1])
    [[1. 0.]
     [0. 1.]]
    """
    shape = as_shape(shape)
    if len(shape) not in (3, 4, 5):
        raise ValueError(explain("Only tensors with 3, 4, or 5 dimensions are supported", got=shape))
    groups, dtype = as_integer(groups, "groups", "dirac"), keep_dtype(dtype)
    if groups == 0 or shape[0] % groups:
        raise ValueError(explain("dim 0 must be divisible by groups", got=f"{shape[0]} and {groups}"))
    outputs = shape[0] // groups
    channel = np.arange(min(outputs, shape[1]))
    centre = tuple(size // 2 for size in shape[2:])
    value = np.zeros(shape, dtype)
    for group in range(groups):
        place: tuple[Any, ...] = (group * outputs + channel, channel, *centre)
        value[place] = 1
    return jnp.asarray(value)
