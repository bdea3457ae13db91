"""Activations as modules: PyTorch's own samples (``module_db``), and those that it has none of."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxgrad import func, nn, random
from tests.support.module_samples import infos, samples

NAMES = (
    "CELU ELU GELU GLU Hardshrink Hardswish Hardtanh LeakyReLU LogSigmoid LogSoftmax Mish PReLU ReLU ReLU6 SELU SiLU "
    "Sigmoid Softmax Softmax2d Softmin Softplus Softshrink Softsign Tanh Tanhshrink Threshold"
).split()


@pytest.mark.parametrize("info", infos(*NAMES), ids=lambda info: info.module_cls.__name__)
def test_samples(info, x64):
    samples(info, modes=(True,), limit=2).check()


@pytest.mark.exhaustive
@pytest.mark.parametrize("info", infos(*NAMES), ids=lambda info: info.module_cls.__name__)
def test_all_samples(info):
    with jax.enable_x64(True):
        samples(info).check()
        samples(info).check()
    samples(info, dtype=torch.float32).check()


def test_what_the_database_has_not(x64):
    x = np.random.default_rng(0).normal(size=(3, 4))
    np.testing.assert_allclose(nn.Hardsigmoid()(jnp.asarray(x)), torch.nn.Hardsigmoid()(torch.from_numpy(x)))
    ours, theirs = nn.RReLU(0.1, 0.3), torch.nn.RReLU(0.1, 0.3)
    assert repr(ours) == repr(theirs)
    for training in (True, False):
        torch.manual_seed(5)
        expected = theirs.train(training)(torch.from_numpy(x))
        generator = random.manual_seed(5)
        out, aux = func.functional_call(ours, {}, jnp.asarray(x), training=training, generator=generator, has_aux=True)
        np.testing.assert_allclose(out, expected, rtol=1e-14)
        np.testing.assert_array_equal(aux.generator.get_state(), torch.get_rng_state().numpy())


def test_refusals():
    for name in "ReLU SELU SiLU Mish Hardswish Hardsigmoid ReLU6 ELU CELU LeakyReLU RReLU Hardtanh".split():
        with pytest.raises(ValueError, match="inplace=True has no meaning here"):
            getattr(nn, name)(inplace=True)
    with pytest.raises(AssertionError, match=r"max_val \(1\) must be greater than min_val \(2\)"):
        nn.Hardtanh(2, 1)
    with pytest.warns(FutureWarning, match="`min_value` is deprecated and renamed to `min_val`"):
        assert nn.Hardtanh(min_value=-3).min_val == -3
    with pytest.raises(ValueError, match="Softmax2d: expected input to be 3D or 4D, got 2D instead"):
        nn.Softmax2d()(jnp.ones((2, 3)))
