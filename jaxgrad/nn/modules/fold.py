"""Images as sliding blocks, and back."""

import jax.numpy as jnp

from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F
from jaxgrad.nn.functional.sizes import Sizes
from jaxgrad.nn.modules.module import Module


class Fold(Module):
    """Mirror of ``torch.nn.Fold``: ``F.fold``, blocks added up to an image.

    Args:
        output_size: (H, W) of the image.
        kernel_size: of a block.
        dilation: distance between the elements of a block.
        padding: zeros on both sides.
        stride: distance between blocks.

    >>> Fold((4, 4), 2, stride=2)(jnp.ones((1, 4, 4))).shape
    (1, 1, 4, 4)

    Source: torch/nn/modules/fold.py.
    """

    def __init__(
        self,
        output_size: int | Sizes,
        kernel_size: int | Sizes,
        dilation: int | Sizes = 1,
        padding: int | Sizes = 0,
        stride: int | Sizes = 1,
    ):
        self.output_size = output_size
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Array) -> Array:
        """(N, C * kH * kW, L) -> (N, C, H, W)."""
        return F.fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        """Torch's."""
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size}, dilation={self.dilation}, "
            f"padding={self.padding}, stride={self.stride}"
        )


class Unfold(Module):
    """Mirror of ``torch.nn.Unfold``: ``F.unfold``, the blocks of an image as columns; arguments as :class:`Fold`.

    >>> Unfold(2)(jnp.ones((1, 3, 4, 4))).shape
    (1, 12, 9)

    Source: torch/nn/modules/fold.py.
    """

    def __init__(
        self, kernel_size: int | Sizes, dilation: int | Sizes = 1, padding: int | Sizes = 0, stride: int | Sizes = 1
    ):
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Array) -> Array:
        """(N, C, H, W) -> (N, C * kH * kW, L)."""
        return F.unfold(jnp.asarray(input), self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        """Torch's."""
        return f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, stride={self.stride}"
