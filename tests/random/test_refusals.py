"""What torch refuses is refused with torch's sentence and type; what it only warns of, with its warning."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxgrad import random

G = random.manual_seed(0)
F, INTEGERS = torch.empty(3), torch.empty(3, dtype=torch.int32)


CASES = {
    "uniform bounds reversed": (lambda: F.uniform_(2, 1), lambda: random.uniform(G, 3, 2, 1)),
    "uniform beyond the dtype": (lambda: F.uniform_(0, 1e39), lambda: random.uniform(G, 3, 0, 1e39)),
    "uniform from nan": (lambda: F.uniform_(float("nan"), 1), lambda: random.uniform(G, 3, float("nan"), 1)),
    "uniform to infinity": (lambda: F.uniform_(0, float("inf")), lambda: random.uniform(G, 3, 0, float("inf"))),
    "uniform span": (lambda: F.uniform_(-3e38, 3e38), lambda: random.uniform(G, 3, -3e38, 3e38)),
    "uniform half": (lambda: F.half().uniform_(0, 1e5), lambda: random.uniform(G, 3, 0, 1e5, dtype="float16")),
    "uniform integers": (lambda: INTEGERS.uniform_(), lambda: random.uniform(G, 3, dtype="int32")),
    "rand integers": (lambda: torch.rand(3, dtype=torch.int32), lambda: random.rand(G, 3, dtype="int32")),
    "rand negative size": (lambda: torch.rand(-1), lambda: random.rand(G, -1)),
    "rand negative sizes": (lambda: torch.rand(2, -3), lambda: random.rand(G, (2, -3))),
    "normal negative std": (lambda: F.normal_(0, -1), lambda: random.normal(G, 3, 0, -1)),
    "normal nan std": (lambda: F.normal_(0, float("nan")), lambda: random.normal(G, 3, 0, float("nan"))),
    "normal integers": (lambda: INTEGERS.normal_(), lambda: random.normal(G, 3, dtype="int32")),
    "normal negative stds": (
        lambda: torch.normal(F, -torch.ones(3)),
        lambda: random.normal(G, None, 0.0, -jnp.ones(3)),
    ),
    "normal integer means": (
        lambda: torch.normal(INTEGERS, 1.0),
        lambda: random.normal(G, None, jnp.zeros(3, "int32"), 1.0),
    ),
    "randint empty range": (lambda: torch.randint(3, 3, (2,)), lambda: random.randint(G, 3, 3, 2)),
    "randint reversed": (lambda: torch.randint(5, 3, (2,)), lambda: random.randint(G, 5, 3, 2)),
    "randint above": (
        lambda: torch.randint(0, 300, (2,), dtype=torch.uint8),
        lambda: random.randint(G, 0, 300, 2, dtype="uint8"),
    ),
    "randint below": (
        lambda: torch.randint(-1, 3, (2,), dtype=torch.uint8),
        lambda: random.randint(G, -1, 3, 2, dtype="uint8"),
    ),
    "randint short": (
        lambda: torch.randint(0, 2**16, (2,), dtype=torch.int16),
        lambda: random.randint(G, 0, 2**16, 2, dtype="int16"),
    ),
    "randint half": (
        lambda: torch.randint(0, 70000, (2,), dtype=torch.float16),
        lambda: random.randint(G, 0, 70000, 2, dtype="float16"),
    ),
    "random_ below 0": (lambda: F.random_(0), lambda: random.random_(G, 3, 0)),
    "random_ too far": (
        lambda: torch.empty(2, dtype=torch.int8).random_(500),
        lambda: random.random_(G, 2, 500, dtype="int8"),
    ),
    "random_ whole uint32": (
        lambda: torch.empty(2, dtype=torch.uint32).random_(),
        lambda: random.random_(G, 2, dtype="uint32"),
    ),
    "random_ whole half": (
        lambda: torch.empty(2, dtype=torch.float16).random_(-(2**63), None),
        lambda: random.random_(G, 2, -(2**63), None, dtype="float16"),
    ),
    "random_ whole int32": (
        lambda: INTEGERS.random_(-(2**63), None),
        lambda: random.random_(G, 3, -(2**63), None, dtype="int32"),
    ),
    "randperm of bool": (lambda: torch.randperm(3, dtype=torch.bool), lambda: random.randperm(G, 3, dtype="bool")),
    "randperm negative": (lambda: torch.randperm(-1), lambda: random.randperm(G, -1)),
    "randperm uint8": (lambda: torch.randperm(300, dtype=torch.uint8), lambda: random.randperm(G, 300, dtype="uint8")),
    "randperm half": (
        lambda: torch.randperm(3000, dtype=torch.float16),
        lambda: random.randperm(G, 3000, dtype="float16"),
    ),
    "bernoulli above": (lambda: F.bernoulli_(1.5), lambda: random.bernoulli(G, 3, 1.5)),
    "bernoulli below": (lambda: F.bernoulli_(-0.1), lambda: random.bernoulli(G, 3, -0.1)),
    "bernoulli nan": (lambda: F.bernoulli_(float("nan")), lambda: random.bernoulli(G, 3, float("nan"))),
    "bernoulli array": (
        lambda: torch.bernoulli(torch.tensor([1.5])),
        lambda: random.bernoulli(G, None, jnp.array([1.5])),
    ),
    "bernoulli integers": (
        lambda: F.bernoulli_(torch.ones(3, dtype=torch.int32)),
        lambda: random.bernoulli(G, None, jnp.ones(3, "int32")),
    ),
    "exponential 0": (lambda: F.exponential_(0), lambda: random.exponential(G, 3, 0)),
    "exponential integers": (lambda: INTEGERS.exponential_(), lambda: random.exponential(G, 3, dtype="int32")),
    "geometric 0": (lambda: F.geometric_(0), lambda: random.geometric(G, 3, 0)),
    "geometric 1": (lambda: F.geometric_(1), lambda: random.geometric(G, 3, 1)),
    "geometric bool": (
        lambda: torch.empty(3, dtype=torch.bool).geometric_(0.5),
        lambda: random.geometric(G, 3, 0.5, dtype="bool"),
    ),
    "log_normal 0": (lambda: F.log_normal_(0, 0), lambda: random.log_normal(G, 3, 0, 0)),
    "log_normal integers": (lambda: INTEGERS.log_normal_(), lambda: random.log_normal(G, 3, dtype="int32")),
    "cauchy 0": (lambda: F.cauchy_(0, 0), lambda: random.cauchy(G, 3, 0, 0)),
    "cauchy integers": (lambda: INTEGERS.cauchy_(), lambda: random.cauchy(G, 3, dtype="int32")),
    "poisson negative": (lambda: torch.poisson(torch.tensor([-1.0])), lambda: random.poisson(G, jnp.array([-1.0]))),
    "poisson integers": (
        lambda: torch.poisson(torch.ones(2, dtype=torch.int32)),
        lambda: random.poisson(G, jnp.ones(2, "int32")),
    ),
}
for name, values, *arguments in [
    ("too many", (1.0, 2.0), 3),
    ("negative", (1.0, -2.0), 1),
    ("negative with replacement", (1.0, -2.0), 2, True),
    ("nan with replacement", (1.0, float("nan")), 2, True),
    ("infinite", (1.0, float("inf")), 1),
    ("zeros", (0.0, 0.0), 1),
    ("zeros with replacement", (0.0, 0.0), 2, True),
    ("none", (1.0, 2.0), 0),
    ("minus one", (1.0, 2.0), -1, True),
    ("nothing to choose from", (), 1),
    ("nothing to choose from with replacement", (), 1, True),
    ("nothing and none", (), 0, True),
    ("rows of nothing", ((), ()), 1, True),
]:
    CASES[f"multinomial {name}"] = (
        partial(torch.multinomial, torch.tensor(values), *arguments),
        partial(random.multinomial, G, np.array(values, np.float32), *arguments),
    )
CASES["multinomial of a matrix of matrices"] = (
    lambda: torch.multinomial(torch.ones(2, 2, 2), 1),
    lambda: random.multinomial(G, jnp.ones((2, 2, 2)), 1),
)
CASES["multinomial of integers"] = (
    lambda: torch.multinomial(torch.ones(2, dtype=torch.int32), 1),
    lambda: random.multinomial(G, jnp.ones(2, "int32"), 1),
)


@pytest.mark.parametrize("name", CASES)
def test_refused_as_by_torch(name):
    theirs_fn, ours_fn = CASES[name]
    with pytest.raises((RuntimeError, NotImplementedError)) as theirs:
        theirs_fn()
    with pytest.raises(theirs.type) as ours:
        ours_fn()
    assert str(ours.value).splitlines()[0] == str(theirs.value).splitlines()[0]


NAN, INF = float("nan"), float("inf")
BAD_WEIGHTS = [
    (1.0, NAN, 2.0),
    (1.0, INF, 2.0),
    (1.0, -INF, 2.0),
    (1.0, -1.0, 2.0),
    (1.0, -1.0, 0.0),
    (0.0, 0.0, 0.0),
    (NAN, INF, 1.0),
    (INF, NAN, 1.0),
    (INF, -1.0, 1.0),
    (-1.0, INF, 1.0),
    (0.0, 0.0, -INF),
]


@pytest.mark.parametrize("weights", BAD_WEIGHTS, ids=str)
@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("num_samples", [1, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows", [None, 2])
def test_weights_are_refused_in_torchs_words(weights, replacement, num_samples, dtype, rows):
    """Which of its three sentences torch says depends on the algorithm, and on which bad weight comes first."""
    array = np.array(weights if rows is None else [(1.0, 2.0, 3.0), weights], dtype)
    with pytest.raises(RuntimeError) as theirs:
        torch.multinomial(torch.tensor(array), num_samples, replacement)
    with jax.enable_x64(dtype == "float64"), pytest.raises(RuntimeError) as ours:
        random.multinomial(G, jnp.asarray(array), num_samples, replacement)
    assert str(ours.value).splitlines()[0] == str(theirs.value)


def test_integers_that_a_float_cannot_count_through_are_warned_of():
    with pytest.warns(UserWarning, match=r"to - 1 is out of bounds \[-\(2\^24\), 2\^24\]"):
        theirs = torch.randint(0, 2**24 + 5, (50,), dtype=torch.float32, generator=torch.Generator().manual_seed(0))
    with pytest.warns(UserWarning, match=r"to - 1 is out of bounds \[-\(2\^24\), 2\^24\]"):
        ours, _ = random.randint(G, 0, 2**24 + 5, 50, dtype="float32")
    np.testing.assert_array_equal(ours, theirs.numpy())


def test_64_bits_are_refused_where_jax_would_narrow_them():
    for draw in (random.rand, random.randn):
        with pytest.raises(TypeError, match="64-bit mode"):
            draw(G, 3, dtype="float64")
    with pytest.raises(RuntimeError, match="to - 1 is out of bounds for int"):
        random.randint(G, 0, 2**40, 3)
    with jax.enable_x64(True):
        assert random.randint(G, 0, 2**40, 3)[0].dtype == np.int64
        assert random.randperm(G, 3)[0].dtype == np.int64
    assert random.randperm(G, 3)[0].dtype == np.int32


def test_a_refusal_reaches_the_caller_of_a_jitted_function_too():
    with pytest.raises(Exception, match="expected rate to be non-negative"):
        jax.block_until_ready(jax.jit(random.poisson)(G, jnp.array([-1.0])))


def test_a_shape_is_needed_where_nothing_else_has_one():
    with pytest.raises(TypeError, match="needs a shape"):
        random.normal(G)
    with pytest.raises(TypeError, match="needs a shape"):
        random.bernoulli(G)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rates_beyond_64_bits_overflow_as_torchs(dtype):
    rates = [INF, 1e30, 1e19, 9e18, 1e18, 1e10] * 4
    theirs = torch.Generator().manual_seed(0)
    expected = torch.poisson(torch.tensor(rates, dtype=getattr(torch, dtype)), generator=theirs)
    with jax.enable_x64(dtype == "float64"):
        ours, generator = random.poisson(G, jnp.array(rates, dtype))
    np.testing.assert_array_equal(ours, expected.numpy())
    assert generator.get_state().tobytes() == theirs.get_state().numpy().tobytes()
