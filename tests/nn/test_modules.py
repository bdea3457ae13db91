"""Modules against torch's: initial values bit for bit, forms, and what they refuse."""

from itertools import pairwise

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad import func, nn, random

torch = pytest.importorskip("torch", reason="the reference is not installed")


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**63 - 1),
    sizes=st.lists(st.integers(1, 40), min_size=2, max_size=4),
    bias=st.booleans(),
)
def test_default_initial_values_and_the_stream_behind_them(seed, sizes, bias):
    torch.manual_seed(seed)
    theirs = torch.nn.Sequential(*(torch.nn.Linear(m, n, bias) for m, n in pairwise(sizes)))
    next_draw = torch.rand(5).numpy()
    rngs = nn.Rngs(random.manual_seed(seed))
    ours = nn.Sequential(*(nn.Linear(m, n, bias, rngs=rngs) for m, n in pairwise(sizes)))
    params, _ = func.extract(ours)
    assert list(params) == list(theirs.state_dict())
    for name, value in theirs.state_dict().items():
        np.testing.assert_array_equal(np.asarray(params[name]), value.numpy())
    np.testing.assert_array_equal(np.asarray(random.rand(rngs.generator, (5,))[0]), next_draw)


def test_float64_initial_values(x64):
    torch.manual_seed(5)
    theirs = torch.nn.Linear(7, 3, dtype=torch.float64)
    ours = nn.Linear(7, 3, dtype=jnp.float64, rngs=nn.Rngs(random.manual_seed(5)))
    np.testing.assert_array_equal(np.asarray(ours.weight.get_value()), theirs.weight.detach().numpy())
    np.testing.assert_array_equal(np.asarray(ours.bias.get_value()), theirs.bias.detach().numpy())


def test_dtypes_are_not_narrowed_in_silence():
    with pytest.raises(TypeError, match="64-bit mode"):
        nn.Linear(2, 2, dtype=jnp.float64, rngs=nn.Rngs(random.manual_seed(0)))


def test_printed_form_is_torchs():
    def build(nn, **rngs):
        return nn.Sequential(
            nn.Flatten(), nn.Linear(4, 3, **rngs), nn.ReLU(), nn.Sequential(nn.Linear(3, 2, False, **rngs))
        )

    ours = build(nn, rngs=nn.Rngs(random.manual_seed(0)))
    assert repr(ours) == repr(build(torch.nn))


@pytest.mark.parametrize("dims", [(), (0,), (0, -1), (1, 2), (2, 2), (-2, -1)])
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (6, 2, 3)])
def test_flatten(dims, shape):
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    np.testing.assert_array_equal(nn.Flatten(*dims)(x), torch.nn.Flatten(*dims)(torch.from_numpy(x)).numpy())


def test_flatten_of_a_scalar():
    assert nn.Flatten(0)(jnp.array(1.0)).shape == (1,)


@pytest.mark.parametrize("dims,shape", [((2, 1), (2, 3, 4)), ((5, -1), (2, 3, 4)), ((1, -1), (3,)), ((0, 7), (2, 3))])
def test_flatten_complains_as_torch_does(dims, shape):
    with pytest.raises((RuntimeError, IndexError)) as theirs:
        torch.nn.Flatten(*dims)(torch.zeros(shape))
    with pytest.raises(type(theirs.value)) as ours:
        nn.Flatten(*dims)(jnp.zeros(shape))
    assert str(ours.value) == str(theirs.value)


def test_sequential_is_a_sequence():
    rngs = nn.Rngs(random.manual_seed(0))
    model = nn.Sequential(nn.Linear(2, 3, rngs=rngs), nn.ReLU(), nn.Linear(3, 4, rngs=rngs))
    assert len(model) == 3 and isinstance(model[1], nn.ReLU) and model[-1].out_features == 4
    assert len(model[:2]) == 2 and model[:2][0] is model[0]
    assert list(func.extract(model.append(nn.Linear(4, 1, rngs=rngs)))[0])[-1] == "3.bias"
    with pytest.raises(IndexError, match="index 9 is out of range"):
        model[9]
    with pytest.raises(TypeError, match="int is not a Module subclass"):
        nn.Sequential(3)


def test_refusals():
    with pytest.raises(ValueError, match="inplace=True"):
        nn.ReLU(inplace=True)
    with pytest.raises(RuntimeError, match="negative dimension -1"):
        nn.Linear(-1, 3, rngs=nn.Rngs(random.manual_seed(0)))
    with pytest.raises(TypeError, match="manual_seed"):
        nn.Rngs(0)
    with pytest.raises(ValueError, match="requires_grad=False"):
        nn.Parameter(jnp.ones(2), requires_grad=False)
    with pytest.raises(NotImplementedError, match='missing the required "forward"'):
        nn.Module()(1)
