"""Models of images: a convolutional network, a ResNet with BatchNorm, a VAE, a U-Net with GroupNorm."""

from collections.abc import Callable
from typing import Any

from jaxgrad.parity.catalog.models.library import Library


def fashion_cnn(
    lib: Library, channels: tuple[int, int] = (4, 6), hidden: int = 16, pixels: int = 14, p: float = 0.25
) -> Any:
    """The usual network for FashionMNIST: two convolutions, a pool, dropout, two dense layers.

    Args:
        lib: the side.
        channels: of both convolutions (32 and 64 in the usual one).
        hidden: features between the dense layers (128).
        pixels: height and width of the images (28).
        p: probability of dropout.

    Returns:
        The module: images (N, 1, pixels, pixels) to logits (N, 10).

    >>> from jaxgrad.parity.catalog.models import jaxgrad_library
    >>> fashion_cnn(jaxgrad_library()).fc1
    Linear(in_features=150, out_features=16, bias=True)
    """
    nn, F = lib.nn, lib.F
    first, second = channels

    class Net(nn.Module):  # type: ignore[name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(1, first, 3, **lib.rngs)
            self.conv2 = nn.Conv2d(first, second, 3, **lib.rngs)
            self.pool = nn.MaxPool2d(2)
            self.drop = nn.Dropout(p)
            self.fc1 = nn.Linear(second * ((pixels - 4) // 2) ** 2, hidden, **lib.rngs)
            self.fc2 = nn.Linear(hidden, 10, **lib.rngs)

        def forward(self, x: Any) -> Any:
            x = F.relu(self.conv2(F.relu(self.conv1(x))))
            x = self.drop(self.pool(x)).reshape(x.shape[0], -1)
            return self.fc2(F.relu(self.fc1(x)))

    return Net()


def resnet(
    lib: Library,
    width: int = 6,
    classes: int = 4,
    blocks: tuple[int, ...] = (1, 1),
    p: float = 0.3,
    momentum: float | None = None,
) -> Any:
    """Residual blocks of two 3x3 convolutions with BatchNorm, a stage for each entry of ``blocks``.

    Args:
        lib: the side.
        width: channels of the first stage; each further one has twice as many on half the side.
        classes: number of logits.
        blocks: how many blocks a stage has: (2, 2, 2, 2) is ResNet-18.
        p: probability of dropout before the last layer.
        momentum: of the BatchNorm on the shortcuts; None is the cumulative average.

    Returns:
        The module: images (N, 3, H, W) to logits (N, classes).

    >>> from jaxgrad.parity.catalog.models import jaxgrad_library
    >>> resnet(jaxgrad_library()).out
    Linear(in_features=12, out_features=4, bias=True)
    """
    conv: dict[str, Any] = dict(bias=False, **lib.rngs)

    class Block(lib.nn.Module):  # type: ignore[name-defined]
        def __init__(self, inside: int, outside: int, stride: int) -> None:
            super().__init__()
            self.conv1 = lib.nn.Conv2d(inside, outside, 3, stride, 1, **conv)
            self.bn1 = lib.nn.BatchNorm2d(outside)
            self.conv2 = lib.nn.Conv2d(outside, outside, 3, 1, 1, **conv)
            self.bn2 = lib.nn.BatchNorm2d(outside)
            self.short = lib.nn.Sequential()
            if stride != 1 or inside != outside:
                self.short = lib.nn.Sequential(
                    lib.nn.Conv2d(inside, outside, 1, stride, **conv), lib.nn.BatchNorm2d(outside, momentum=momentum)
                )

        def forward(self, x: Any) -> Any:
            y = self.bn2(self.conv2(lib.F.relu(self.bn1(self.conv1(x)))))
            return lib.F.relu(y + self.short(x))

    def stages() -> list[Any]:
        made, inside = [], width
        for stage, count in enumerate(blocks):
            for place in range(count):
                outside = width * 2**stage
                made.append(Block(inside, outside, 2 if stage and place == 0 else 1))
                inside = outside
        return made

    class ResNet(lib.nn.Module):  # type: ignore[name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.stem = lib.nn.Conv2d(3, width, 3, padding=1, **conv)
            self.bn = lib.nn.BatchNorm2d(width)
            self.blocks = lib.nn.Sequential(*stages())
            self.drop = lib.nn.Dropout(p)
            self.out = lib.nn.Linear(width * 2 ** (len(blocks) - 1), classes, **lib.rngs)

        def forward(self, x: Any) -> Any:
            x = self.blocks(lib.F.relu(self.bn(self.stem(x))))
            return self.out(self.drop(x.mean((2, 3))))

    return ResNet()


def vae(lib: Library, pixels: int = 20, hidden: int = 12, code: int = 3) -> Any:
    """A variational autoencoder of dense layers.

    Args:
        lib: the side.
        pixels: features of a row.
        hidden: features of the hidden layers.
        code: dimensions of the code.

    Returns:
        The module: rows (N, pixels) to (reconstruction, means, spreads).

    >>> from jaxgrad.parity.catalog.models import jaxgrad_library
    >>> vae(jaxgrad_library()).mean
    Linear(in_features=12, out_features=3, bias=True)
    """

    class VAE(lib.nn.Module):  # type: ignore[name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.inside = lib.nn.Linear(pixels, hidden, **lib.rngs)
            self.norm = lib.nn.BatchNorm1d(hidden)
            self.mean = lib.nn.Linear(hidden, code, **lib.rngs)
            self.spread = lib.nn.Linear(hidden, code, **lib.rngs)
            self.outside = lib.nn.Sequential(
                lib.nn.Linear(code, hidden, **lib.rngs), lib.nn.ReLU(), lib.nn.Linear(hidden, pixels, **lib.rngs)
            )

        def forward(self, x: Any) -> Any:
            h = lib.F.relu(self.norm(self.inside(x)))
            mean, spread = self.mean(h), self.spread(h)
            z = mean + lib.noise(self, mean) * spread
            return self.outside(z), mean, spread

    return VAE()


def vae_loss(F: Any) -> Callable[[Any, Any], Any]:
    """Reconstruction, and a pull of the code towards the standard normal.

    Args:
        F: ``nn.functional`` of the side.

    Returns:
        ``(output, rows) -> loss``.

    >>> from jaxgrad.nn import functional as F
    >>> import jax.numpy as jnp
    >>> float(vae_loss(F)((jnp.ones(2), jnp.zeros(1), jnp.ones(1)), jnp.ones(2)))
    0.0
    """

    def loss(output: Any, x: Any) -> Any:
        seen, mean, spread = output
        return F.mse_loss(seen, x) + 0.1 * ((mean**2).mean() + ((spread**2 - 1) ** 2).mean())

    return loss


def unet(lib: Library, width: int = 4) -> Any:
    """A U-Net of one level, with GroupNorm, feature dropout and bilinear interpolation.

    Args:
        lib: the side.
        width: channels of the fine level.

    Returns:
        The module: images (N, 1, H, W) to images of the same shape, H and W even.

    >>> from jaxgrad.parity.catalog.models import jaxgrad_library
    >>> unet(jaxgrad_library()).out
    Conv2d(4, 1, kernel_size=(1, 1), stride=(1, 1))
    """

    class Double(lib.nn.Sequential):  # type: ignore[name-defined]
        def __init__(self, inside: int, outside: int) -> None:
            super().__init__(
                lib.nn.Conv2d(inside, outside, 3, padding=1, **lib.rngs),
                lib.nn.GroupNorm(2, outside),
                lib.nn.ReLU(),
                lib.nn.Dropout2d(0.2),
            )

    class UNet(lib.nn.Module):  # type: ignore[name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.down1, self.down2 = Double(1, width), Double(width, 2 * width)
            self.narrow = lib.nn.Conv2d(2 * width, width, 1, **lib.rngs)
            self.up = Double(width, width)
            self.out = lib.nn.Conv2d(width, 1, 1, **lib.rngs)

        def forward(self, x: Any) -> Any:
            fine = self.down1(x)
            coarse = self.narrow(self.down2(lib.F.max_pool2d(fine, 2)))
            coarse = lib.F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
            return self.out(self.up(fine + coarse))

    return UNet()
