"""Networks of images (convolutions, BatchNorm, a VAE, GroupNorm), twenty steps beside torch."""

import numpy as np
import pytest

from jaxgrad.parity.catalog.models import fashion_cnn, resnet, unet, vae, vae_loss
from tests.models.side_by_side import compare


def test_fashion_cnn():
    stream = np.random.default_rng(0)
    batches = [(stream.standard_normal((4, 1, 14, 14)), stream.integers(0, 10, 4)) for _ in range(2)]
    compare(fashion_cnn, lambda F: F.cross_entropy, batches, ("SGD", {"lr": 0.05, "momentum": 0.9}))


@pytest.mark.exhaustive
def test_resnet_with_batch_norm_in_training():
    rng = np.random.default_rng(0)
    batches = [(rng.standard_normal((6, 3, 8, 8)), rng.integers(0, 4, 6)) for _ in range(3)]
    compare(resnet, lambda F: F.cross_entropy, batches, ("SGD", {"lr": 0.05, "momentum": 0.9}))


def test_vae():
    rng = np.random.default_rng(0)
    images = [rng.uniform(size=(8, 20)) for _ in range(2)]
    compare(vae, vae_loss, [(x, x) for x in images])


@pytest.mark.exhaustive
def test_unet_with_group_norm():
    rng = np.random.default_rng(0)
    batches = [(rng.standard_normal((3, 1, 8, 8)), rng.standard_normal((3, 1, 8, 8))) for _ in range(2)]
    compare(unet, lambda F: F.mse_loss, batches)
