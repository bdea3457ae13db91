"""What samplers and loaders draw, as numpy values on the host.

The order of samples is needed before anything is traced, and indices are 64-bit whether JAX's 64-bit mode is on or
not, so these draws never become JAX arrays.
"""

import numpy as np

from jaxgrad.random import Generator, host
from jaxgrad.random.checks import check_multinomial

INT64 = np.dtype(np.int64)


def seed(generator: Generator) -> tuple[int, Generator]:
    """``torch.empty((), dtype=torch.int64).random_().item()``: the seed of workers, or of a private generator."""
    stream = host.Stream(generator)
    value = host.random_(stream, (), None, None, INT64)
    return int(value), stream.generator()


def randint(generator: Generator, high: int, n: int) -> tuple[np.ndarray, Generator]:
    """``torch.randint(high, (n,))``."""
    stream = host.Stream(generator)
    values = host.random_(stream, (n,), 0, high, INT64)
    return values, stream.generator()


def randperm(generator: Generator, n: int) -> tuple[np.ndarray, Generator]:
    """``torch.randperm(n)``."""
    stream = host.Stream(generator)
    order = host.randperm(stream, n, INT64)
    return order, stream.generator()


def multinomial(generator: Generator, weights: np.ndarray, n: int, replacement: bool) -> tuple[np.ndarray, Generator]:
    """``torch.multinomial(weights, n, replacement)`` for float64 weights (k,).

    Raises:
        RuntimeError: torch's sentences for weights that are no distribution, or too few to draw from.
    """
    check_multinomial(weights.shape, weights.dtype, n, replacement)
    stream = host.Stream(generator)
    indices = host.multinomial(stream, weights, n, replacement)
    return indices, stream.generator()
