"""The dropout family against torch: masks, values, gradients and generator states, bit for bit."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxgrad import random
from tests.random.side_by_side import FLOATS, assert_equal, assert_same_state, torch_dtype

F = importlib.import_module("jaxgrad.nn.functional.dropout")  # the package has a function of that name

SHAPES = {
    "dropout": [(5,), (), (3, 0), (4, 5, 2)],
    "alpha_dropout": [(33,), (4, 5, 2)],
    "dropout1d": [(6, 5), (3, 6, 5)],
    "dropout2d": [(2, 6, 3, 3)],
    "dropout3d": [(6, 2, 2, 3), (2, 6, 2, 1, 3)],
    "feature_alpha_dropout": [(2, 6), (2, 6, 3), (2, 5, 3, 2)],
}
CASES = [(name, shape) for name, shapes in SHAPES.items() for shape in shapes]


def torchs(name, x, p, seed, cotangent):
    theirs = torch.default_generator  # torch's dropout takes no generator
    theirs.manual_seed(seed)
    x = x.clone().requires_grad_()
    y = getattr(torch.nn.functional, name)(x, p, True)
    (gradient,) = torch.autograd.grad(y, x, cotangent)
    return y.detach(), gradient, theirs


def ours(name, x, p, generator, cotangent):
    def output(x):
        return getattr(F, name)(x, p, True, generator=generator)

    y, pull, generator = jax.vjp(output, x, has_aux=True)
    return y, pull(cotangent)[0], generator


jitted = jax.jit(ours, static_argnums=(0, 2))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("name", "shape"), CASES)
def test_outputs_gradients_and_states_are_torchs(name, shape, dtype, x64):
    values = np.random.default_rng(0)
    for seed, p in enumerate((0.5, 0.123456, 0.9)):
        x, ct = (torch.from_numpy(np.asarray(values.normal(size=shape))).to(torch_dtype(dtype)) for _ in range(2))
        y, gradient, theirs = torchs(name, x, p, seed, ct)
        a, b = (jnp.asarray(t.double().numpy(), dtype) for t in (x, ct))
        inside = jitted if dtype == "float32" and p == 0.5 else ours
        for run in {ours, inside}:
            got, got_gradient, generator = run(name, a, p, random.manual_seed(seed), b)
            assert_equal(got, y)
            assert_equal(got_gradient, gradient)
            assert_same_state(generator, theirs)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("p", [0.0, 1.0])
def test_certainty_draws_nothing(name, p):
    shape = SHAPES[name][-1]
    x = torch.from_numpy(np.random.default_rng(1).normal(size=shape)).float()
    y, gradient, theirs = torchs(name, x, p, 3, torch.ones(shape))
    got, got_gradient, generator = ours(name, jnp.asarray(x), p, random.manual_seed(3), jnp.ones(shape))
    assert_equal(got, y)
    assert_equal(got_gradient, gradient)
    assert_same_state(generator, theirs)


def test_infinities_times_zero_are_nan_as_in_torch():
    x = [float("inf"), float("nan"), 1.0, -float("inf")] * 4
    torch.manual_seed(0)
    expected = torch.nn.functional.dropout(torch.tensor(x))
    got, _ = F.dropout(jnp.array(x), generator=random.manual_seed(0))
    np.testing.assert_array_equal(got, expected.numpy())
    torch.manual_seed(0)
    np.testing.assert_array_equal(
        F.dropout(jnp.array(x), 1.0, generator=random.manual_seed(0))[0],
        torch.nn.functional.dropout(torch.tensor(x), 1.0).numpy(),
    )


def test_evaluation_passes_everything_through_and_returns_the_source_it_got():
    x, generator, key = jnp.arange(6.0).reshape(2, 3), random.manual_seed(0), jax.random.key(0)
    for function in (F.dropout, F.alpha_dropout, F.dropout1d, F.feature_alpha_dropout):
        assert function(x, training=False) is x
        for source in (generator, key):
            output, after = function(x, training=False, generator=source)
            assert output is x and after is source
    assert F.alpha_dropout(x) is x  # torch's default here is training=False
    assert F.feature_alpha_dropout(x) is x


def test_a_jax_key_drops_at_the_same_rate_and_moves_on():
    x = jnp.ones((200, 100))

    @jax.jit
    def twice(key):
        first, key = F.dropout(x, 0.3, generator=key)
        second, key = F.dropout(x, 0.3, generator=key)
        return first, second, key

    first, second, key = twice(jax.random.key(0))
    assert set(np.unique(first)) == {0.0, np.float32(1) / np.float32(0.7)}
    assert abs(float((first == 0).mean()) - 0.3) < 5 * (0.21 / x.size) ** 0.5
    assert (first != second).any()
    assert (jax.random.key_data(key) != jax.random.key_data(jax.random.key(0))).any()
    channels, _ = F.dropout1d(jnp.ones((30, 40, 5)), generator=jax.random.key(1))
    assert (channels == channels[..., :1]).all() and 0 < float((channels == 0).mean()) < 1


def test_a_step_carries_one_generator_through_a_scan():
    torch.manual_seed(7)
    expected = torch.stack([torch.nn.functional.dropout(torch.ones(50), 0.2) for _ in range(8)])

    @jax.jit
    def epoch(generator):
        def step(generator, _):
            output, generator = F.dropout(jnp.ones(50), 0.2, generator=generator)
            return generator, output

        return jax.lax.scan(step, generator, length=8)

    generator, outputs = epoch(jax.tree.map(jnp.asarray, random.manual_seed(7)))
    np.testing.assert_array_equal(outputs, expected.numpy())
    assert_same_state(generator, torch.default_generator)


def test_refusals():
    x = jnp.ones((2, 3))
    for p in (-0.1, 1.5):
        with pytest.raises(ValueError) as theirs:
            torch.nn.functional.dropout(torch.ones(3), p)
        with pytest.raises(ValueError) as got:
            F.dropout(x, p)
        assert str(got.value) == str(theirs.value)
    with pytest.raises(ValueError, match="inplace"):
        F.dropout(x, inplace=True)
    with pytest.raises(TypeError, match=r"generator=random.manual_seed\(seed\)"):
        F.dropout(x)
    for name, shape in (("dropout", (3,)), ("dropout1d", (3,)), ("feature_alpha_dropout", (3,))):
        integers = name == "dropout"
        with pytest.raises(RuntimeError) as theirs:
            getattr(torch.nn.functional, name)(torch.ones(shape, dtype=torch.int64 if integers else None), 0.5, True)
        with pytest.raises(RuntimeError) as got:
            getattr(F, name)(jnp.ones(shape, int if integers else float), 0.5, True, generator=random.manual_seed(0))
        assert str(got.value).splitlines()[0] == str(theirs.value)


@pytest.mark.parametrize(("name", "shape"), [("dropout2d", (2, 3)), ("dropout2d", (2, 3, 4)), ("dropout3d", (2, 3, 4))])
def test_ranks_that_torch_warns_of(name, shape):
    x = torch.ones(shape)
    torch.manual_seed(0)
    with pytest.warns(UserWarning) as expected:
        y = getattr(torch.nn.functional, name)(x)
    with pytest.warns(UserWarning) as got:
        output, _ = getattr(F, name)(jnp.ones(shape), generator=random.manual_seed(0))
    assert [str(w.message) for w in got] == [str(w.message) for w in expected]
    assert got[0].filename == __file__
    np.testing.assert_array_equal(output, y.numpy())


def test_a_scale_wrong_by_a_thousandth_is_found(monkeypatch):
    honest = F._values
    monkeypatch.setattr(F, "_values", lambda dtype, keep: (honest(dtype, keep)[0] * 1.001, honest(dtype, keep)[1]))
    with pytest.raises(AssertionError, match="Mismatched"):
        test_outputs_gradients_and_states_are_torchs("dropout", (4, 5, 2), "float32", None)
