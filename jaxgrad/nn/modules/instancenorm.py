"""Normalisation of every channel of every sample by itself."""

import warnings
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.caller import users_level
from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F
from jaxgrad.nn.modules.batchnorm import NormBase
from jaxgrad.nn.parameter import value_of


class _InstanceNorm(NormBase):
    """The forward pass of instance normalisation in any number of axes."""

    unbatched: int = 0

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: jax.Device | None = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ):
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, input: Array) -> Array:
        r"""(N, C, \*) or (C, \*), kept."""
        input = jnp.asarray(input)
        self._check(input)
        if input.ndim == self.unbatched:
            return self._normalize(input[None])[0]
        return self._normalize(input)

    def _normalize(self, input: Array) -> Array:
        result = F.instance_norm(
            input,
            value_of(self.running_mean),
            value_of(self.running_var),
            value_of(self.weight),
            value_of(self.bias),
            not self.track_running_stats or self.training,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )
        if not isinstance(result, tuple):
            return result
        output, statistics = result
        self.remember(statistics)
        return output

    def _check(self, input: Array) -> None:
        ranks = (self.unbatched, self.unbatched + 1)
        if input.ndim not in ranks:
            raise ValueError(f"expected {ranks[0]}D or {ranks[1]}D input (got {input.ndim}D input)")
        axis = input.ndim - self.unbatched
        if input.shape[axis] == self.num_features:
            return
        if self.affine:
            raise ValueError(
                f"expected input's size at dim={axis} to match num_features ({self.num_features}), "
                f"but got: {input.shape[axis]}."
            )
        warnings.warn(
            f"input's size at dim={axis} does not match num_features. You can silence this warning by not passing in "
            "num_features, which is not used because affine=False",
            stacklevel=users_level(),
        )


class InstanceNorm1d(_InstanceNorm):
    r"""Mirror of ``torch.nn.InstanceNorm1d`` for (N, C, L) or (C, L).

    .. math:: y = (x - \mu_{nc}) / \sqrt{\sigma_{nc}^2 + \epsilon}\; \gamma_c + \beta_c

    By default it has neither parameters nor memory. With ``track_running_stats=True`` the averages of the samples'
    statistics are remembered in training, and used in evaluation.

    Args:
        num_features: C.
        eps: added to the variance.
        momentum: weight of the batch in the running statistics.
        affine: whether to have a weight and a bias.
        track_running_stats: whether to remember statistics.
        device: a JAX device for parameters and buffers.
        dtype: of parameters and statistics, float32 by default.
        bias: whether to have a bias beside the weight.

    Raises:
        ValueError: another rank, or another number of channels than the parameters have.

    >>> from jaxgrad import nn
    >>> nn.InstanceNorm1d(1)(jnp.array([[1.0, 3.0]])).round(2).tolist()
    [[-1.0, 1.0]]

    Source: torch/nn/modules/instancenorm.py; Ulyanov et al., 2016.
    """

    unbatched = 2


class InstanceNorm2d(_InstanceNorm):
    """Mirror of ``torch.nn.InstanceNorm2d`` for (N, C, H, W) or (C, H, W); all else as :class:`InstanceNorm1d`.

    >>> from jaxgrad import nn
    >>> nn.InstanceNorm2d(8)
    InstanceNorm2d(8, eps=1e-05, momentum=0.1, affine=False, bias=False, track_running_stats=False)
    """

    unbatched = 3


class InstanceNorm3d(_InstanceNorm):
    """Mirror of ``torch.nn.InstanceNorm3d`` for (N, C, D, H, W) or (C, D, H, W); all else as :class:`InstanceNorm1d`.

    >>> from jaxgrad import nn
    >>> nn.InstanceNorm3d(8)
    InstanceNorm3d(8, eps=1e-05, momentum=0.1, affine=False, bias=False, track_running_stats=False)
    """

    unbatched = 4
