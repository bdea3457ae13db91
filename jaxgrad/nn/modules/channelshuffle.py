"""Channels dealt out to groups."""

import jax.numpy as jnp

from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F
from jaxgrad.nn.modules.module import Module


class ChannelShuffle(Module):
    r"""Mirror of ``torch.nn.ChannelShuffle``: channel j of group i goes to place j g + i.

    Args:
        groups: g, a divisor of the number of channels.

    >>> ChannelShuffle(2)(jnp.arange(4).reshape(1, 4, 1)).ravel().tolist()
    [0, 2, 1, 3]

    Source: torch/nn/modules/channelshuffle.py.
    """

    def __init__(self, groups: int):
        self.groups = groups

    def forward(self, input: Array) -> Array:
        r"""(N, C, \*) -> the same."""
        return F.channel_shuffle(jnp.asarray(input), self.groups)

    def extra_repr(self) -> str:
        """Torch's."""
        return f"groups={self.groups}"
