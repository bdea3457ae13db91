"""A small ResNet with BatchNorm, a VAE and a U-Net with GroupNorm, twenty steps beside torch."""

import numpy as np
import pytest

from tests.models.side_by_side import compare


def resnet(lib, width=6, classes=4):
    class Block(lib.nn.Module):
        def __init__(self, inside, outside, stride):
            super().__init__()
            conv = dict(bias=False, **lib.rngs)
            self.conv1 = lib.nn.Conv2d(inside, outside, 3, stride, 1, **conv)
            self.bn1 = lib.nn.BatchNorm2d(outside)
            self.conv2 = lib.nn.Conv2d(outside, outside, 3, 1, 1, **conv)
            self.bn2 = lib.nn.BatchNorm2d(outside)
            self.short = lib.nn.Sequential(
                lib.nn.Conv2d(inside, outside, 1, stride, **conv), lib.nn.BatchNorm2d(outside, momentum=None)
            )

        def forward(self, x):
            y = self.bn2(self.conv2(lib.F.relu(self.bn1(self.conv1(x)))))
            return lib.F.relu(y + self.short(x))

    class ResNet(lib.nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = lib.nn.Conv2d(3, width, 3, padding=1, bias=False, **lib.rngs)
            self.bn = lib.nn.BatchNorm2d(width)
            self.blocks = lib.nn.Sequential(Block(width, width, 1), Block(width, 2 * width, 2))
            self.drop = lib.nn.Dropout(0.3)
            self.out = lib.nn.Linear(2 * width, classes, **lib.rngs)

        def forward(self, x):
            x = self.blocks(lib.F.relu(self.bn(self.stem(x))))
            return self.out(self.drop(x.mean((2, 3))))

    return ResNet()


@pytest.mark.exhaustive
def test_resnet_with_batch_norm_in_training():
    rng = np.random.default_rng(0)
    batches = [(rng.standard_normal((6, 3, 8, 8)), rng.integers(0, 4, 6)) for _ in range(3)]
    compare(resnet, lambda F: F.cross_entropy, batches, ("SGD", {"lr": 0.05, "momentum": 0.9}))


def vae(lib, pixels=20, hidden=12, code=3):
    class VAE(lib.nn.Module):
        def __init__(self):
            super().__init__()
            self.inside = lib.nn.Linear(pixels, hidden, **lib.rngs)
            self.norm = lib.nn.BatchNorm1d(hidden)
            self.mean = lib.nn.Linear(hidden, code, **lib.rngs)
            self.spread = lib.nn.Linear(hidden, code, **lib.rngs)
            self.outside = lib.nn.Sequential(
                lib.nn.Linear(code, hidden, **lib.rngs), lib.nn.ReLU(), lib.nn.Linear(hidden, pixels, **lib.rngs)
            )

        def forward(self, x):
            h = lib.F.relu(self.norm(self.inside(x)))
            mean, spread = self.mean(h), self.spread(h)
            z = mean + lib.noise(self, mean) * spread
            return self.outside(z), mean, spread

    return VAE()


def vae_loss(F):
    def loss(output, x):
        seen, mean, spread = output
        return F.mse_loss(seen, x) + 0.1 * ((mean**2).mean() + ((spread**2 - 1) ** 2).mean())

    return loss


def test_vae():
    rng = np.random.default_rng(0)
    images = [rng.uniform(size=(8, 20)) for _ in range(2)]
    compare(vae, vae_loss, [(x, x) for x in images])


def unet(lib, width=4):
    class Double(lib.nn.Sequential):
        def __init__(self, inside, outside):
            super().__init__(
                lib.nn.Conv2d(inside, outside, 3, padding=1, **lib.rngs),
                lib.nn.GroupNorm(2, outside),
                lib.nn.ReLU(),
                lib.nn.Dropout2d(0.2),
            )

    class UNet(lib.nn.Module):
        def __init__(self):
            super().__init__()
            self.down1, self.down2 = Double(1, width), Double(width, 2 * width)
            self.narrow = lib.nn.Conv2d(2 * width, width, 1, **lib.rngs)
            self.up = Double(width, width)
            self.out = lib.nn.Conv2d(width, 1, 1, **lib.rngs)

        def forward(self, x):
            fine = self.down1(x)
            coarse = self.narrow(self.down2(lib.F.max_pool2d(fine, 2)))
            coarse = lib.F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
            return self.out(self.up(fine + coarse))

    return UNet()


@pytest.mark.exhaustive
def test_unet_with_group_norm():
    rng = np.random.default_rng(0)
    batches = [(rng.standard_normal((3, 1, 8, 8)), rng.standard_normal((3, 1, 8, 8))) for _ in range(2)]
    compare(unet, lambda F: F.mse_loss, batches)
