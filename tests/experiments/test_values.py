"""The values PyTorch printed come out of the JAX side alone."""

import numpy as np
import pytest

from experiments import fashion_mnist_buffers, zero_grad
from experiments.common.datasets import DataUnavailable, load
from experiments.common.experiment import Settings

GRAD_1 = [-1.3665e-02, -1.8583e-02, 8.0944e-03, 1.7311e-02, 8.9696e-05, -1.5166e-02, -8.2545e-03, -3.6081e-03]
GRAD_1 += [-3.5681e-03, 3.1789e-02]


def test_zero_grad():
    found = zero_grad.ours(Settings(seed=42))
    assert f"{float(found['loss 1']):.4f} {float(found['loss 2']):.4f}" == "1.1118 1.1516"
    np.testing.assert_allclose(found["grad 1, first row"], GRAD_1, rtol=5e-5, atol=2e-9)  # the digits printed
    assert found["accumulated equals grad 1 + grad 2"] == "yes"
    large, summed = found["the large batch, losses"], found["summed on purpose, losses"]
    np.testing.assert_allclose(large, summed, rtol=1e-5)
    assert found["never cleared, losses"].max() > found["cleared, losses"].max()


def _have_fashion_mnist() -> str:
    try:
        load("fashion_mnist", "train")
    except DataUnavailable as error:
        return str(error)
    return ""


@pytest.mark.skipif(bool(_have_fashion_mnist()), reason=_have_fashion_mnist() or "there")
def test_fashion_mnist_buffers():
    found = fashion_mnist_buffers.ours(Settings(seed=1))

    def row(loop, iteration):
        return [f"{abs(each):.4f}" for each in found[f"{loop}: iteration {iteration}"]]

    for iteration in range(4):
        assert row("zero_grad, step", iteration) == ["0.0000", "0.0000", "0.0023", "0.0173", "0.0000", "0.0447"]
    assert row("zero_grad, step", 9)[2:4] == ["0.0022", "0.0172"]
    assert row("no zero_grad, step", 1) == ["0.0000", "0.0000", "0.0045", "0.0345", "0.0000", "0.0894"]
    norms = np.linalg.norm(found["no zero_grad, step: all gradients"], axis=1)
    assert np.all(np.diff(norms) > 0)
    still = found["zero_grad, no step: all gradients"]
    np.testing.assert_array_equal(still, np.broadcast_to(still[:1], still.shape))
