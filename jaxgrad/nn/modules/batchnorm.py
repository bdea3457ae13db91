"""Normalisation by the statistics of a batch, with a memory of them."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxgrad._core.dtypes import wider_dtype
from jaxgrad._core.replicas import bound_axes
from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F
from jaxgrad.nn.functional.normalization.batch_norm import by_channel, check_more_than_one_value
from jaxgrad.nn.modules.module import Module
from jaxgrad.nn.parameter import Buffer, Parameter, filled, value_of
from jaxgrad.random.discrete import default_integer


class NormBase(Module):
    """What batch and instance normalisation have in common: parameters, running statistics, form."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: jax.Device | None = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ):
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        shape = (num_features,)
        self.weight = Parameter(filled(shape, 1, dtype, device)) if affine else None
        self.bias = Parameter(filled(shape, 0, dtype, device)) if affine and bias else None
        remembers = track_running_stats
        self.running_mean = Buffer(filled(shape, 0, dtype, device)) if remembers else None
        self.running_var = Buffer(filled(shape, 1, dtype, device)) if remembers else None
        self.num_batches_tracked = Buffer(filled((), 0, default_integer(), device)) if remembers else None

    def remember(self, statistics: tuple[Array, Array]) -> None:
        """Make these the running mean and variance."""
        assert self.running_mean is not None and self.running_var is not None
        self.running_mean.set_value(statistics[0])
        self.running_var.set_value(statistics[1])

    def extra_repr(self) -> str:
        """Torch's."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(NormBase):
    """The forward pass of batch normalisation in any number of axes."""

    ranks: tuple[int, ...] = ()

    def forward(self, input: Array) -> Array:
        r"""(N, C, \*), kept."""
        input = jnp.asarray(input)
        self.check_rank(input)
        return self.normalize(input, training=self.track_running_stats and self.training)

    def normalize(self, input: Array, *, training: bool, axis_name: Any = None) -> Array:
        """By the batch and with an update of what is remembered, or by what is remembered."""
        tracks = self.track_running_stats
        momentum: Any = 0.0 if self.momentum is None else self.momentum
        if training and tracks:
            assert self.num_batches_tracked is not None
            seen = self.num_batches_tracked.get_value() + 1
            self.num_batches_tracked.set_value(seen)
            if self.momentum is None:
                momentum = 1.0 / seen.astype(self._statistics_dtype())
        past = [self.running_mean, self.running_var] if tracks or not training else [None, None]
        by_batch = training or self.running_mean is None
        mean, var = (value_of(each) for each in past)
        weight, bias = value_of(self.weight), value_of(self.bias)
        if axis_name is not None and by_batch:
            result = by_channel(input, mean, var, weight, bias, True, momentum, self.eps, axis_name)
        else:
            result = F.batch_norm(input, mean, var, weight, bias, by_batch, momentum, self.eps)
        if not isinstance(result, tuple):
            return result
        output, statistics = result
        self.remember(statistics)
        return output

    def check_rank(self, input: Array) -> None:
        """Raise torch's ValueError for an input with another number of axes."""
        if input.ndim not in self.ranks:
            wanted = " or ".join(f"{n}D" for n in self.ranks)
            raise ValueError(f"expected {wanted} input (got {input.ndim}D input)")

    def _statistics_dtype(self) -> Any:
        assert self.running_mean is not None
        return wider_dtype(self.running_mean.get_value().dtype, jnp.float32)


class BatchNorm1d(_BatchNorm):
    r"""Mirror of ``torch.nn.BatchNorm1d`` for (N, C) or (N, C, L).

    .. math:: y = (x - \mu_c) / \sqrt{\sigma_c^2 + \epsilon}\; \gamma_c + \beta_c

    In training the statistics are the batch's, and ``running_mean``, ``running_var`` (of the unbiased variance) and
    ``num_batches_tracked`` are updated: the call returns them (``func.functional_call(..., has_aux=True)``). In
    evaluation the running ones are used. Differs from ``flax.nnx.BatchNorm`` in the variance that is remembered, in the
    sense of momentum and in its default.

    Args:
        num_features: C.
        eps: added to the variance.
        momentum: weight of the batch in the running statistics; None for the average of all batches.
        affine: whether to have a weight and a bias.
        track_running_stats: whether to remember statistics; if not, evaluation too goes by the batch's.
        device: a JAX device for parameters and buffers.
        dtype: of parameters and statistics, float32 by default.
        bias: whether to have a bias beside the weight.

    Attributes:
        weight: (C,) of ones, or None.
        bias: (C,) of zeros, or None.
        running_mean: a buffer (C,) of zeros, or None.
        running_var: a buffer (C,) of ones, or None.
        num_batches_tracked: a buffer (), an integer.

    Raises:
        ValueError: another rank than 2 or 3, or one value per channel in training.

    >>> from jaxgrad import func, nn
    >>> model = nn.BatchNorm1d(2)
    >>> params, buffers = func.extract(model)
    >>> x = jnp.array([[1.0, 2.0], [3.0, 6.0]])
    >>> y, aux = func.functional_call(model, (params, buffers), x, training=True, has_aux=True)
    >>> [f"{value:.1f}" for value in aux.buffers["running_mean"]], int(aux.buffers["num_batches_tracked"])
    (['0.2', '0.4'], 1)

    Source: torch/nn/modules/batchnorm.py; Ioffe and Szegedy, 2015.
    """

    ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Mirror of ``torch.nn.BatchNorm2d`` for (N, C, H, W); all else as :class:`BatchNorm1d`.

    >>> from jaxgrad import nn
    >>> nn.BatchNorm2d(8)
    BatchNorm2d(8, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)
    """

    ranks = (4,)


class BatchNorm3d(_BatchNorm):
    """Mirror of ``torch.nn.BatchNorm3d`` for (N, C, D, H, W); all else as :class:`BatchNorm1d`.

    >>> from jaxgrad import nn
    >>> nn.BatchNorm3d(8)
    BatchNorm3d(8, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)
    """

    ranks = (5,)


class SyncBatchNorm(_BatchNorm):
    """Mirror of ``torch.nn.SyncBatchNorm``: batch normalisation with the statistics of the batch on all devices.

    In a train step with ``mesh=`` the statistics are those of all replicas' rows, and so are their sums in the backward
    pass. Inside a ``jax.shard_map`` (or ``jax.vmap(..., axis_name=)``) of one's own, name the axis over which the batch
    is split as ``process_group``. Under plain ``jit`` with sharded arrays there is nothing to name, since there an
    array is the whole batch: :class:`BatchNorm1d` and its kin are already synchronous.

    Args:
        process_group: the name of a mesh's axis, or a tuple of names; None for the axes "data" and "fsdp" where there
            are such, else for no other device. Torch's is a group of processes, by default all of them.

    The other arguments are those of :class:`BatchNorm1d`.

    Raises:
        ValueError: less than two axes, no channels, or (without other devices) one value per channel.

    >>> from jaxgrad import func, nn
    >>> model = nn.SyncBatchNorm(1, process_group="rows")
    >>> state = func.extract(model)
    >>> call = lambda x: func.functional_call(model, state, x, training=True, has_aux=True)[0]
    >>> shards = jnp.array([[[1.0]], [[3.0]]])
    >>> jax.vmap(call, axis_name="rows")(shards).round(2).ravel().tolist()
    [-1.0, 1.0]

    Source: torch/nn/modules/batchnorm.py.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: Any = None,
        device: jax.Device | None = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ):
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)
        self.process_group = process_group

    def forward(self, input: Array) -> Array:
        r"""(N, C, \*), kept; N and what follows C may be split over the devices."""
        input = jnp.asarray(input)
        if input.ndim < 2:
            raise ValueError(f"expected at least 2D input (got {input.ndim}D input)")
        if input.shape[1] == 0:
            raise ValueError("SyncBatchNorm number of input channels should be non-zero")
        group = (bound_axes() or None) if self.process_group is None else self.process_group
        training = (self.track_running_stats or group is not None) and self.training
        if training and group is None:
            check_more_than_one_value(input.shape)
        return self.normalize(input, training=training, axis_name=group if training else None)

    @classmethod
    def convert_sync_batchnorm(cls, module: nnx.Module, process_group: Any = None) -> Any:
        """A copy of a model in which every BatchNorm is synchronous; parameters are shared, the given one is unchanged.

        >>> from jaxgrad import nn
        >>> nn.SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(nn.BatchNorm2d(3)))
        Sequential(
          (0): SyncBatchNorm(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)
        )
        """
        if isinstance(module, _BatchNorm):
            made = cls(
                module.num_features,
                module.eps,
                module.momentum,
                module.affine,
                module.track_running_stats,
                process_group,
                bias=module.bias is not None,
            )
            for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
                setattr(made, name, getattr(module, name))
            return made
        copied = object.__new__(type(module))
        for name, value in vars(module).items():
            converted = cls.convert_sync_batchnorm(value, process_group) if isinstance(value, nnx.Module) else value
            vars(copied)[name] = converted
        return copied
