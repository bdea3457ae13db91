"""``nn.utils.parametrizations`` beside torch: names, originals, weights, gradients and what the calls leave."""

import copy
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad import func, nn, random
from jaxgrad.nn.utils import parametrizations, parametrize

torch = pytest.importorskip("torch", reason="the reference is not installed")

from tests.nn.normed import LAYERS, close, trained  # noqa: E402 -- after the skip


@pytest.fixture(autouse=True)
def in_float64():
    with jax.enable_x64(True):
        yield


def pair(layer, norm, seed=3, **kwargs):
    """The same layer here and in torch, normed, from the same stream."""
    name, sizes, shape = LAYERS[layer]
    torch.manual_seed(seed)
    theirs = getattr(torch.nn, name)(*sizes, dtype=torch.float64)
    theirs = getattr(torch.nn.utils.parametrizations, norm)(theirs, **kwargs)
    rngs = nn.Rngs(random.manual_seed(seed))
    plain = getattr(nn, name)(*sizes, dtype=jnp.float64, rngs=rngs)
    if norm == "spectral_norm":
        kwargs["rngs"] = rngs
    ours = getattr(parametrizations, norm)(plain, **kwargs)
    following, _ = random.rand(rngs.generator, (2,))
    assert following.tolist() == torch.rand(2).tolist()
    assert "weight" in dict(plain.named_parameters()), "the module given does not change"
    return ours, theirs, torch.randn(shape, dtype=torch.float64)


def compare(ours, theirs, x, calls=3):
    """Training, and what is left when the norm is taken away."""
    assert [name for name, _ in ours.named_modules()] == [name for name, _ in theirs.named_modules()]
    plain = parametrize.remove_parametrizations(trained(ours, theirs, x, calls), "weight")
    torch.nn.utils.parametrize.remove_parametrizations(theirs, "weight")
    assert list(plain.state_dict()) == list(theirs.state_dict())
    assert repr(plain) == repr(theirs)
    for name, value in theirs.state_dict().items():
        close(plain.state_dict()[name], value)


@pytest.mark.parametrize("layer", LAYERS)
def test_weight_norm_is_torchs(layer):
    for dim in (0, 1, -2, None) if layer == "linear" else (0, 1):
        compare(*pair(layer, "weight_norm", dim=dim))


@pytest.mark.parametrize("layer", LAYERS)
def test_spectral_norm_is_torchs(layer):
    compare(*pair(layer, "spectral_norm"))
    if layer == "conv":
        compare(*pair(layer, "spectral_norm", n_power_iterations=2, eps=1e-3, dim=-1), calls=2)


READ_MORE_THAN_ONCE = {
    "lstm": ("LSTM", (3, 4, 2), ("weight_hh_l1", "weight_ih_l0", "weight_hh_l0"), [(5, 2, 3)]),
    "projected": ("LSTM", (3, 4, 1, False, True, 0.0, True, 2), ("weight_hr_l0", "weight_ih_l0_reverse"), [(2, 5, 3)]),
    "gru": ("GRU", (3, 4), ("weight_hh_l0",), [(5, 2, 3)]),
    "cell": ("LSTMCell", (3, 4), ("weight_hh", "weight_ih"), [(2, 3)]),
    "self attention": ("MultiheadAttention", (4, 2), ("in_proj_weight",), [(5, 2, 4)]),
    "of others": ("MultiheadAttention", (4, 2), ("in_proj_weight",), [(5, 2, 4), (6, 2, 4)]),
    "unbatched": ("MultiheadAttention", (4, 2), ("in_proj_weight",), [(5, 4)]),
    "of other sizes": (
        "MultiheadAttention",
        (4, 2, 0.0, True, False, False, 3, 3),
        ("k_proj_weight",),
        [(5, 2, 4), (6, 2, 3)],
    ),
}
"""Class, sizes, names of the normed weights, shapes of the inputs."""


@pytest.mark.parametrize("case", READ_MORE_THAN_ONCE)
def test_each_reading_of_a_weight_iterates(case):
    name, sizes, weights, shapes = READ_MORE_THAN_ONCE[case]
    torch.manual_seed(3)
    theirs = getattr(torch.nn, name)(*sizes, dtype=torch.float64)
    rngs = nn.Rngs(random.manual_seed(3))
    ours = getattr(nn, name)(*sizes, dtype=jnp.float64, rngs=rngs)
    for weight in weights:
        theirs = torch.nn.utils.parametrizations.spectral_norm(theirs, weight)
        ours = parametrizations.spectral_norm(ours, weight, rngs=rngs)
    arrays = [torch.randn(shape, dtype=torch.float64) for shape in shapes]
    if name == "MultiheadAttention":
        arrays += [arrays[-1]] * (3 - len(arrays))
    made = {id(each): jnp.asarray(each.numpy()) for each in arrays}  # attention asks which are one and the same
    given, state = tuple(made[id(each)] for each in arrays), func.extract(ours)
    for _ in range(2):
        expected = theirs(*arrays)
        found, aux = func.functional_call(ours, state, given, training=True, has_aux=True)
        state = state[0], aux.buffers
        for mine, yours in zip(jax.tree.leaves(found), jax.tree.leaves(expected, is_leaf=torch.is_tensor), strict=True):
            close(mine, yours)
        for key, buffer in theirs.named_buffers():
            close(aux.buffers[key], buffer)


def test_a_bias_is_divided_by_its_norm_and_two_names_may_be_computed():
    rngs = nn.Rngs(random.manual_seed(0))
    plain = nn.Linear(3, 2, dtype=jnp.float64, rngs=rngs)
    ours = parametrizations.weight_norm(parametrizations.spectral_norm(plain, "bias"))
    theirs = torch.nn.Linear(3, 2, dtype=torch.float64)
    theirs.load_state_dict({name: torch.tensor(np.asarray(value)) for name, value in plain.state_dict().items()})
    theirs = torch.nn.utils.parametrizations.spectral_norm(theirs, "bias")
    theirs = torch.nn.utils.parametrizations.weight_norm(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert repr(ours) == repr(theirs)
    close(func.functional_call(ours, {}, jnp.ones(3)), theirs(torch.ones(3, dtype=torch.float64)))
    assert parametrize.is_parametrized(ours) and parametrize.is_parametrized(ours, "bias")
    assert not parametrize.is_parametrized(plain) and not parametrize.is_parametrized(ours, "other")
    one = parametrize.remove_parametrizations(ours, "bias")
    assert parametrize.is_parametrized(one, "weight") and not parametrize.is_parametrized(one, "bias")
    assert parametrize.type_before_parametrizations(one) is nn.Linear


def test_norms_on_norms_are_torchs():
    torch.manual_seed(1)
    theirs = torch.nn.Linear(4, 3, dtype=torch.float64)
    rngs = nn.Rngs(random.manual_seed(1))
    ours = parametrizations.weight_norm(nn.Linear(4, 3, dtype=jnp.float64, rngs=rngs))
    theirs = torch.nn.utils.parametrizations.weight_norm(theirs)
    for _ in range(2):
        ours = parametrizations.spectral_norm(ours, rngs=rngs)
        theirs = torch.nn.utils.parametrizations.spectral_norm(theirs)
    compare(ours, theirs, torch.randn(2, 4, dtype=torch.float64))


def test_a_parametrization_of_ones_own_is_set_and_read():
    class Positive(nn.Module):
        def forward(self, x):
            return jnp.exp(x)

        def right_inverse(self, y):
            return jnp.log(y)

    plain = nn.Linear(2, 2, dtype=jnp.float64, rngs=nn.Rngs(random.manual_seed(0)))
    plain.weight.set_value(jnp.ones((2, 2)))
    model = parametrize.register_parametrization(nn.Sequential(plain)[0], "weight", Positive())
    assert model.weight.get_value().tolist() == [[1.0, 1.0], [1.0, 1.0]]
    model.weight = jnp.full((2, 2), 2.0)
    np.testing.assert_allclose(func.extract(func.bind(model, {}))[0]["parametrizations.weight.original"], np.log(2.0))
    assert type(func.bind(model, {})) is type(model)
    assert (copy.deepcopy(model).weight.get_value() == model.weight.get_value()).all()
    with pytest.raises(RuntimeError, match="only supported through state_dict"):
        pickle.dumps(model)
    with pytest.raises(RuntimeError, match="computed from others"):
        model.weight.set_value(jnp.ones((2, 2)))


def test_sentences_are_torchs():
    rngs = nn.Rngs(random.manual_seed(0))
    plain, theirs = nn.Linear(3, 2, rngs=rngs), torch.nn.Linear(3, 2)
    for norm, kwargs in (
        ("weight_norm", {"name": "other"}),
        ("spectral_norm", {"name": "other"}),
        ("weight_norm", {"dim": 2}),
        ("spectral_norm", {"dim": 2}),
        ("spectral_norm", {"n_power_iterations": 0}),
    ):
        with pytest.raises((ValueError, IndexError)) as expected:
            getattr(torch.nn.utils.parametrizations, norm)(theirs, **kwargs)
        rng = {"rngs": rngs} if norm == "spectral_norm" else {}
        with pytest.raises(expected.type) as got:
            getattr(parametrizations, norm)(plain, **kwargs, **rng)
        assert str(got.value) == str(expected.value)
    normed = parametrizations.weight_norm(plain)
    with pytest.raises(ValueError, match="parametrized already"):
        parametrizations.weight_norm(normed)
    with pytest.raises(ValueError, match="Cannot leave unparametrized"):
        parametrize.remove_parametrizations(normed, "weight", leave_parametrized=False)
    with pytest.raises(ValueError, match="does not have a parametrization on bias"):
        parametrize.remove_parametrizations(normed, "bias")
    with pytest.raises(TypeError, match="rngs"):
        parametrizations.spectral_norm(plain)
    with pytest.raises(TypeError, match=r"an nn.Module of jaxgrad"):
        parametrizations.weight_norm(theirs)
    with pytest.raises(RuntimeError, match="depends on whether the model is training"):
        parametrizations.spectral_norm(plain, rngs=rngs)(jnp.ones(3))


def test_float32_is_as_near_to_float64_as_torchs_is():
    ratios = []
    for seed in range(6):
        torch.manual_seed(seed)
        single = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(24, 16))
        double, x = copy.deepcopy(single).double(), torch.randn(8, 24)
        ours = parametrizations.weight_norm(nn.Linear(24, 16, rngs=nn.Rngs(random.manual_seed(seed))))
        for theirs in (single, double):
            theirs(x.to(theirs.bias.dtype)).sin().sum().backward()
        params, _ = func.extract(ours)
        grads = jax.grad(lambda params, x: jnp.sum(jnp.sin(func.functional_call(ours, params, x))))(params, x.numpy())  # noqa: B023
        for name, exact in double.named_parameters():
            mine, yours = np.asarray(grads[name], np.float64), dict(single.named_parameters())[name].grad.double()
            exact = exact.grad.numpy()
            ratios.append(np.linalg.norm(mine - exact) / np.linalg.norm(yours.numpy() - exact))
    assert max(ratios) <= 3 and np.median(ratios) <= 1.5, ratios
