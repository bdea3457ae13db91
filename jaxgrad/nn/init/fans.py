"""How many inputs and outputs a weight connects."""

import math
from typing import TypeAlias

from jaxtyping import Inexact

from jaxgrad._core.errors import explain
from jaxgrad._core.types import Array, Shape
from jaxgrad.random import Generator
from jaxgrad.random.checks import as_shape

Drawn: TypeAlias = tuple[Inexact[Array, "*shape"], Generator]
"""The values, and the generator after them."""


def _calculate_fan_in_and_fan_out(shape: Shape) -> tuple[int, int]:
    """``(fan_in, fan_out)`` of a weight of this shape, under the name that ports look for.

    >>> _calculate_fan_in_and_fan_out((8, 3, 5, 5))
    (75, 200)
    """
    shape = as_shape(shape)
    if len(shape) < 2:
        raise ValueError(
            explain("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions", got=shape)
        )
    receptive_field = math.prod(shape[2:])
    return shape[1] * receptive_field, shape[0] * receptive_field
