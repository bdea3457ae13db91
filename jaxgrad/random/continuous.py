"""Real-valued draws: uniform, normal, and what torch makes of them."""

from functools import partial
from typing import Any

import jax.numpy as jnp

from jaxgrad._core.dtypes import keep_dtype
from jaxgrad._core.types import Array
from jaxgrad.random import host
from jaxgrad.random.checks import Shape, as_shape, check_std, check_uniform
from jaxgrad.random.dispatch import draw
from jaxgrad.random.dtypes import FLOATS, check_dtype
from jaxgrad.random.generator import Generator


def rand(generator: Generator, shape: Shape | int, *, dtype: Any = jnp.float32) -> tuple[Array, Generator]:
    """Uniform on [0, 1): ``torch.rand(shape)``, bit for bit. See :func:`uniform`.

    >>> from jaxgrad import random
    >>> value, generator = random.rand(random.manual_seed(0), 3)
    >>> print(value)
    [0.4962566 0.7682218 0.08847743]
    """
    return uniform(generator, shape, dtype=dtype)


def uniform(
    generator: Generator, shape: Shape | int, low: float = 0.0, high: float = 1.0, *, dtype: Any = jnp.float32
) -> tuple[Array, Generator]:
    """Uniform on [low, high): ``torch.empty(shape).uniform_(low, high)``, bit for bit.

    u * (high - low) + low with one rounding, u of 24 random bits (53 for float64).

    Args:
        generator: where the stream stands.
        shape: sizes, or one size.
        low, high: bounds, Python numbers.
        dtype: float32, float64, bfloat16 or float16.

    Returns:
        The values, and the generator after them: one word of the stream a value, two for float64.

    Raises:
        RuntimeError: ``uniform_ expects to return a [from, to) range, but found from=2 > to=1`` and its kin.
        NotImplementedError: an integer dtype.

    >>> from jaxgrad import random
    >>> value, generator = random.uniform(random.manual_seed(0), (2, 2), -1, 1)
    >>> value.shape, value.dtype
    ((2, 2), dtype('float32'))
    """
    shape, dtype = as_shape(shape), keep_dtype(check_dtype(dtype, FLOATS, "check_uniform_bounds"))
    low, high = float(low), float(high)
    check_uniform(low, high, dtype)
    fill = partial(host.uniform, shape=shape, low=low, high=high, dtype=dtype)
    return draw(generator, fill, shape=shape, dtype=dtype)


def randn(generator: Generator, shape: Shape | int, *, dtype: Any = jnp.float32) -> tuple[Array, Generator]:
    """Standard normal: ``torch.randn(shape)``, bit for bit. See :func:`normal`.

    >>> from jaxgrad import random
    >>> value, generator = random.randn(random.manual_seed(0), 3)
    >>> print(value)
    [ 1.5409961 -0.2934289 -2.1787894]
    """
    return normal(generator, shape, dtype=dtype)


def normal(
    generator: Generator, shape: Shape | int, mean: float = 0.0, std: float = 1.0, *, dtype: Any = jnp.float32
) -> tuple[Array, Generator]:
    """Normal: ``torch.empty(shape).normal_(mean, std)``, bit for bit.

    Box and Muller's transformation; fewer than 16 values are computed in double precision, in pairs whose second
    half waits in the generator, more in groups of 16 in float32.

    >>> from jaxgrad import random
    >>> value, generator = random.normal(random.manual_seed(0), (2, 8), 5.0, 0.1)
    >>> value.shape
    (2, 8)
    """
    shape, dtype = as_shape(shape), keep_dtype(check_dtype(dtype, FLOATS, "normal_kernel_cpu"))
    mean, std = float(mean), float(std)
    check_std(std)
    fill = partial(host.normal, shape=shape, mean=mean, std=std, dtype=dtype)
    return draw(generator, fill, shape=shape, dtype=dtype)
