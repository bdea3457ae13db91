"""What samplers and loaders draw, as numpy values on the host.

The order of samples is needed before anything is traced, and indices are 64-bit whether JAX's 64-bit mode is on or
not, so these draws never become JAX arrays.
"""

import math

import numpy as np

from jaxgrad.random import Generator, host
from jaxgrad.random.host import double

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
    if not replacement and n > weights.size:
        raise RuntimeError("cannot sample n_sample > prob_dist.size(-1) samples without replacement")
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    if not weights.sum() > 0:
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
    stream = host.Stream(generator)
    if replacement and n > 1:
        cumulative = np.cumsum(weights)
        cumulative /= cumulative[-1]
        cumulative[-1] = 1.0
        return np.searchsorted(cumulative, stream.doubles(n), side="left"), stream.generator()
    keys = weights / -double.mapped(math.log1p, -stream.doubles(weights.size))
    return np.argsort(-keys, kind="stable")[:n], stream.generator()
