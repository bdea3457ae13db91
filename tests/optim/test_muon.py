"""Muon: the iteration in bfloat16 bit for bit where it is small, and the rest of the rule to float64's accuracy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch.optim._muon import _zeropower_via_newtonschulz

from jaxgrad import optim
from jaxgrad.optim.muon import _orthogonalized
from tests.optim import harness

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


@pytest.mark.parametrize("shape", [(6, 8), (9, 4), (1, 5), (16, 16), (64, 32)])
def test_the_iteration_is_torchs(shape):
    """Identical for small matrices; in larger ones sums in another order flip the last of 8 bits now and then."""
    constants = dict(zip("abc", map(jnp.float32, COEFFICIENTS), strict=True)) | {"eps": jnp.float32(1e-7)}
    ours = jax.jit(lambda x: _orthogonalized(x, constants, 5))
    rng = np.random.default_rng(0)
    same = []
    for _ in range(20):
        x = rng.standard_normal(shape).astype(np.float32)
        found = np.asarray(ours(x))
        expected = _zeropower_via_newtonschulz(torch.tensor(x), COEFFICIENTS, 5, 1e-7).float().numpy()
        same.append(np.array_equal(found, expected))
        assert np.abs(found - expected).max() < 2**-6
    assert np.mean(same) >= (0.9 if max(shape) <= 16 else 0.3)


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"nesterov": False},
        {"momentum": 0.3, "weight_decay": 0.5, "lr": 0.1},
        {"adjust_lr_fn": "match_rms_adamw"},
        {"adjust_lr_fn": "original"},
    ],
)
def test_without_iterations_it_is_exact(kwargs):
    kwargs = kwargs | {"ns_steps": 0}
    params, grads = harness.start("Muon"), harness.moving_gradients("Muon", 100)
    theirs = harness.torch_run("Muon", kwargs, params, grads, "float64")
    ours = harness.jax_run("Muon", kwargs, params, grads, "float64")
    assert harness.distance(ours, theirs, params) < 1e-12


def test_what_torch_refuses_is_refused():
    with pytest.raises(ValueError, match="Number of steps must be less than 100"):
        optim.Muon(ns_steps=100)
    with pytest.raises(ValueError, match="Coefficients must be a tuple of exactly 3 values"):
        optim.Muon(ns_coefficients=(1.0, 2.0))
    with pytest.raises(ValueError, match="Muon only supports 2D parameters whereas we found a parameter with size"):
        optim.Muon().init({"b": jnp.ones(3)})
