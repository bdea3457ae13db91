"""Gradients clipped, parameters as a vector or computed from others, layers fused, after ``torch.nn.utils``.

torch's underscore goes, since nothing is changed in place: what torch writes into ``.grad`` is returned. The clips
exist twice: as functions of a gradient tree, and as transformations for ``optax.chain`` (``clip_by_...``).
"""

from jaxgrad.nn.utils import parametrizations, parametrize, rnn
from jaxgrad.nn.utils.clip_grad import clip_grad_norm, clip_grad_value, clip_grads_with_norm, get_total_norm
from jaxgrad.nn.utils.clip_transform import ClipState, clip_by_given_norm, clip_by_norm, clip_by_value
from jaxgrad.nn.utils.convert_parameters import parameters_to_vector, vector_to_parameters
from jaxgrad.nn.utils.fusion import (
    fuse_conv_bn_eval,
    fuse_conv_bn_weights,
    fuse_linear_bn_eval,
    fuse_linear_bn_weights,
)
from jaxgrad.nn.utils.spectral_norm import remove_spectral_norm, spectral_norm
from jaxgrad.nn.utils.weight_norm import remove_weight_norm, weight_norm

__all__ = [
    "ClipState",
    "clip_by_given_norm",
    "clip_by_norm",
    "clip_by_value",
    "clip_grad_norm",
    "clip_grad_value",
    "clip_grads_with_norm",
    "fuse_conv_bn_eval",
    "fuse_conv_bn_weights",
    "fuse_linear_bn_eval",
    "fuse_linear_bn_weights",
    "get_total_norm",
    "parameters_to_vector",
    "parametrizations",
    "parametrize",
    "remove_spectral_norm",
    "remove_weight_norm",
    "rnn",
    "spectral_norm",
    "vector_to_parameters",
    "weight_norm",
]
