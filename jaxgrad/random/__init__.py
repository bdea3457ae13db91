"""torch's CPU random streams, bit for bit, from an explicit generator.

    generator = random.manual_seed(42)
    x, generator = random.randn(generator, (32, 10))
    y, generator = random.randint(generator, 0, 3, (32,))

Every draw takes a :class:`Generator` and returns the value and the next generator; there is no global one. The
same functions work inside ``jax.jit``, where the generator is one more value of the state. Outside, a generator draws
on the host and compiles nothing; one that was put on a device (``jax.device_put(generator)``) draws large arrays there,
compiled once a shape, two to three times as fast for 10,000 values.

Equal to torch 2.13 bit for bit, values and state bytes, on x86-64 CPUs with AVX2 or AVX512; inside programs that is
verified on XLA's CPU backend and on an NVIDIA GPU. What is not:

- ``multinomial`` without replacement orders equal keys by index, torch by the accidents of a partial sort: 14 of
  100,000 positions for 5,000 of 1e5 float32 categories, more often in 16 bits. One sample, replacement and
  float64 are exact.
- ``nn.init.orthogonal`` draws exactly; its QR factorisation differs by 1e-6 (float32) or 1e-15 (float64).
- ``nn.init.trunc_normal`` on narrow ranges compares a float32 logarithm that may differ in its last bit, so that a
  decision could flip; none did in 1.2e7 draws.
- Where float32 is subnormal (below 1.2e-38), XLA flushes to zero inside programs.
- Tensors that are not contiguous are filled in memory order by torch; arrays here have no strides.
- Few normals (below 16), float64 and the distributions built on logarithms take the C library's functions; inside a
  program they call back to the host, so they need a backend with callbacks.
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
