"""Initial values that keep the variance of what passes forward and of what passes back, as well as both can be."""

import math
from typing import Any

import jax.numpy as jnp

from jaxgrad import random
from jaxgrad._core.arguments import as_number
from jaxgrad._core.types import Shape
from jaxgrad.nn.init.fans import Drawn, _calculate_fan_in_and_fan_out
from jaxgrad.random import Generator
from jaxgrad.random.checks import takes_generator


@takes_generator
def xavier_uniform(generator: Generator, shape: Shape, gain: float = 1.0, *, dtype: Any = jnp.float32) -> Drawn:
    r"""U(-a, a) with :math:`a = \sqrt 3 \, \mathrm{gain} \sqrt{2 / (\mathrm{fan_{in}} + \mathrm{fan_{out}})}`.

    Mirrors ``torch.nn.init.xavier_uniform_``.

    Args:
        generator: where the stream stands.
        shape: of the weight, in torch's layout.
        gain: what :func:`calculate_gain` recommends.
        dtype: float32, float64, bfloat16 or float16.

    Returns:
        The values, and the generator after them.

    Raises:
        ValueError: ``Fan in and fan out can not be computed for tensor with fewer than 2 dimensions``.

    >>> value, generator = xavier_uniform(random.manual_seed(0), (2, 4))

    Source: Glorot and Bengio, 2010.
    """
    bound = math.sqrt(3.0) * _xavier_std(shape, gain)
    return random.uniform(generator, shape, -bound, bound, dtype=dtype)


@takes_generator
def xavier_normal(generator: Generator, shape: Shape, gain: float = 1.0, *, dtype: Any = jnp.float32) -> Drawn:
    r"""N(0, std^2) with :math:`\mathrm{std} = \mathrm{gain} \sqrt{2 / (\mathrm{fan_{in}} + \mathrm{fan_{out}})}`.

    Mirrors ``torch.nn.init.xavier_normal_``.

    Args:
        generator: where the stream stands.
        shape: of the weight, in torch's layout.
        gain: what :func:`calculate_gain` recommends.
        dtype: float32, float64, bfloat16 or float16.

    Returns:
        The values, and the generator after them.

    Raises:
        ValueError: ``Fan in and fan out can not be computed for tensor with fewer than 2 dimensions``.

    >>> value, generator = xavier_normal(random.manual_seed(0), (2, 4))

    Source: Glorot and Bengio, 2010.
    """
    return random.normal(generator, shape, 0.0, _xavier_std(shape, gain), dtype=dtype)


def _xavier_std(shape: Shape, gain: float) -> float:
    return as_number(gain, "gain", "xavier") * math.sqrt(2.0 / float(sum(_calculate_fan_in_and_fan_out(shape))))
