"""Dense layers with ReLUs between them."""

import itertools
from typing import Any

from jaxgrad.parity.catalog.models.library import Library


def perceptron(lib: Library, sizes: tuple[int, ...] = (10, 10, 3)) -> Any:
    """``Linear-ReLU-...-Linear`` of these widths.

    Args:
        lib: the side.
        sizes: features in, between, and out.

    Returns:
        The module.

    >>> from jaxgrad.parity.catalog.models import jaxgrad_library
    >>> len(perceptron(jaxgrad_library(), (10, 10, 3)))
    3
    """
    layers: list[Any] = []
    for inside, outside in itertools.pairwise(sizes):
        layers += [lib.nn.Linear(inside, outside, **lib.rngs), lib.nn.ReLU()]
    return lib.nn.Sequential(*layers[:-1])
