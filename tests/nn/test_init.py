"""jaxgrad.nn.init against torch.nn.init: the same values and states, warnings and refusals."""

import inspect
import math
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad import nn, random
from jaxgrad.nn import init
from jaxgrad.nn.init import fans, gain, xavier
from tests.random.side_by_side import FLOATS, Pair, assert_equal, torch_dtype
from tests.support.sentences import complaint

shapes = st.lists(st.integers(1, 9), min_size=2, max_size=5).map(tuple)
names = st.sampled_from(FLOATS)
fan_modes = st.sampled_from(["fan_in", "fan_out", "FAN_OUT"])
gains = st.sampled_from(["linear", "relu", "leaky_relu", "tanh", "selu", "sigmoid", "conv_transpose2d"])


def same(pair: Pair, function: str, shape, dtype: str, *arguments) -> None:
    """Our value and generator against torch's tensor and generator."""

    def theirs(generator):
        return getattr(torch.nn.init, function + "_")(
            torch.empty(shape, dtype=torch_dtype(dtype)), *arguments, generator=generator
        )

    pair.draw(lambda g: getattr(init, function)(g, shape, *arguments, dtype=dtype), theirs, (function, shape, dtype))


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**64 - 1), shapes, names, st.data())
def test_random_initialisers_are_torchs(seed, shape, dtype, data):
    low = data.draw(st.floats(-3, 3))
    scale = data.draw(st.floats(0.01, 3))
    with jax.enable_x64(True):
        pair = Pair(seed)
        same(pair, "uniform", shape, dtype, low, low + scale)
        same(pair, "normal", shape, dtype, low, scale)
        same(pair, "xavier_uniform", shape, dtype, scale)
        same(pair, "xavier_normal", shape, dtype, scale)
        same(pair, "kaiming_uniform", shape, dtype, low, data.draw(fan_modes), data.draw(gains))
        same(pair, "kaiming_normal", shape, dtype, low, data.draw(fan_modes), data.draw(gains))
        same(pair, "uniform", shape, dtype)
        same(pair, "normal", shape, dtype)
        same(pair, "kaiming_uniform", shape, dtype)
        same(pair, "xavier_uniform", shape, dtype)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 2**64 - 1), shapes, names, st.floats(-1, 1), st.floats(0.2, 2), st.floats(-2, 1), st.floats(0.1, 4)
)
def test_truncated_normals_are_torchs(seed, shape, dtype, mean, std, low, width):
    """Both of torch's ways: redrawn normals where much of the mass lies inside, accepted uniforms elsewhere."""
    if mean < low - 2 * std or mean > low + width + 2 * std:
        mean = low
    with jax.enable_x64(True):
        pair = Pair(seed)
        same(pair, "trunc_normal", shape, dtype)
        same(pair, "trunc_normal", shape, dtype, mean, std, low, low + width)


@pytest.mark.parametrize("shape", [(7, 5), (40, 3), (1, 1)])
@pytest.mark.parametrize("sparsity", [0.0, 0.1, 0.5, 1.0])
def test_sparse_is_torchs_where_one_generator_draws_all(shape, sparsity):
    torch.manual_seed(4)  # without a generator torch takes normals and places from the global one
    pair = Pair(4)
    pair.theirs = torch.default_generator
    pair.draw(
        lambda g: init.sparse(g, shape, sparsity, 0.3),
        lambda g: torch.nn.init.sparse_(torch.empty(shape), sparsity, 0.3),
    )


@pytest.mark.parametrize("shape", [(5, 5), (3, 8), (8, 3), (4, 2, 3), (1, 6)])
@pytest.mark.parametrize(("dtype", "distance"), [("float32", 3e-6), ("float64", 3e-15)])
def test_orthogonal_draws_as_torch_and_differs_by_the_factorisation_alone(shape, dtype, distance, x64):
    generator, theirs = random.manual_seed(8), torch.Generator().manual_seed(8)
    expected = torch.nn.init.orthogonal_(torch.empty(shape, dtype=torch_dtype(dtype)), 1.5, generator=theirs).numpy()
    value, generator = init.orthogonal(generator, shape, 1.5, dtype=dtype)
    assert value.dtype == dtype
    assert np.abs(np.asarray(value) - expected).max() < distance
    assert generator.get_state().tobytes() == theirs.get_state().numpy().tobytes()
    flat = np.asarray(value, np.float64).reshape(shape[0], -1) / 1.5
    gram = flat @ flat.T if flat.shape[0] <= flat.shape[1] else flat.T @ flat
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=10 * distance)


def test_what_is_not_random():
    assert_equal(init.constant((2, 3), 0.3), torch.nn.init.constant_(torch.empty(2, 3), 0.3))
    assert_equal(init.ones(4, dtype="bfloat16"), torch.nn.init.ones_(torch.empty(4, dtype=torch.bfloat16)))
    assert_equal(init.zeros((4, 0)), torch.nn.init.zeros_(torch.empty(4, 0)))
    for shape in ((3, 5), (5, 3), (4, 4), (0, 2)):
        assert_equal(init.eye(shape), torch.nn.init.eye_(torch.empty(shape)))


@pytest.mark.parametrize("shape", [(6, 4, 3), (6, 2, 3, 4), (4, 8, 5, 5), (6, 3, 2, 3, 4)])
@pytest.mark.parametrize("groups", [1, 2])
def test_dirac_is_torchs(shape, groups):
    assert_equal(init.dirac(shape, groups), torch.nn.init.dirac_(torch.empty(shape), groups))


@pytest.mark.parametrize("name", [*gain._GAINS, "leaky_relu"])
def test_gains_are_torchs(name):
    assert init.calculate_gain(name) == torch.nn.init.calculate_gain(name)
    assert init.calculate_gain("leaky_relu", 3) == torch.nn.init.calculate_gain("leaky_relu", 3)


@settings(deadline=None)
@given(shapes)
def test_fans_are_torchs(shape):
    theirs = torch.nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))
    assert fans._calculate_fan_in_and_fan_out(shape) == theirs


G = random.manual_seed(0)
REFUSED = {
    "gain": (lambda i: i.calculate_gain("softplus"), lambda i: i.calculate_gain("softplus")),
    "slope": (lambda i: i.calculate_gain("leaky_relu", "a"), lambda i: i.calculate_gain("leaky_relu", "a")),
    "slope of truth": (lambda i: i.calculate_gain("leaky_relu", True), lambda i: i.calculate_gain("leaky_relu", True)),
    "fans of a vector": (lambda i: i.xavier_uniform_(torch.empty(3)), lambda i: i.xavier_uniform(G, (3,))),
    "fans of a vector, kaiming": (lambda i: i.kaiming_normal_(torch.empty(3)), lambda i: i.kaiming_normal(G, (3,))),
    "mode": (
        lambda i: i.kaiming_uniform_(torch.empty(3, 3), mode="fan_avg"),
        lambda i: i.kaiming_uniform(G, (3, 3), mode="fan_avg"),
    ),
    "eye": (lambda i: i.eye_(torch.empty(3)), lambda i: i.eye((3,))),
    "dirac rank": (lambda i: i.dirac_(torch.empty(3, 3)), lambda i: i.dirac((3, 3))),
    "dirac groups": (lambda i: i.dirac_(torch.empty(3, 3, 3), 2), lambda i: i.dirac((3, 3, 3), 2)),
    "orthogonal": (lambda i: i.orthogonal_(torch.empty(3)), lambda i: i.orthogonal(G, (3,))),
    "sparse": (lambda i: i.sparse_(torch.empty(3, 3, 3), 0.1), lambda i: i.sparse(G, (3, 3, 3), 0.1)),
    "std": (lambda i: i.normal_(torch.empty(3), 0, -1), lambda i: i.normal(G, (3,), 0, -1)),
    "bounds": (lambda i: i.uniform_(torch.empty(3), 1, 0), lambda i: i.uniform(G, (3,), 1, 0)),
    "truncated bounds": (
        lambda i: i.trunc_normal_(torch.empty(3), 0, 1, 1, -1),
        lambda i: i.trunc_normal(G, (3,), 0, 1, 1, -1),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_as_by_torch(name):
    theirs_fn, ours_fn = REFUSED[name]
    with pytest.raises((ValueError, RuntimeError)) as theirs:
        theirs_fn(torch.nn.init)
    with pytest.raises(theirs.type) as ours:
        ours_fn(init)
    assert str(ours.value).splitlines()[0] == str(theirs.value)


def test_warnings_are_torchs():
    for ours, theirs in (
        (lambda: init.kaiming_uniform(G, (0, 3)), lambda: torch.nn.init.kaiming_uniform_(torch.empty(0, 3))),
        (lambda: init.kaiming_normal(G, (0, 3)), lambda: torch.nn.init.kaiming_normal_(torch.empty(0, 3))),
        (lambda: init.trunc_normal(G, (3,), 9.0), lambda: torch.nn.init.trunc_normal_(torch.zeros(3), 9.0)),
    ):
        with pytest.warns(UserWarning) as expected:
            theirs()
        with pytest.warns(UserWarning) as got:
            ours()
        assert [str(w.message) for w in got] == [str(w.message) for w in expected]
        assert got[0].filename == __file__


def test_nothing_is_drawn_for_nothing():
    with pytest.warns(UserWarning, match="no-op"):
        value, generator = init.kaiming_uniform(G, (0, 3))
    assert value.shape == (0, 3) and generator is G
    value, generator = init.orthogonal(G, (0, 3))
    assert value.shape == (0, 3) and generator is G


@pytest.mark.parametrize("name", ["kaiming_uniform", "xavier_normal", "trunc_normal", "orthogonal"])
def test_initialisers_run_inside_a_program(name):
    expected, after = getattr(init, name)(G, (6, 5))
    value, generator = jax.jit(lambda g: getattr(init, name)(g, (6, 5)))(G)
    np.testing.assert_allclose(value, expected, atol=1e-6 if name == "orthogonal" else 0, rtol=0)
    np.testing.assert_array_equal(generator.get_state(), after.get_state())


def test_a_default_layer_is_torchs():
    torch.manual_seed(42)
    theirs = torch.nn.Linear(10, 7)
    rngs = nn.Rngs(random.manual_seed(42))
    ours = nn.Linear(10, 7, rngs=rngs)
    np.testing.assert_array_equal(ours.weight[...], theirs.weight.detach().numpy())
    np.testing.assert_array_equal(ours.bias[...], theirs.bias.detach().numpy())
    assert rngs.generator.get_state().tobytes() == torch.get_rng_state().numpy().tobytes()


def test_another_association_of_the_xavier_bound_would_be_seen(monkeypatch, x64):
    """sqrt(6 / fans) is sqrt(3) * sqrt(2 / fans) on paper; in float64 the last bit tells them apart."""
    monkeypatch.setattr(xavier, "_xavier_std", lambda shape, gain: gain * math.sqrt(6.0 / sum(shape)) / math.sqrt(3.0))
    differs = 0
    for size in range(2, 12):
        value, _ = init.xavier_uniform(G, (size, 3), dtype="float64")
        theirs = torch.nn.init.xavier_uniform_(
            torch.empty(size, 3, dtype=torch.float64), generator=torch.Generator().manual_seed(0)
        )
        differs += not np.array_equal(value, theirs.numpy())
    assert differs


ANYTHING = [None, "a", 2.5, -1, 1j, (), (2, -1), [1.5], {}, np.nan, np.inf, np.ones(2), object(), int, torch.ones(2, 2)]


def test_nothing_but_our_words_comes_out():
    """Every initialiser with something odd in each place: it works, or says in torch's words or ours what is wrong."""
    said = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in init.__all__:
            fn = getattr(init, name)
            parameters = inspect.signature(fn).parameters
            usual = {"generator": G, "shape": (4, 4, 3) if name == "dirac" else (4, 4), "val": 0.5, "sparsity": 0.5}
            usual["nonlinearity"] = "relu"
            arguments = {key: usual[key] for key in parameters if key in usual}
            for argument in parameters:
                for odd in ANYTHING:
                    words = complaint(fn, **{**arguments, argument: odd})
                    said += [f"{name}({argument}={odd!r}): {words}"] if words else []
    assert not said, "\n".join(said)


def test_a_weight_in_the_place_of_a_generator():
    with pytest.raises(TypeError, match=r"xavier_uniform\(\) draws from a generator") as caught:
        init.xavier_uniform(jnp.ones((3, 4)))
    assert "value, generator = xavier_uniform(generator, shape, gain=1.0)" in str(caught.value)
    with pytest.raises(TypeError, match="argument 'shape' must be tuple of ints") as caught:
        init.zeros(jnp.ones((3, 4)))
    assert "its .shape" in str(caught.value)
