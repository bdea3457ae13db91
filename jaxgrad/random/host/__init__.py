"""Draws into numpy arrays, for code that runs on the host anyway (a data loader, an initialiser).

    stream = host.Stream(generator)
    order = host.randperm(stream, n, np.dtype(np.int64))
    generator = stream.generator()

A ``Stream`` is opened from an immutable Generator, read as often as needed, and closed into the next one; the
functions take it, the sizes and a numpy dtype. Nothing here touches a device.
"""

from jaxgrad.random.host.composed import accepted_normal, redrawn_normal, sparse_columns
from jaxgrad.random.host.continuous import cauchy, exponential, log_normal
from jaxgrad.random.host.discrete import bernoulli, bernoulli_each, geometric, multinomial, poisson
from jaxgrad.random.host.integers import BIG_PERMUTATION, random_, randperm
from jaxgrad.random.host.normal import normal, normal_each
from jaxgrad.random.host.stream import Stream
from jaxgrad.random.host.uniform import uniform

__all__ = [
    "accepted_normal",
    "redrawn_normal",
    "sparse_columns",
    "cauchy",
    "exponential",
    "log_normal",
    "bernoulli",
    "bernoulli_each",
    "geometric",
    "multinomial",
    "poisson",
    "BIG_PERMUTATION",
    "random_",
    "randperm",
    "normal",
    "normal_each",
    "Stream",
    "uniform",
]
