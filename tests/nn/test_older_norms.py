"""``nn.utils.weight_norm`` and ``spectral_norm`` with their older names, beside torch: calls, gradients, buffers."""

import copy
import pickle
import secrets
import warnings

import jax
import jax.numpy as jnp
import pytest

from jaxgrad import nn, random
from jaxgrad.nn.utils import parametrizations

torch = pytest.importorskip("torch", reason="the reference is not installed")

from tests.nn.normed import LAYERS, close, trained  # noqa: E402 -- after the skip

OLDER = {"weight_norm": ({}, {"dim": 1}, {"dim": None}), "spectral_norm": ({}, {"n_power_iterations": 3, "dim": 1})}
OLDER["spectral_norm"] += ({"eps": 1.0},)
CASES = [(layer, norm, options) for layer in LAYERS for norm, cases in OLDER.items() for options in cases]


@pytest.fixture(autouse=True)
def in_float64():
    with jax.enable_x64(True), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*weight_norm", category=FutureWarning)
        yield


def in_torch(norm, module, *args, **kwargs):
    return getattr(torch.nn.utils, norm)(module, *args, **kwargs)


def here(norm, module, rngs, *args, **kwargs):
    return getattr(nn.utils, norm)(module, *args, **kwargs, **({"rngs": rngs} if norm == "spectral_norm" else {}))


def built(kind, sizes, seed):
    torch.manual_seed(seed)
    theirs = getattr(torch.nn, kind)(*sizes, dtype=torch.float64)
    rngs = nn.Rngs(random.manual_seed(seed))
    return getattr(nn, kind)(*sizes, dtype=jnp.float64, rngs=rngs), theirs, rngs


@pytest.mark.parametrize(("layer", "norm", "options"), CASES, ids=str)
def test_calls_are_torchs(layer, norm, options):
    kind, sizes, shape = LAYERS[layer]
    ours, theirs, rngs = built(kind, sizes, secrets.randbelow(2**31))
    before = list(ours.state_dict())
    plain, ours, theirs = ours, here(norm, ours, rngs, **options), in_torch(norm, theirs, **options)
    assert list(plain.state_dict()) == before, "the module given does not change"
    for name, value in theirs.state_dict().items():
        close(ours.state_dict()[name], value)
    following, _ = random.rand(rngs.generator, (2,))
    assert following.tolist() == torch.rand(2).tolist()
    calls = 1 if "eps" in options else 3  # vectors that eps shortens grow shorter, and gradients larger, call by call
    last = trained(ours, theirs, torch.randn(shape, dtype=torch.float64), calls)
    again, theirs = getattr(nn.utils, f"remove_{norm}")(last), in_torch(f"remove_{norm}", theirs)
    assert type(again) is type(plain) and list(again.state_dict()) == list(theirs.state_dict())
    for name, value in theirs.state_dict().items():
        close(again.state_dict()[name], value)


@pytest.mark.parametrize("norm", OLDER)
def test_two_weights_of_a_recurrent_layer(norm):
    """Which torch reads once a call, however often the layer does."""
    ours, theirs, rngs = built("LSTM", (3, 4), secrets.randbelow(2**31))
    for name in ("weight_ih_l0", "weight_hh_l0"):
        ours, theirs = here(norm, ours, rngs, name), in_torch(norm, theirs, name)
    trained(ours, theirs, torch.randn((5, 2, 3), dtype=torch.float64))
    one = getattr(nn.utils, f"remove_{norm}")(ours, "weight_ih_l0")
    theirs = in_torch(f"remove_{norm}", theirs, "weight_ih_l0")
    assert list(one.state_dict()) == list(theirs.state_dict())


@pytest.mark.parametrize("norm", OLDER)
def test_a_copy_and_a_pickle_compute_the_same(norm):
    plain, _, rngs = built("Linear", (3, 2), 0)
    model = nn.Sequential(here(norm, plain, rngs), nn.ReLU())
    for made in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert type(made[0]) is type(model[0]) and repr(made) == repr(model)
        assert list(made.state_dict()) == list(model.state_dict())
        assert (made[0].weight.get_value() == model[0].weight.get_value()).all()
    with pytest.raises(RuntimeError, match=rf"(?s)computed from .*remove_{norm}"):
        model[0].weight = nn.Parameter(jnp.ones((2, 3)))


def test_sentences_are_torchs():
    plain, theirs, rngs = built("Linear", (3, 2), 0)
    for norm, options in (("weight_norm", {"dim": 2}), ("weight_norm", {"name": "other"})):
        with pytest.raises((IndexError, AttributeError)) as expected:
            in_torch(norm, copy.deepcopy(theirs), **options)
        with pytest.raises(expected.type) as got:
            here(norm, plain, rngs, **options)
        assert str(got.value) == str(expected.value)
    for norm in OLDER:
        with pytest.raises(ValueError, match="not found in") as expected:
            in_torch(f"remove_{norm}", theirs)
        with pytest.raises(ValueError, match="not found in") as got:
            getattr(nn.utils, f"remove_{norm}")(plain)
        assert str(got.value) == str(expected.value)
        with pytest.raises(RuntimeError) as expected:
            twice = in_torch(norm, copy.deepcopy(theirs))
            in_torch(norm, twice)
        with pytest.raises(RuntimeError) as got:
            here(norm, here(norm, plain, rngs), rngs)
        assert str(got.value) == str(expected.value)
        with pytest.raises(RuntimeError, match="on a module that is parametrized"):
            here(norm, parametrizations.weight_norm(plain), rngs)
    with pytest.raises(ValueError, match="Expected n_power_iterations to be positive, but got n_power_iterations=0"):
        nn.utils.spectral_norm(plain, n_power_iterations=0, rngs=rngs)
    with pytest.raises(RuntimeError, match="depends on whether the model is training"):
        nn.utils.spectral_norm(plain, rngs=rngs)(jnp.ones(3))
