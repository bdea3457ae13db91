"""Layers of convolution, folding and padding beside torch's: names, text, initial values, values and gradients."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxgrad import func, nn, random
from tests.support.module_samples import error_inputs, infos, samples

CONVOLUTIONS = infos(*(f"Conv{t}{n}d" for t in ("", "Transpose") for n in (1, 2, 3)))
PADS = infos(
    *(f"{kind}Pad{n}d" for kind in ("Zero", "Constant", "Reflection", "Replication", "Circular") for n in (1, 2, 3))
)


@pytest.mark.parametrize("info", CONVOLUTIONS, ids=lambda info: info.name)
def test_convolutions(info, x64):
    samples(info, limit=1, modes=(True,)).check()


@pytest.mark.parametrize("info", PADS, ids=lambda info: info.name)
def test_pads(info, x64):
    samples(info, limit=1, modes=(True,)).check()
    error_inputs(info).check(at_least=0)


@pytest.mark.exhaustive
@pytest.mark.parametrize("info", CONVOLUTIONS + PADS, ids=lambda info: info.name)
def test_all_samples(info, x64):
    samples(info).check()


@pytest.mark.exhaustive
@pytest.mark.parametrize("info", CONVOLUTIONS + PADS, ids=lambda info: info.name)
def test_all_samples_in_float32(info):
    samples(info, dtype=torch.float32).check()


BUILT = [
    ("Conv2d", (3, 8, 3), {"padding": 1, "padding_mode": "reflect"}),
    ("Conv1d", (4, 8, 3), {"padding": "same", "dilation": 2, "padding_mode": "circular", "groups": 2}),
    ("Conv3d", (2, 2, (1, 2, 2)), {"stride": (1, 2, 1), "bias": False}),
    ("ConvTranspose2d", (4, 6, 3), {"stride": 2, "output_padding": 1, "groups": 2}),
]


@pytest.mark.parametrize("name,args,kwargs", BUILT, ids=lambda v: v if isinstance(v, str) else "")
def test_initial_values_text_and_output(name, args, kwargs):
    torch.manual_seed(3)
    theirs = getattr(torch.nn, name)(*args, **kwargs)
    rngs = nn.Rngs(random.manual_seed(3))
    ours = getattr(nn, name)(*args, **kwargs, rngs=rngs)
    assert repr(ours) == repr(theirs)
    params, _ = func.extract(ours)
    expected = theirs.state_dict()
    assert list(params) == list(expected)
    for key, value in params.items():
        np.testing.assert_array_equal(value, expected[key].numpy())
    assert np.array_equal(random.rand(rngs.generator, (3,))[0], torch.rand(3).numpy())
    x = torch.randn(2, args[0], *[6] * (theirs.weight.dim() - 2))
    np.testing.assert_allclose(ours(jnp.asarray(x.numpy())), theirs(x).detach().numpy(), rtol=1e-4, atol=1e-5)


REFUSED = [
    ("Conv2d", (3, 8, 3), {"groups": 2}),
    ("Conv2d", (4, 7, 3), {"groups": 2}),
    ("Conv2d", (4, 8, 3), {"groups": 0}),
    ("Conv2d", (4, 8, 3), {"padding": "same", "stride": 2}),
    ("ConvTranspose2d", (4, 8, 3), {"padding_mode": "reflect"}),
]


@pytest.mark.parametrize("name,args,kwargs", REFUSED)
def test_constructors_refuse_in_torchs_words(name, args, kwargs):
    with pytest.raises(Exception) as theirs:
        getattr(torch.nn, name)(*args, **kwargs)
    with pytest.raises(type(theirs.value)) as ours:
        getattr(nn, name)(*args, **kwargs, rngs=nn.Rngs(random.manual_seed(0)))
    assert str(ours.value).splitlines()[0] == str(theirs.value).splitlines()[0]


def test_output_size_of_a_transposed_convolution():
    theirs = torch.nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1)
    ours = nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1, rngs=nn.Rngs(random.manual_seed(0)))
    for size in ((8, 9), (2, 3, 8, 9), [10, 9], (8,)):
        try:
            expected = tuple(theirs(torch.ones(2, 2, 4, 5), output_size=size).shape)
        except ValueError as error:
            with pytest.raises(ValueError) as got:
                ours(jnp.ones((2, 2, 4, 5)), output_size=size)
            assert str(got.value) == str(error)
        else:
            assert ours(jnp.ones((2, 2, 4, 5)), output_size=size).shape == expected


def test_folding_modules():
    for name, args, shape in (("Unfold", (2,), (1, 3, 4, 4)), ("Fold", ((4, 4), 2), (1, 12, 9))):
        theirs, ours = getattr(torch.nn, name)(*args, stride=1), getattr(nn, name)(*args, stride=1)
        assert repr(ours) == repr(theirs)
        x = torch.randn(shape)
        np.testing.assert_allclose(ours(jnp.asarray(x.numpy())), theirs(x).numpy(), rtol=1e-6)
