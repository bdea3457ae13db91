"""Initial values most of which are nothing."""

import math
from functools import partial
from typing import Any

import jax.numpy as jnp

from jaxgrad._core.arguments import as_number
from jaxgrad._core.dtypes import keep_dtype
from jaxgrad._core.errors import explain
from jaxgrad._core.types import Shape
from jaxgrad.nn.init.fans import Drawn
from jaxgrad.random import Generator, host
from jaxgrad.random.checks import as_shape, check_std, takes_generator
from jaxgrad.random.dispatch import draw
from jaxgrad.random.dtypes import FLOATS, check_dtype


@takes_generator
def sparse(
    generator: Generator, shape: Shape, sparsity: float, std: float = 0.01, *, dtype: Any = jnp.float32
) -> Drawn:
    """N(0, std^2) with a share ``sparsity`` of every column set to 0: ``torch.nn.init.sparse_``.

    One generator draws the normals and then the places of the zeros, as torch's default generator does when none is
    given (with one given, torch still takes the places from the default generator).

    Args:
        generator: where the stream stands.
        shape: (rows, columns).
        sparsity: the share of each column that is 0.
        std: of the others.
        dtype: float32, float64, bfloat16 or float16.

    Returns:
        The values, and the generator after them.

    Raises:
        ValueError: ``Only tensors with 2 dimensions are supported``, or a sparsity that is no share.

    >>> from jaxgrad import random
    >>> value, generator = sparse(random.manual_seed(0), (10, 3), sparsity=0.25)
    >>> (value == 0).sum(axis=0).tolist()
    [3, 3, 3]

    Source: Martens, 2010.
    """
    shape = as_shape(shape)
    if len(shape) != 2:
        raise ValueError(explain("Only tensors with 2 dimensions are supported", got=shape))
    dtype = keep_dtype(check_dtype(dtype, FLOATS, "normal_kernel_cpu"))
    sparsity, std = as_number(sparsity, "sparsity", "sparse"), as_number(std, "std", "sparse")
    check_std(std)
    if not math.isfinite(sparsity):
        raise ValueError(explain("sparsity must be a share of a column", got=sparsity, expected="0 to 1"))
    zeros = math.ceil(sparsity * shape[0])
    fill = partial(host.sparse_columns, shape=shape, zeros=zeros, std=std, dtype=dtype)
    return draw(generator, fill, shape=shape, dtype=dtype)
