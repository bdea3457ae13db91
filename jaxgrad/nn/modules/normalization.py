"""Normalisation without memory: over last axes, groups of channels, neighbouring channels."""

from collections.abc import Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.errors import explain
from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F
from jaxgrad.nn.functional.normalization.response_norm import window_sum
from jaxgrad.nn.modules.module import Module
from jaxgrad.nn.parameter import Parameter, filled, value_of

Sizes = int | Sequence[int]


class LayerNorm(Module):
    r"""Mirror of ``torch.nn.LayerNorm``: :math:`y = (x - \mu) / \sqrt{\sigma^2 + \epsilon}\; \gamma + \beta`.

    Args:
        normalized_shape: the sizes of the last axes, or of the last axis.
        eps: added to the variance.
        elementwise_affine: whether to have a weight and a bias.
        bias: whether to have a bias beside the weight.
        device: a JAX device for the parameters.
        dtype: of the parameters, float32 by default.

    Attributes:
        weight: ``normalized_shape`` of ones, or None.
        bias: ``normalized_shape`` of zeros, or None.

    >>> from jaxgrad import nn
    >>> nn.LayerNorm(3)
    LayerNorm((3,), eps=1e-05, elementwise_affine=True, bias=True)

    Source: torch/nn/modules/normalization.py; Ba et al., 2016.
    """

    def __init__(
        self,
        normalized_shape: Sizes,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: jax.Device | None = None,
        dtype: Any = None,
    ):
        self.normalized_shape = _as_shape(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        shape = self.normalized_shape
        self.weight = Parameter(filled(shape, 1, dtype, device)) if elementwise_affine else None
        self.bias = Parameter(filled(shape, 0, dtype, device)) if elementwise_affine and bias else None

    def forward(self, input: Array) -> Array:
        r"""(\*, \*normalized_shape), kept."""
        return F.layer_norm(input, self.normalized_shape, value_of(self.weight), value_of(self.bias), self.eps)

    def extra_repr(self) -> str:
        """Torch's."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


class RMSNorm(Module):
    r"""Mirror of ``torch.nn.RMSNorm``: :math:`y = x / \sqrt{\overline{x^2} + \epsilon}\; \gamma`.

    Args:
        normalized_shape: the sizes of the last axes, or of the last axis.
        eps: added to the mean of squares; None for the machine's epsilon of the dtype computed in.
        elementwise_affine: whether to have a weight.
        device: a JAX device for the parameter.
        dtype: of the parameter, float32 by default.

    Attributes:
        weight: ``normalized_shape`` of ones, or None.

    >>> from jaxgrad import nn
    >>> nn.RMSNorm(3)
    RMSNorm((3,), eps=None, elementwise_affine=True)

    Source: torch/nn/modules/normalization.py; Zhang and Sennrich, 2019.
    """

    def __init__(
        self,
        normalized_shape: Sizes,
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: jax.Device | None = None,
        dtype: Any = None,
    ):
        self.normalized_shape = _as_shape(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self.weight = Parameter(filled(self.normalized_shape, 1, dtype, device)) if elementwise_affine else None

    def forward(self, input: Array) -> Array:
        r"""(\*, \*normalized_shape), kept."""
        return F.rms_norm(input, self.normalized_shape, value_of(self.weight), self.eps)

    def extra_repr(self) -> str:
        """Torch's."""
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(Module):
    r"""Mirror of ``torch.nn.GroupNorm``: :math:`y = (x - \mu_g) / \sqrt{\sigma_g^2 + \epsilon}\; \gamma_c + \beta_c`.

    Args:
        num_groups: into how many groups the channels are divided.
        num_channels: C.
        eps: added to the variance.
        affine: whether to have a weight and a bias.
        device: a JAX device for the parameters.
        dtype: of the parameters, float32 by default.
        bias: whether to have a bias beside the weight.

    Attributes:
        weight: (C,) of ones, or None.
        bias: (C,) of zeros, or None.

    Raises:
        ValueError: ``num_channels (10) must be divisible by num_groups (3)``.
        ZeroDivisionError: no groups.

    >>> from jaxgrad import nn
    >>> nn.GroupNorm(2, 4)
    GroupNorm(2, 4, eps=1e-05, affine=True, bias=True)

    Source: torch/nn/modules/normalization.py; Wu and He, 2018.
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: jax.Device | None = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ):
        if num_groups == 0:
            raise ZeroDivisionError(explain("integer modulo by zero", got="num_groups=0", expected="num_groups > 0"))
        if num_channels % num_groups != 0:
            raise ValueError(f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})")
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        self.weight = Parameter(filled((num_channels,), 1, dtype, device)) if affine else None
        self.bias = Parameter(filled((num_channels,), 0, dtype, device)) if affine and bias else None

    def forward(self, input: Array) -> Array:
        r"""(N, C, \*), kept."""
        return F.group_norm(input, self.num_groups, value_of(self.weight), value_of(self.bias), self.eps)

    def extra_repr(self) -> str:
        """Torch's."""
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class LocalResponseNorm(Module):
    r"""Mirror of ``torch.nn.LocalResponseNorm``: :math:`y_c = x_c (k + \alpha\, \overline{x_{c'}^2})^{-\beta}`.

    Args:
        size: the number of channels in a window.
        alpha: factor of the mean of squares.
        beta: exponent.
        k: what is added.

    >>> from jaxgrad import nn
    >>> nn.LocalResponseNorm(5)
    LocalResponseNorm(5, alpha=0.0001, beta=0.75, k=1.0)

    Source: torch/nn/modules/normalization.py; Krizhevsky et al., 2012.
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0):
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: Array) -> Array:
        r"""(N, C, \*), kept."""
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        """Torch's."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class CrossMapLRN2d(LocalResponseNorm):
    r"""Mirror of ``torch.nn.CrossMapLRN2d``, the elder form of ``LocalResponseNorm``.

    .. math:: y_c = x_c (k + \alpha / n \sum x_{c'}^2)^{-\beta}

    The window reaches p - 1 channels to both sides, :math:`p = \lfloor (n - 1) / 2 + 1 \rfloor`. As torch computes it,
    the first channel stays in every window from c = p on, and the derivative's windows lie one channel off: a model
    that was trained with it needs both, so both are here.

    Args:
        size: n.
        alpha: factor of the sum of squares over n.
        beta: exponent.
        k: what is added.

    >>> from jaxgrad import nn
    >>> nn.CrossMapLRN2d(3)
    CrossMapLRN2d(3, alpha=0.0001, beta=0.75, k=1)

    Source: torch/nn/modules/_functions.py.
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1):
        super().__init__(size, alpha, beta, k)

    def forward(self, input: Array) -> Array:
        """(N, C, H, W), kept."""
        input = jnp.asarray(input)
        if input.ndim != 4:
            raise ValueError(f"CrossMapLRN2d: Expected input to be 4D, got {input.ndim}D instead.")
        pad = (self.size - 1) // 2 + 1
        squares = input * input
        kept = jnp.arange(input.shape[1])[:, None, None] >= pad
        value = window_sum(squares, pad - 1, pad - 1) + jnp.where(kept, squares[:, :1], 0)
        shift = int(self.size - (self.size - 1) / 2)
        differentiated = window_sum(squares, self.size - 1 - shift, shift)
        total = differentiated + jax.lax.stop_gradient(value - differentiated)
        return input * (total * (self.alpha / self.size) + self.k) ** -self.beta


def _as_shape(shape: Sizes) -> tuple[int, ...]:
    return tuple(shape) if isinstance(shape, Iterable) else (int(shape),)
