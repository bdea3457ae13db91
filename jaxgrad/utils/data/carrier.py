"""What an epoch draws from: a generator, or something that carries one, such as a train state."""

from typing import Any, TypeVar

import numpy as np

from jaxgrad._core.errors import explain
from jaxgrad.random import Generator

T = TypeVar("T")


def generator_of(carrier: Any) -> Generator:
    """The generator in a carrier: itself, or its attribute ``generator``.

    Raises:
        TypeError: there is none.

    >>> from jaxgrad import random
    >>> generator_of(random.manual_seed(3)).initial_seed()
    3
    """
    inside = carrier if isinstance(carrier, Generator) else getattr(carrier, "generator", None)
    if isinstance(inside, Generator) and (inside is carrier or callable(getattr(carrier, "replace", None))):
        return inside
    raise TypeError(
        explain(
            "a DataLoader draws from a generator",
            got=f"{type(carrier).__name__} without a generator" if hasattr(carrier, "generator") else repr(carrier),
            expected="jaxgrad.random.Generator, or a value with .generator and .replace(generator=...)",
            remedy="random.manual_seed(seed), or train.init_state(params, tx, generator=random.manual_seed(seed))",
        )
    )


def check_one_stream(generator: Generator) -> None:
    """Raise unless this is a single stream.

    Raises:
        ValueError: several, side by side: each process of torch's would draw from its own.
    """
    if np.ndim(generator.position):
        raise ValueError(
            explain(
                "a DataLoader draws from one stream",
                got=f"{np.shape(generator.position)[0]} of them, side by side",
                remedy="a stream of its own: DataLoader(..., generator=random.manual_seed(seed)), and "
                "loader.epoch(state, after=batches)",
            )
        )


def carry(carrier: T, generator: Generator) -> T:
    """The carrier with its generator replaced."""
    replaced: Any = generator if isinstance(carrier, Generator) else carrier.replace(generator=generator)  # type: ignore[attr-defined]
    return replaced
