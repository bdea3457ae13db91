"""Gradients by the weights of a loss: torch refuses some of them, so its formula is differentiated instead."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad import autograd
from jaxgrad.nn import functional as F

torch = pytest.importorskip("torch")


def by_formula(x, t, weight, pos_weight):
    return weight * ((1 - t) * x + (1 + (pos_weight - 1) * t) * torch.nn.functional.softplus(-x))


def test_binary_cross_entropy_by_weight_and_pos_weight():
    rng = np.random.default_rng(0)
    given = {
        "input": 3 * rng.normal(size=(6, 4)),
        "target": rng.uniform(0.05, 0.95, (6, 4)),
        "weight": rng.uniform(0.5, 2, (6, 4)),
        "pos_weight": rng.uniform(0.5, 2, 4),
    }
    leaves = {name: torch.tensor(value, requires_grad=True) for name, value in given.items()}
    by_formula(*leaves.values()).mean().backward()
    with jax.enable_x64(True):
        params = {name: jnp.asarray(value) for name, value in given.items()}
        _, grads = autograd.backward(lambda p: F.binary_cross_entropy_with_logits(**p), params)
        for name, leaf in leaves.items():
            np.testing.assert_allclose(grads[name], leaf.grad, rtol=1e-12, atol=1e-16, err_msg=name)
