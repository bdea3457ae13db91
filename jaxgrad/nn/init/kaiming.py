"""Initial values that keep the variance through rectifiers, of the forward pass or of the backward pass."""

import math
import warnings
from typing import Any

import jax.numpy as jnp

from jaxgrad import random
from jaxgrad._core.arguments import as_number, wrong_kind
from jaxgrad._core.caller import users_level
from jaxgrad._core.dtypes import keep_dtype
from jaxgrad._core.types import Shape
from jaxgrad.nn.init.fans import Drawn, _calculate_fan_in_and_fan_out
from jaxgrad.nn.init.gain import calculate_gain
from jaxgrad.random import Generator
from jaxgrad.random.checks import as_shape, takes_generator


@takes_generator
def kaiming_uniform(
    generator: Generator,
    shape: Shape,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    dtype: Any = jnp.float32,
) -> Drawn:
    r"""U(-bound, bound) with :math:`\mathrm{bound} = \sqrt 3 \, \mathrm{gain} / \sqrt{\mathrm{fan}}`.

    Mirrors ``torch.nn.init.kaiming_uniform_``; with a = sqrt(5) the default weight of linear and convolutional layers.

    Args:
        generator: where the stream stands.
        shape: of the weight, in torch's layout.
        a: the negative slope of the rectifier, for leaky_relu.
        mode: ``fan_in`` keeps the variance of the forward pass, ``fan_out`` that of the backward pass.
        nonlinearity: what :func:`calculate_gain` knows.
        dtype: float32, float64, bfloat16 or float16.

    Returns:
        The values, and the generator after them.

    Raises:
        ValueError: ``Mode ... not supported, please use one of ['fan_in', 'fan_out']``, or the fans do not exist.

    Warns:
        UserWarning: ``Initializing zero-element tensors is a no-op``.

    >>> value, generator = kaiming_uniform(random.manual_seed(0), (2, 4), a=math.sqrt(5))
    >>> bool((abs(value) <= 0.5).all())
    True

    Source: He et al., 2015.
    """
    shape = as_shape(shape)
    if 0 in shape:
        return _nothing(generator, shape, dtype)
    bound = math.sqrt(3.0) * _kaiming_std(shape, a, mode, nonlinearity)
    return random.uniform(generator, shape, -bound, bound, dtype=dtype)


@takes_generator
def kaiming_normal(
    generator: Generator,
    shape: Shape,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    dtype: Any = jnp.float32,
) -> Drawn:
    r"""N(0, std^2) with :math:`\mathrm{std} = \mathrm{gain} / \sqrt{\mathrm{fan}}`.

    Mirrors ``torch.nn.init.kaiming_normal_``.

    Args:
        generator, shape, a, mode, nonlinearity, dtype: as in :func:`kaiming_uniform`.

    Returns:
        The values, and the generator after them.

    Raises:
        ValueError: as :func:`kaiming_uniform`.

    >>> value, generator = kaiming_normal(random.manual_seed(0), (2, 4), nonlinearity="relu")

    Source: He et al., 2015.
    """
    shape = as_shape(shape)
    if 0 in shape:
        return _nothing(generator, shape, dtype)
    return random.normal(generator, shape, 0.0, _kaiming_std(shape, a, mode, nonlinearity), dtype=dtype)


def _kaiming_std(shape: Shape, a: float, mode: str, nonlinearity: str) -> float:
    modes = ["fan_in", "fan_out"]
    if not isinstance(mode, str):
        raise wrong_kind(mode, "mode", "kaiming", "str")
    if mode.lower() not in modes:
        raise ValueError(f"Mode {mode.lower()} not supported, please use one of {modes}")
    fan = _calculate_fan_in_and_fan_out(shape)[modes.index(mode.lower())]
    return calculate_gain(nonlinearity, as_number(a, "a", "kaiming")) / math.sqrt(fan)


def _nothing(generator: Generator, shape: Shape, dtype: Any) -> Drawn:
    warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=users_level())
    return jnp.zeros(shape, keep_dtype(dtype)), generator
