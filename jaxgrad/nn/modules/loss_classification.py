"""Losses of classes and sequences as modules.

What each computes is said at the function of the same name in ``nn.functional``.
"""

import math
from typing import Any

import jax
import numpy as np

from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F
from jaxgrad.nn.modules.linear import Linear
from jaxgrad.nn.modules.loss_base import Loss, WeightedLoss, as_buffer, value_of
from jaxgrad.nn.rngs import Rngs


class NLLLoss(WeightedLoss):
    r"""Mirror of ``torch.nn.NLLLoss``: :math:`-w_t x_t`, the mean divided by the weights of the targets that count.

    Args:
        weight: a factor for each class, (C,); becomes a buffer.
        size_average: deprecated in torch; see ``reduction``.
        ignore_index: class indices of this value count for nothing.
        reduce: deprecated in torch; see ``reduction``.
        reduction: 'none', 'mean' or 'sum'.

    >>> import jax.numpy as jnp
    >>> NLLLoss()(jnp.array([[-1.0, -2.0]]), jnp.array([1])).item()
    2.0

    Source: torch/nn/modules/loss.py.
    """

    def __init__(
        self,
        weight: Array | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
    ):
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Array, target: Array) -> Array:
        """Shapes as the function of the same name takes them."""
        return F.nll_loss(
            input, target, value_of(self.weight), ignore_index=self.ignore_index, reduction=self.reduction
        )


class CrossEntropyLoss(WeightedLoss):
    r"""Mirror of ``torch.nn.CrossEntropyLoss``: of logits, against class indices or probabilities.

    Args:
        weight: a factor for each class, (C,); becomes a buffer.
        size_average: deprecated in torch; see ``reduction``.
        ignore_index: class indices of this value count for nothing.
        reduce: deprecated in torch; see ``reduction``.
        reduction: 'none', 'mean' or 'sum'.
        label_smoothing: in [0, 1].

    >>> import jax.numpy as jnp
    >>> f"{CrossEntropyLoss()(jnp.zeros((1, 2)), jnp.array([1])):.4f}"
    '0.6931'

    Source: torch/nn/modules/loss.py.
    """

    def __init__(
        self,
        weight: Array | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ):
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, input: Array, target: Array) -> Array:
        """Shapes as the function of the same name takes them."""
        return F.cross_entropy(
            input,
            target,
            value_of(self.weight),
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class BCELoss(WeightedLoss):
    r"""Mirror of ``torch.nn.BCELoss``: :math:`-w\,[t \log x + (1 - t) \log(1 - x)]`.

    Args:
        weight: a factor for each element, to be broadcast; becomes a buffer.
        size_average: deprecated in torch; see ``reduction``.
        reduce: deprecated in torch; see ``reduction``.
        reduction: 'none', 'mean' or 'sum'.

    >>> import jax.numpy as jnp
    >>> f"{BCELoss()(jnp.array([0.5]), jnp.array([1.0])):.4f}"
    '0.6931'

    Source: torch/nn/modules/loss.py.
    """

    _function = staticmethod(F.binary_cross_entropy)


class BCEWithLogitsLoss(WeightedLoss):
    r"""Mirror of ``torch.nn.BCEWithLogitsLoss``: :class:`BCELoss` of :math:`\sigma(x)`.

    Args:
        weight: a factor for each element, to be broadcast; becomes a buffer.
        size_average: deprecated in torch; see ``reduction``.
        reduce: deprecated in torch; see ``reduction``.
        reduction: 'none', 'mean' or 'sum'.
        pos_weight: a factor for the positive part; becomes a buffer.

    >>> import jax.numpy as jnp
    >>> f"{BCEWithLogitsLoss()(jnp.zeros(1), jnp.ones(1)):.4f}"
    '0.6931'

    Source: torch/nn/modules/loss.py.
    """

    def __init__(
        self,
        weight: Array | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        pos_weight: Array | None = None,
    ):
        super().__init__(weight, size_average, reduce, reduction)
        self.pos_weight = as_buffer(pos_weight)

    def forward(self, input: Array, target: Array) -> Array:
        """Shapes as the function of the same name takes them."""
        return F.binary_cross_entropy_with_logits(
            input,
            target,
            value_of(self.weight),
            reduction=self.reduction,
            pos_weight=value_of(self.pos_weight),
        )


class CTCLoss(Loss):
    r"""Mirror of ``torch.nn.CTCLoss``: connectionist temporal classification.

    Args:
        blank: the class of the blank.
        reduction: 'none', 'mean' or 'sum'.
        zero_infinity: whether infinite losses count as 0, without a gradient.

    >>> CTCLoss(zero_infinity=True)
    CTCLoss()

    Source: Graves et al., 2006.
    """

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False):
        super().__init__(None, None, reduction)
        self.blank = blank
        self.zero_infinity = zero_infinity

    def forward(self, log_probs: Array, targets: Array, input_lengths: Any, target_lengths: Any) -> Array:
        """Shapes as the function of the same name takes them."""
        return F.ctc_loss(
            log_probs, targets, input_lengths, target_lengths, self.blank, self.reduction, self.zero_infinity
        )


class LinearCrossEntropyLoss(WeightedLoss):
    r"""Mirror of ``torch.nn.LinearCrossEntropyLoss``: a linear layer and the cross-entropy of its outputs.

    Args:
        in_features: size of the last axis of the input.
        num_classes: C.
        out_features: further axes of the target, each with a layer of its own.
        bias: whether the layer adds one.
        device: a JAX device to put the parameters on.
        dtype: of the parameters, float32 by default.
        reduction: 'none', 'mean' or 'sum'.
        weight: a factor for each class, (C,); becomes a buffer.
        ignore_index: class indices of this value count for nothing; None stands for -100.
        label_smoothing: in [0, 1].
        options: must be None: torch's recipe for computing in chunks of the batch.
        rngs: where initial values are drawn from.

    Raises:
        RuntimeError: ``expected weight shape to be (3,), got (2,)``, or a smoothing outside of [0, 1].

    >>> from jaxgrad import nn, random
    >>> nn.LinearCrossEntropyLoss(4, 3, rngs=nn.Rngs(random.manual_seed(0))).linear
    Linear(in_features=4, out_features=3, bias=False)

    Source: torch/nn/modules/loss.py.
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        out_features: tuple[int, ...] = (),
        bias: bool = False,
        device: jax.Device | None = None,
        dtype: Any = None,
        reduction: str = "mean",
        weight: Array | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        options: Any = None,
        rngs: Rngs,
    ):
        if weight is not None and np.shape(weight) != (num_classes,):
            raise RuntimeError(f"expected weight shape to be {(num_classes,)}, got {np.shape(weight)}")
        if not 0 <= label_smoothing <= 1:
            raise RuntimeError(f"expected label_smoothing to be in range [0, 1], got {label_smoothing}")
        super().__init__(weight, None, None, reduction)
        self.num_classes = num_classes
        self.out_features = tuple(out_features)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing
        rows = math.prod(self.out_features, start=num_classes)
        self.linear = Linear(in_features, rows, bias, device, dtype, rngs=rngs)
        self.options = options

    def forward(self, input: Array, target: Array) -> Array:
        """(N, in_features) or (in_features,), and a target as ``F.linear_cross_entropy`` takes it."""
        shape = (self.num_classes, *self.out_features)
        bias = None if self.linear.bias is None else self.linear.bias.get_value().reshape(shape)
        return F.linear_cross_entropy(
            input,
            self.linear.weight.get_value().reshape(*shape, self.linear.in_features),
            target,
            linear_bias=bias,
            weight=value_of(self.weight),
            reduction=self.reduction,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            options=self.options,
        )

    def extra_repr(self) -> str:
        """Torch's."""
        return (
            f"in_features={self.linear.in_features}, num_classes={self.num_classes}, "
            f"out_features={self.out_features}, bias={self.linear.bias is not None}, reduction={self.reduction}, "
            f"ignore_index={self.ignore_index}, label_smoothing={self.label_smoothing}, options={self.options}"
        )
