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

from jaxgrad.random.continuous import cauchy, exponential, log_normal, normal, rand, randn, uniform
from jaxgrad.random.discrete import bernoulli, geometric, multinomial, poisson, randint, random_, randperm
from jaxgrad.random.generator import Generator, from_state, manual_seed, seed, unseeded

__all__ = [
    "cauchy",
    "exponential",
    "log_normal",
    "normal",
    "rand",
    "randn",
    "uniform",
    "bernoulli",
    "geometric",
    "multinomial",
    "poisson",
    "randint",
    "random_",
    "randperm",
    "Generator",
    "from_state",
    "manual_seed",
    "seed",
    "unseeded",
]
