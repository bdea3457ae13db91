"""Functions of ``torch.nn.functional``, pure, one family a file."""

from jaxgrad.nn.functional.activation import log_softmax, relu
from jaxgrad.nn.functional.conv import (
    conv1d,
    conv2d,
    conv3d,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
    fold,
    unfold,
)
from jaxgrad.nn.functional.dropout import (
    alpha_dropout,
    dropout,
    dropout1d,
    dropout2d,
    dropout3d,
    feature_alpha_dropout,
)
from jaxgrad.nn.functional.linear import linear
from jaxgrad.nn.functional.loss_binary_cross_entropy import binary_cross_entropy_with_logits
from jaxgrad.nn.functional.loss_cross_entropy import cross_entropy
from jaxgrad.nn.functional.loss_mse import mse_loss
from jaxgrad.nn.functional.loss_nll import nll_loss
from jaxgrad.nn.functional.padding import pad

__all__ = [
    "alpha_dropout",
    "binary_cross_entropy_with_logits",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "cross_entropy",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "feature_alpha_dropout",
    "fold",
    "linear",
    "log_softmax",
    "mse_loss",
    "nll_loss",
    "pad",
    "relu",
    "unfold",
]
