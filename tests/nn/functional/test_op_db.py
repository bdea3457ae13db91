"""PyTorch's own samples (``op_db``) of the functions that stand here: values, gradients, dtypes, errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad.nn import functional as F
from tests.support.op_samples import entries, error_inputs, op_id, samples

NAMES = ("linear", "relu", "cross_entropy", "mse_loss", "binary_cross_entropy_with_logits", "nll_loss")
OPS = entries(*(f"nn.functional.{name}" for name in NAMES))


@pytest.mark.parametrize("op", OPS, ids=op_id)
def test_samples(op, x64):
    samples(op).check()
    error_inputs(op).check(at_least=0)


def test_a_wrong_value_a_wrong_gradient_and_a_missing_error_are_seen(x64):
    (op,) = entries("nn.functional.leaky_relu")

    def leaky_relu(x, slope=0.01, inplace=False):
        return jnp.where(x > 0, x, x * slope)

    samples(op, leaky_relu).check()
    value = samples(op, lambda *args, **kwargs: leaky_relu(*args, **kwargs) * 1.001)
    assert "result 0" in value.complaints[0]

    def slanted(x, *args, **kwargs):
        return leaky_relu(x * 1.001 - jax.lax.stop_gradient(0.001 * x), *args, **kwargs)

    assert "gradient of tensor 0" in samples(op, slanted).complaints[0]
    (op,) = entries("nn.functional.l1_loss")
    assert "no error" in error_inputs(op, lambda x, y, **kwargs: x).complaints[0]


def test_samples_agree_under_jit():
    x, y = jnp.ones((4, 3)), jnp.array([0, 1, 2, -100])
    eager = F.cross_entropy(x, y, label_smoothing=0.1)
    np.testing.assert_allclose(jax.jit(lambda x, y: F.cross_entropy(x, y, label_smoothing=0.1))(x, y), eager, rtol=1e-6)


def test_label_out_of_range_inside_jit_is_nan():
    loss = jax.jit(F.cross_entropy)(jnp.ones((2, 3)), jnp.array([0, 7]))
    assert np.isnan(loss)
    weighted = jax.jit(lambda x, y: F.cross_entropy(x, y, jnp.ones(3)))(jnp.ones((2, 3)), jnp.array([0, 7]))
    assert np.isnan(weighted)
