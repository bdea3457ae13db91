"""Channels turned into pixels, and back."""

import jax.numpy as jnp

from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F
from jaxgrad.nn.modules.module import Module


class PixelShuffle(Module):
    r"""Mirror of ``torch.nn.PixelShuffle``: (\*, C r^2, H, W) -> (\*, C, H r, W r).

    Args:
        upscale_factor: r.

    >>> PixelShuffle(2)(jnp.ones((1, 8, 3, 3))).shape
    (1, 2, 6, 6)

    Source: torch/nn/modules/pixelshuffle.py.
    """

    def __init__(self, upscale_factor: int):
        self.upscale_factor = upscale_factor

    def forward(self, input: Array) -> Array:
        """As ``F.pixel_shuffle``."""
        return F.pixel_shuffle(jnp.asarray(input), self.upscale_factor)

    def extra_repr(self) -> str:
        """Torch's."""
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    r"""Mirror of ``torch.nn.PixelUnshuffle``: (\*, C, H r, W r) -> (\*, C r^2, H, W).

    Args:
        downscale_factor: r.

    >>> PixelUnshuffle(2)(jnp.ones((1, 2, 6, 6))).shape
    (1, 8, 3, 3)

    Source: torch/nn/modules/pixelshuffle.py.
    """

    def __init__(self, downscale_factor: int):
        self.downscale_factor = downscale_factor

    def forward(self, input: Array) -> Array:
        """As ``F.pixel_unshuffle``."""
        return F.pixel_unshuffle(jnp.asarray(input), self.downscale_factor)

    def extra_repr(self) -> str:
        """Torch's."""
        return f"downscale_factor={self.downscale_factor}"
