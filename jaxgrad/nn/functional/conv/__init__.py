"""Convolutions, transposed convolutions, and the sliding blocks that they are made of."""

from jaxgrad.nn.functional.conv.convolution import conv1d, conv2d, conv3d
from jaxgrad.nn.functional.conv.folding import fold, unfold
from jaxgrad.nn.functional.conv.transposed import conv_transpose1d, conv_transpose2d, conv_transpose3d

__all__ = [
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "fold",
    "unfold",
]
