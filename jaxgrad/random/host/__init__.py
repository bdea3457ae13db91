"""Draws into numpy arrays, for code that runs on the host anyway (a data loader, an initialiser).

    stream = host.Stream(generator)
    order = host.randperm(stream, n, np.dtype(np.int64))
    generator = stream.generator()

A ``Stream`` is opened from an immutable Generator, read as often as needed, and closed into the next one; the
functions take it, the sizes and a numpy dtype. Nothing here touches a device.
"""

from jaxgrad.random.host.composed import accepted_normal as accepted_normal
from jaxgrad.random.host.composed import redrawn_normal as redrawn_normal
from jaxgrad.random.host.composed import sparse_columns as sparse_columns
from jaxgrad.random.host.continuous import cauchy as cauchy
from jaxgrad.random.host.continuous import exponential as exponential
from jaxgrad.random.host.continuous import log_normal as log_normal
from jaxgrad.random.host.discrete import bernoulli as bernoulli
from jaxgrad.random.host.discrete import bernoulli_each as bernoulli_each
from jaxgrad.random.host.discrete import geometric as geometric
from jaxgrad.random.host.discrete import multinomial as multinomial
from jaxgrad.random.host.discrete import poisson as poisson
from jaxgrad.random.host.integers import BIG_PERMUTATION as BIG_PERMUTATION
from jaxgrad.random.host.integers import random_ as random_
from jaxgrad.random.host.integers import randperm as randperm
from jaxgrad.random.host.normal import normal as normal
from jaxgrad.random.host.normal import normal_each as normal_each
from jaxgrad.random.host.stream import Stream as Stream
from jaxgrad.random.host.uniform import uniform as uniform
