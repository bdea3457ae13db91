"""``nn.utils.parametrizations.orthogonal`` beside torch: every map, tall, wide and square."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad import nn, random
from jaxgrad.nn.utils import parametrizations
from tests.nn.test_parametrizations import close, compare, in_float64  # noqa: F401

torch = pytest.importorskip("torch", reason="the reference is not installed")


def pair(sizes, orthogonal_map, use_trivialization):
    torch.manual_seed(2)
    theirs = torch.nn.Linear(*sizes, dtype=torch.float64)
    kwargs = {"orthogonal_map": orthogonal_map, "use_trivialization": use_trivialization}
    theirs = torch.nn.utils.parametrizations.orthogonal(theirs, **kwargs)
    rngs = nn.Rngs(random.manual_seed(2))
    ours = parametrizations.orthogonal(nn.Linear(*sizes, dtype=jnp.float64, rngs=rngs), **kwargs, rngs=rngs)
    assert random.rand(rngs.generator, (2,))[0].tolist() == torch.rand(2).tolist()
    return ours, theirs, torch.randn(2, sizes[0], dtype=torch.float64)


@pytest.mark.parametrize("orthogonal_map", ["matrix_exp", "cayley", "householder"])
def test_orthogonal_is_torchs(orthogonal_map):
    square = orthogonal_map != "householder"  # which begins at a square weight without a base as well
    for sizes, trivial in (((2, 4), True), ((4, 2), False), ((3, 3), square)):
        compare(*pair(sizes, orthogonal_map, trivial), calls=2)


def test_the_map_is_chosen_as_in_torch_and_an_orthogonal_weight_stays():
    for sizes in ((3, 3), (2, 3)):
        ours, theirs, _ = pair(sizes, None, True)
        assert ours.parametrizations.weight[0].orthogonal_map == theirs.parametrizations.weight[0].orthogonal_map.name
    plain = nn.Linear(3, 3, dtype=jnp.float64, rngs=nn.Rngs(random.manual_seed(0)))
    plain.weight.set_value(jnp.eye(3)[::-1])
    assert (parametrizations.orthogonal(plain).weight.get_value() == plain.weight.get_value()).all()


def test_a_batch_of_matrices_is_torchs():
    torch.manual_seed(4)
    theirs = torch.nn.Module()
    theirs.weight = torch.nn.Parameter(torch.randn(2, 3, 4, dtype=torch.float64))
    ours = nn.Module()
    ours.weight = nn.Parameter(jnp.asarray(theirs.weight.detach().numpy()))
    torch.manual_seed(5)
    theirs = torch.nn.utils.parametrizations.orthogonal(theirs)
    ours = parametrizations.orthogonal(ours, rngs=nn.Rngs(random.manual_seed(5)))
    close(ours.weight.get_value(), theirs.weight)


def test_sentences_are_torchs():
    rngs = nn.Rngs(random.manual_seed(0))
    plain, theirs = nn.Linear(3, 2, rngs=rngs), torch.nn.Linear(3, 2)
    for kwargs in ({"name": "other"}, {"name": "bias"}, {"orthogonal_map": "qr"}):
        with pytest.raises(ValueError) as expected:
            torch.nn.utils.parametrizations.orthogonal(theirs, **kwargs)
        with pytest.raises(ValueError) as got:
            parametrizations.orthogonal(plain, **kwargs, rngs=rngs)
        assert str(got.value) == str(expected.value)
    with pytest.raises(TypeError, match="rngs"):
        parametrizations.orthogonal(plain)
    wrong = np.ones((2, 2))
    model = torch.nn.utils.parametrizations.orthogonal(theirs)
    with pytest.raises(ValueError) as expected:
        model.weight = torch.tensor(wrong)
    ours = parametrizations.orthogonal(plain, rngs=rngs)
    with pytest.raises(ValueError) as got:
        ours.weight = wrong
    assert str(got.value) == str(expected.value)
