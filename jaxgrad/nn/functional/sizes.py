"""Sizes along the spatial axes, given as one integer for all of them or as one for each."""

from typing import Any

import jax
import numpy as np

from jaxgrad._core.arguments import as_integer, wrong_kind

Sizes = tuple[int, ...]


def integers(value: Any, name: str, function: str) -> Sizes:
    """An integer as a tuple of one, a sequence of integers as a tuple.

    Raises:
        TypeError: ``max_pool2d(): argument 'kernel_size' must be tuple of ints, not float``.

    >>> integers(2, "stride", "conv2d"), integers([2, 1], "stride", "conv2d")
    ((2,), (2, 1))
    """
    if isinstance(value, list | tuple):
        return tuple(as_integer(each, name, function) for each in value)
    if isinstance(value, np.ndarray | jax.Array) and value.ndim == 1:
        return tuple(as_integer(each, name, function) for each in value)
    try:
        return (as_integer(value, name, function),)
    except TypeError:
        raise wrong_kind(value, name, function, "tuple of ints") from None


def spatial(value: Any, n: int, name: str, function: str, sentence: str) -> Sizes:
    """One integer for each of ``n`` axes; a single one serves all.

    Args:
        value: an integer, or a sequence of 1 or ``n``.
        n: number of spatial axes.
        name: of the argument.
        function: torch's name of the function.
        sentence: torch's, for a sequence of another length.

    Raises:
        RuntimeError: ``sentence``.

    >>> spatial(3, 2, "kernel_size", "max_pool2d", "...")
    (3, 3)
    """
    given = integers(value, name, function)
    if len(given) == 1:
        return given * n
    if len(given) != n:
        raise RuntimeError(sentence)
    return given


def joined(sizes: Any, by: str = "x") -> str:
    """Sizes as torch prints them: ``3x4``.

    >>> joined((3, 4))
    '3x4'
    """
    return by.join(str(size) for size in sizes)
