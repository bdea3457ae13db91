"""Inside a traced program every draw gives the values and the state it gives outside, and torch's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxgrad import random
from tests.random.side_by_side import assert_same_state

W = jnp.asarray(np.random.default_rng(0).random(7), jnp.float32)
M = jnp.asarray(np.random.default_rng(1).random((3, 7)), jnp.float32)

DRAWS = {
    "rand": lambda g: random.rand(g, 7),
    "rand over blocks": lambda g: random.rand(g, 1300),
    "rand of nothing": lambda g: random.rand(g, (2, 0)),
    "rand bfloat16": lambda g: random.rand(g, 33, dtype="bfloat16"),
    "uniform": lambda g: random.uniform(g, (3, 11), -0.3, 0.8),
    "uniform float16": lambda g: random.uniform(g, 50, -1.0, 2.5, dtype="float16"),
    "randn of few": lambda g: random.randn(g, 5),
    "randn": lambda g: random.randn(g, (4, 30)),
    "randn of groups": lambda g: random.randn(g, 624),
    "normal bfloat16": lambda g: random.normal(g, 41, 0.5, 2.0, dtype="bfloat16"),
    "normal float16": lambda g: random.normal(g, 48, 0.5, 2.0, dtype="float16"),
    "normal of arrays": lambda g: random.normal(g, None, M, W[None]),
    "randint": lambda g: random.randint(g, 0, 10, 700),
    "randint wide": lambda g: random.randint(g, -(2**30), 2**30, 9),
    "randint float": lambda g: random.randint(g, -5, 200, 9, dtype="float16"),
    "random_": lambda g: random.random_(g, 5),
    "random_ int8": lambda g: random.random_(g, 5, dtype="int8"),
    "randperm of none": lambda g: random.randperm(g, 0),
    "randperm of one": lambda g: random.randperm(g, 1),
    "randperm": lambda g: random.randperm(g, 1000),
    "bernoulli": lambda g: random.bernoulli(g, (10, 10), 0.3),
    "bernoulli always": lambda g: random.bernoulli(g, 10, 1.0),
    "bernoulli never": lambda g: random.bernoulli(g, 10, 0.0, dtype=bool),
    "bernoulli of an array": lambda g: random.bernoulli(g, (3, 7), W),
    "exponential": lambda g: random.exponential(g, 5, 2.0),
    "geometric": lambda g: random.geometric(g, 4, 0.2),
    "log_normal": lambda g: random.log_normal(g, 3),
    "cauchy": lambda g: random.cauchy(g, 3),
    "poisson": lambda g: random.poisson(g, M * 20),
    "multinomial": lambda g: random.multinomial(g, W, 3),
    "multinomial with replacement": lambda g: random.multinomial(g, M, 5, True),
}
WIDE = {
    "rand float64": lambda g: random.rand(g, 20, dtype="float64"),
    "uniform float64": lambda g: random.uniform(g, 20, -1.0, 2.0, dtype="float64"),
    "randn float64": lambda g: random.randn(g, 20, dtype="float64"),
    "random_ int64": lambda g: random.random_(g, 20, dtype="int64"),
    "random_ float64": lambda g: random.random_(g, 20, dtype="float64"),
    "random_ from the least": lambda g: random.random_(g, 20, -(2**63), None, dtype="int64"),
    "randint int64": lambda g: random.randint(g, -(2**50), 2**50, 20),
    "bernoulli of float64": lambda g: random.bernoulli(g, None, W.astype("float64")),
    "rand": DRAWS["rand"],
    "randn": DRAWS["randn"],
    "randperm": DRAWS["randperm"],
}


def assert_inside_equals_outside(name, draw, rounds=4):
    inside = jax.jit(lambda g: draw(g))  # a cache of its own
    generator = random.manual_seed(sum(map(ord, name)))
    _, generator = random.rand(generator, 617)  # near the end of a block
    traced = generator
    for _ in range(rounds):
        expected, generator = draw(generator)
        value, traced = inside(traced)
        assert (value.dtype, value.shape) == (expected.dtype, expected.shape)
        np.testing.assert_array_equal(np.asarray(value), np.asarray(expected))
        np.testing.assert_array_equal(traced.get_state(), generator.get_state())
    assert inside._cache_size() <= 2  # host and device leaves of the first two calls


@pytest.mark.parametrize("name", DRAWS)
def test_inside_equals_outside(name):
    assert_inside_equals_outside(name, DRAWS[name])


@pytest.mark.parametrize("name", WIDE)
def test_inside_equals_outside_in_64_bits(name, x64):
    assert_inside_equals_outside(name, WIDE[name])


def test_a_program_of_draws_is_torchs_script():
    @jax.jit
    def program(g):
        x, g = random.randn(g, (32, 10))
        y, g = random.randint(g, 0, 3, 32)
        z, g = random.randn(g, 3)
        mask, g = random.bernoulli(g, (32, 10), 0.9)
        order, g = random.randperm(g, 60)
        return (x, y, z, mask, order), g

    theirs = torch.Generator().manual_seed(42)
    expected = (
        torch.randn(32, 10, generator=theirs),
        torch.LongTensor(32).random_(3, generator=theirs),
        torch.randn(3, generator=theirs),
        torch.empty(32, 10).bernoulli_(0.9, generator=theirs),
        torch.randperm(60, generator=theirs),
    )
    values, generator = program(random.manual_seed(42))
    for value, tensor in zip(values, expected, strict=True):
        np.testing.assert_array_equal(value, tensor.numpy())
    assert_same_state(generator, theirs)


@pytest.mark.parametrize("n", [2**16 + 5, pytest.param(2**20, marks=pytest.mark.slow)])
def test_long_runs_inside_a_program(n):
    @jax.jit
    def program(g):
        x, g = random.normal(g, n, -0.7, 1.3)
        y, g = random.uniform(g, n, -0.7, 1.3)
        return x, y, g

    theirs = torch.Generator().manual_seed(6)
    x, y, generator = program(random.manual_seed(6))
    np.testing.assert_array_equal(x, torch.empty(n).normal_(-0.7, 1.3, generator=theirs).numpy())
    np.testing.assert_array_equal(y, torch.empty(n).uniform_(-0.7, 1.3, generator=theirs).numpy())
    assert_same_state(generator, theirs)


def test_no_gradient_flows_into_parameters_of_a_draw():
    gradient = jax.grad(lambda mean: random.normal(random.manual_seed(0), None, mean, 1.0)[0].sum())(jnp.ones(20))
    np.testing.assert_array_equal(gradient, 0)
