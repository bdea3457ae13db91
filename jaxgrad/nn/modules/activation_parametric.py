"""Activations as modules, continued: the ones with a width, and those along an axis."""

from collections.abc import Callable
from typing import ClassVar

import jax.numpy as jnp

from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F
from jaxgrad.nn.modules.module import Module


class GELU(Module):
    r"""Mirror of ``torch.nn.GELU``: :math:`x\,\Phi(x)`.

    Args:
        approximate: 'none' or 'tanh'.

    >>> GELU("tanh")
    GELU(approximate='tanh')

    Source: torch/nn/modules/activation.py; Hendrycks and Gimpel, 2016.
    """

    def __init__(self, approximate: str = "none"):
        self.approximate = approximate

    def forward(self, input: Array) -> Array:
        """Any shape."""
        return F.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        """Torch's."""
        return f"approximate={self.approximate!r}"


class Softplus(Module):
    r"""Mirror of ``torch.nn.Softplus``: :math:`\frac1\beta \log(1 + e^{\beta x})`.

    Args:
        beta: how sharp the bend is.
        threshold: the function is linear where :math:`\beta x` is above it.

    >>> Softplus()
    Softplus(beta=1.0, threshold=20.0)
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0):
        self.beta = beta
        self.threshold = threshold

    def forward(self, input: Array) -> Array:
        """Any shape."""
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        """Torch's."""
        return f"beta={self.beta}, threshold={self.threshold}"


class Hardshrink(Module):
    r"""Mirror of ``torch.nn.Hardshrink``: 0 where :math:`|x| \le \lambda`, x elsewhere.

    Args:
        lambd: the bound.

    >>> Hardshrink()
    Hardshrink(0.5)
    """

    _function: ClassVar[Callable[..., Array]] = staticmethod(F.hardshrink)

    def __init__(self, lambd: float = 0.5):
        self.lambd = lambd

    def forward(self, input: Array) -> Array:
        """Any shape."""
        return type(self)._function(input, self.lambd)

    def extra_repr(self) -> str:
        """Torch's."""
        return str(self.lambd)


class Softshrink(Hardshrink):
    r"""Mirror of ``torch.nn.Softshrink``: x moved towards 0 by :math:`\lambda`, as far as 0. Arguments as
    :class:`Hardshrink`.

    >>> Softshrink(1.0)
    Softshrink(1.0)
    """

    _function = staticmethod(F.softshrink)


class GLU(Module):
    r"""Mirror of ``torch.nn.GLU``: :math:`a\,\sigma(b)`, a and b the halves of the input along ``dim``.

    Args:
        dim: the axis that is halved.

    >>> GLU()(jnp.array([2.0, 0.0])).tolist()
    [1.0]

    Source: Dauphin et al., 2017.
    """

    def __init__(self, dim: int = -1):
        self.dim = dim

    def forward(self, input: Array) -> Array:
        """(..., 2n, ...) -> (..., n, ...)."""
        return F.glu(input, self.dim)

    def extra_repr(self) -> str:
        """Torch's."""
        return f"dim={self.dim}"


class Softmax(Module):
    r"""Mirror of ``torch.nn.Softmax``: :math:`e^{x_i} / \sum_j e^{x_j}`.

    Args:
        dim: the axis that sums to 1; None picks torch's when called, with torch's warning.

    >>> Softmax(dim=1)
    Softmax(dim=1)
    """

    _function: ClassVar[Callable[..., Array]] = staticmethod(F.softmax)

    def __init__(self, dim: int | None = None):
        self.dim = dim

    def forward(self, input: Array) -> Array:
        """Any shape."""
        return type(self)._function(input, self.dim)

    def extra_repr(self) -> str:
        """Torch's."""
        return f"dim={self.dim}"


class LogSoftmax(Softmax):
    """Mirror of ``torch.nn.LogSoftmax``: the logarithm of the softmax. Arguments as :class:`Softmax`.

    >>> LogSoftmax(dim=-1)
    LogSoftmax(dim=-1)
    """

    _function = staticmethod(F.log_softmax)


class Softmin(Softmax):
    """Mirror of ``torch.nn.Softmin``: the softmax of minus the input. Arguments as :class:`Softmax`.

    >>> Softmin(dim=0)(jnp.zeros(2)).tolist()
    [0.5, 0.5]
    """

    _function = staticmethod(F.softmin)


class Softmax2d(Module):
    """Mirror of ``torch.nn.Softmax2d``: the softmax over the channels at every place.

    Raises:
        ValueError: ``Softmax2d: expected input to be 3D or 4D, got ...D instead``.

    >>> Softmax2d()(jnp.zeros((2, 1, 1))).ravel().tolist()
    [0.5, 0.5]
    """

    def forward(self, input: Array) -> Array:
        """(N, C, H, W) or (C, H, W)."""
        input = jnp.asarray(input)
        if input.ndim not in (3, 4):
            raise ValueError(f"Softmax2d: expected input to be 3D or 4D, got {input.ndim}D instead")
        return F.softmax(input, -3)
