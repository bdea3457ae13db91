"""Layers of pooling and resampling beside torch's: text, values, gradients, and what they draw."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxgrad import func, nn, random
from tests.support.module_samples import error_inputs, infos, samples

KINDS = ("MaxPool", "AvgPool", "LPPool", "AdaptiveAvgPool", "AdaptiveMaxPool")
POOLS = infos(*(f"{kind}{n}d" for kind in KINDS for n in (1, 2, 3)), "FractionalMaxPool2d", "FractionalMaxPool3d")


@pytest.mark.parametrize("info", POOLS, ids=lambda info: info.name)
def test_pools(info, x64):
    samples(info, limit=1, modes=(True,)).check()
    error_inputs(info).check(at_least=0)


@pytest.mark.exhaustive
@pytest.mark.parametrize("info", POOLS, ids=lambda info: info.name)
def test_all_samples(info, x64):
    samples(info).check()


@pytest.mark.exhaustive
@pytest.mark.parametrize("info", POOLS, ids=lambda info: info.name)
def test_all_samples_in_float32(info):
    samples(info, dtype=torch.float32).check()


SHAPED = [
    ("Upsample", {"scale_factor": 2, "mode": "bilinear"}, (1, 2, 3, 4)),
    ("Upsample", {"size": (5, 6)}, (1, 2, 3, 4)),
    ("UpsamplingNearest2d", {"scale_factor": 2}, (1, 2, 3, 4)),
    ("UpsamplingBilinear2d", {"size": 5}, (1, 2, 3, 4)),
    ("PixelShuffle", {"upscale_factor": 2}, (1, 8, 3, 4)),
    ("PixelUnshuffle", {"downscale_factor": 2}, (1, 2, 4, 6)),
    ("ChannelShuffle", {"groups": 2}, (1, 4, 3, 3)),
]


@pytest.mark.parametrize("name,kwargs,shape", SHAPED)
def test_pictures(name, kwargs, shape):
    ours, theirs = getattr(nn, name)(**kwargs), getattr(torch.nn, name)(**kwargs)
    assert repr(ours) == repr(theirs)
    x = torch.randn(shape)
    np.testing.assert_allclose(ours(jnp.asarray(x.numpy())), theirs(x).numpy(), rtol=1e-5, atol=1e-6)


def test_a_pool_and_its_inverse():
    x = torch.randn(1, 2, 5, 6)
    output, indices = torch.nn.MaxPool2d(2, return_indices=True)(x)
    ours, places = nn.MaxPool2d(2, return_indices=True)(jnp.asarray(x.numpy()))
    np.testing.assert_array_equal(places, indices.numpy())
    theirs = torch.nn.MaxUnpool2d(2)(output, indices, output_size=(5, 6))
    np.testing.assert_array_equal(nn.MaxUnpool2d(2)(ours, places, output_size=(5, 6)), theirs.numpy())
    assert repr(nn.MaxUnpool2d(2)) == repr(torch.nn.MaxUnpool2d(2))


def test_a_fractional_pool_draws_from_the_call():
    x = torch.randn(2, 3, 8, 8)
    torch.manual_seed(5)
    theirs = torch.nn.FractionalMaxPool2d(2, output_size=5)(x)
    call = dict(generator=random.manual_seed(5), has_aux=True)
    ours, aux = func.functional_call(nn.FractionalMaxPool2d(2, output_size=5), {}, jnp.asarray(x.numpy()), **call)
    np.testing.assert_array_equal(ours, theirs.numpy())
    np.testing.assert_array_equal(random.rand(aux.generator, (3,))[0], torch.rand(3).numpy())
    with pytest.raises(ValueError, match="requires specifying either an output size, or a pooling ratio"):
        nn.FractionalMaxPool2d(2)
