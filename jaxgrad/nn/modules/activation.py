"""Activations as modules."""

from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F
from jaxgrad.nn.functional.activation import refuse_inplace
from jaxgrad.nn.modules.module import Module


class ReLU(Module):
    r"""Mirror of ``torch.nn.ReLU``: :math:`\max(x, 0)`.

    Args:
        inplace: must be False, since arrays are values.

    >>> import jax.numpy as jnp
    >>> ReLU()(jnp.array([-1.0, 2.0])).tolist()
    [0.0, 2.0]

    Source: torch/nn/modules/activation.py.
    """

    def __init__(self, inplace: bool = False):
        refuse_inplace(inplace)

    def forward(self, input: Array) -> Array:
        """Any shape."""
        return F.relu(input)
