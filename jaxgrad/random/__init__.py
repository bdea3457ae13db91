"""torch's CPU random streams, bit for bit, from an explicit generator.

    generator = random.manual_seed(42)
    x, generator = random.randn(generator, (32, 10))
    y, generator = random.randint(generator, 0, 3, (32,))

Every draw takes a :class:`Generator` and returns the value and the next generator; there is no global one. The
same functions work inside ``jax.jit``, where the generator is one more value of the state.
"""

from jaxgrad.random.continuous import cauchy as cauchy
from jaxgrad.random.continuous import exponential as exponential
from jaxgrad.random.continuous import log_normal as log_normal
from jaxgrad.random.continuous import normal as normal
from jaxgrad.random.continuous import rand as rand
from jaxgrad.random.continuous import randn as randn
from jaxgrad.random.continuous import uniform as uniform
from jaxgrad.random.discrete import bernoulli as bernoulli
from jaxgrad.random.discrete import geometric as geometric
from jaxgrad.random.discrete import multinomial as multinomial
from jaxgrad.random.discrete import poisson as poisson
from jaxgrad.random.discrete import randint as randint
from jaxgrad.random.discrete import random_ as random_
from jaxgrad.random.discrete import randperm as randperm
from jaxgrad.random.generator import Generator as Generator
from jaxgrad.random.generator import from_state as from_state
from jaxgrad.random.generator import manual_seed as manual_seed
from jaxgrad.random.generator import seed as seed
from jaxgrad.random.generator import unseeded as unseeded
