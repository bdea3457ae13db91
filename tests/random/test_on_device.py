"""A generator that lies on a device draws there: the same numbers, the same generator afterwards, compiled once."""

import jax
import numpy as np
import pytest
import torch

from jaxgrad import random
from jaxgrad.random import dispatch
from tests.random.side_by_side import Pair, assert_same_state

N = dispatch._MANY + 5
DRAWS = {
    "rand": lambda g: random.rand(g, N),
    "uniform": lambda g: random.uniform(g, (N,), -0.3, 0.8),
    "uniform float16": lambda g: random.uniform(g, N, -1.0, 2.5, dtype="float16"),
    "uniform over an odd range": lambda g: random.uniform(g, N, 1e-12, 1.0),
    "randn": lambda g: random.randn(g, (3, N)),
    "normal": lambda g: random.normal(g, N, 0.5, 2.0),
    "normal bfloat16": lambda g: random.normal(g, N, 0.5, 2.0, dtype="bfloat16"),
    "normal of tiny numbers": lambda g: random.normal(g, N, 0.0, 1e-30),
    "randint": lambda g: random.randint(g, 0, 10, N),
    "randperm": lambda g: random.randperm(g, N),
    "bernoulli": lambda g: random.bernoulli(g, N, 0.3),
    "exponential": lambda g: random.exponential(g, N),
}


@pytest.mark.parametrize("name", DRAWS)
def test_the_numbers_are_the_hosts(name):
    draw = DRAWS[name]
    start = random.randn(random.manual_seed(11), 3)[1]  # in the middle of a block, a normal in store
    expected, after = draw(start)
    value, generator = draw(jax.device_put(start))
    assert value.dtype == expected.dtype
    np.testing.assert_array_equal(value, expected)
    np.testing.assert_array_equal(generator.get_state(), after.get_state())


def test_few_and_many_by_turns_are_torchs():
    pair = Pair(5)
    pair.ours = jax.device_put(pair.ours)
    for n in (10, N, 100, 2 * N, 7):
        pair.draw(lambda g, n=n: random.randn(g, n), lambda g, n=n: torch.randn(n, generator=g))
        pair.draw(lambda g, n=n: random.rand(g, n), lambda g, n=n: torch.rand(n, generator=g))


def test_a_program_is_compiled_once():
    generator = jax.device_put(random.manual_seed(0))
    _, generator = random.uniform(generator, N, -7.5, 11.25)
    before = dispatch._program.cache_info()
    for _ in range(2):
        _, generator = random.uniform(generator, N, -7.5, 11.25)
    after = dispatch._program.cache_info()
    assert (after.misses, after.hits) == (before.misses, before.hits + 2)
    assert isinstance(generator.words, jax.Array)
    assert_same_state(generator, _torchs_after(3))


def _torchs_after(draws):
    generator = torch.Generator().manual_seed(0)
    for _ in range(draws):
        torch.empty(N).uniform_(-7.5, 11.25, generator=generator)
    return generator


def test_what_cannot_be_drawn_is_refused_before():
    generator = jax.device_put(random.manual_seed(0))
    with pytest.raises(RuntimeError, match=r"normal expects std >= 0\.0"):
        random.normal(generator, N, 0.0, -1.0)
    with pytest.raises(RuntimeError, match="expects p to be in"):
        random.bernoulli(generator, N, 1.5)
    with pytest.raises(RuntimeError):
        random.bernoulli(generator, None, jax.numpy.full(N, 1.5))
