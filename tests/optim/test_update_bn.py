"""update_bn with the modules of nn, dropout included, beside torch's."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad import func, nn, random
from jaxgrad.optim import swa_utils

torch = pytest.importorskip("torch", reason="the reference is not installed")


def build(nn, **rngs):
    return nn.Sequential(nn.Linear(4, 3, **rngs), nn.BatchNorm1d(3), nn.Dropout(0.5), nn.BatchNorm1d(3))


def test_statistics_and_stream_are_torchs(x64):
    batches = np.random.default_rng(0).standard_normal((3, 5, 4))
    torch.manual_seed(0)
    theirs = build(torch.nn).double()
    rngs = nn.Rngs(random.manual_seed(0))
    ours = build(nn, rngs=rngs)
    params, buffers = (func.cast(each, "float64") for each in func.extract(ours))
    model = func.bind(ours, params, buffers)
    torch.optim.swa_utils.update_bn([torch.tensor(x) for x in batches], theirs)
    after, stream = swa_utils.update_bn(batches, model, generator=rngs.generator)
    assert list(after) == [name for name, _ in theirs.named_buffers()]
    for name, value in theirs.named_buffers():
        np.testing.assert_allclose(after[name], value.numpy(), rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(stream.get_state(), torch.get_rng_state().numpy())
    np.testing.assert_array_equal(ours[1].running_mean.get_value(), jnp.zeros(3))
    with pytest.raises(TypeError, match="Dropout in training mode draws"):
        swa_utils.update_bn(batches, model)
