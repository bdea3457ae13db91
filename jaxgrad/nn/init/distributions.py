"""Initial values from one distribution, whatever the shape means."""

import math
import warnings
from functools import partial
from typing import Any

import jax.numpy as jnp

from jaxgrad import random
from jaxgrad._core.arguments import as_number
from jaxgrad._core.caller import users_level
from jaxgrad._core.dtypes import keep_dtype
from jaxgrad._core.errors import explain
from jaxgrad._core.types import Shape
from jaxgrad.nn.init.fans import Drawn
from jaxgrad.random import Generator, host
from jaxgrad.random.checks import as_shape, takes_generator
from jaxgrad.random.dispatch import draw
from jaxgrad.random.dtypes import FLOATS, check_dtype


@takes_generator
def uniform(generator: Generator, shape: Shape, a: float = 0.0, b: float = 1.0, *, dtype: Any = jnp.float32) -> Drawn:
    """U(a, b): ``torch.nn.init.uniform_``. See :func:`jaxgrad.random.uniform`.

    Args:
        generator: where the stream stands.
        shape: of the weight.
        a, b: the bounds.
        dtype: float32, float64, bfloat16 or float16.

    Returns:
        The values, and the generator after them.

    Raises:
        RuntimeError: ``uniform_ expects to return a [from, to) range, but found from=2 > to=1``.

    >>> value, generator = uniform(random.manual_seed(0), (2, 3))
    """
    return random.uniform(generator, shape, as_number(a, "a", "uniform"), as_number(b, "b", "uniform"), dtype=dtype)


@takes_generator
def normal(
    generator: Generator, shape: Shape, mean: float = 0.0, std: float = 1.0, *, dtype: Any = jnp.float32
) -> Drawn:
    """N(mean, std^2): ``torch.nn.init.normal_``. See :func:`jaxgrad.random.normal`.

    Args:
        generator: where the stream stands.
        shape: of the weight.
        mean, std: numbers.
        dtype: float32, float64, bfloat16 or float16.

    Returns:
        The values, and the generator after them.

    Raises:
        RuntimeError: ``normal expects std >= 0.0, but found std -1``.

    >>> value, generator = normal(random.manual_seed(0), (2, 3))
    """
    return random.normal(
        generator, shape, as_number(mean, "mean", "normal"), as_number(std, "std", "normal"), dtype=dtype
    )


@takes_generator
def trunc_normal(
    generator: Generator,
    shape: Shape,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    *,
    dtype: Any = jnp.float32,
) -> Drawn:
    """N(mean, std^2) restricted to [a, b]: ``torch.nn.init.trunc_normal_``, as of torch 2.13.

    If more than 0.3 of the mass lies inside, whole tensors are drawn until every place has had a value inside.
    Otherwise uniforms on [a, b] are accepted with the density's probability. Older versions of torch inverted the
    distribution function and give other numbers.

    Args:
        generator: where the stream stands.
        shape: of the weight.
        mean, std: of the normal that is cut.
        a, b: where it is cut.
        dtype: float32, float64, bfloat16 or float16.

    Returns:
        The values, and the generator after them.

    Raises:
        RuntimeError: ``uniform_ expects to return a [from, to) range, but found from=2 > to=1``.
        ZeroDivisionError: a ``std`` of 0, as in torch.

    Warns:
        UserWarning: the mean lies more than two standard deviations outside [a, b].

    >>> value, generator = trunc_normal(random.manual_seed(0), (4, 4), std=3.0)
    >>> bool((abs(value) <= 2).all())
    True
    """
    mean, std, a, b = (
        as_number(value, name, "trunc_normal") for name, value in (("mean", mean), ("std", std), ("a", a), ("b", b))
    )
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
            "The distribution of values may be incorrect.",
            stacklevel=users_level(),
        )
    shape, dtype = as_shape(shape), keep_dtype(check_dtype(dtype, FLOATS, "normal_kernel_cpu"))
    if std == 0:
        raise ZeroDivisionError(explain("float division by zero", got="std=0", expected="std > 0"))
    inside = _mass_below((b - mean) / std) - _mass_below((a - mean) / std)
    sample = host.redrawn_normal if inside > 0.3 else host.accepted_normal
    fill = partial(sample, shape=shape, mean=mean, std=std, low=a, high=b, dtype=dtype)
    return draw(generator, fill, shape=shape, dtype=dtype)


def _mass_below(x: float) -> float:
    return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0
