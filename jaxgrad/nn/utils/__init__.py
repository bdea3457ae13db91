"""Gradients clipped, parameters as one vector or computed from others, sequences packed, after ``torch.nn.utils``.

torch's underscore goes, since nothing is changed in place: what torch writes into ``.grad`` is returned. The clips
exist twice: as functions of a gradient tree, and as transformations for ``optax.chain`` (``clip_by_...``).
"""

from jaxgrad.nn.utils import parametrizations, parametrize, rnn
from jaxgrad.nn.utils.clip_grad import clip_grad_norm, clip_grad_value, clip_grads_with_norm, get_total_norm
from jaxgrad.nn.utils.clip_transform import ClipState, clip_by_given_norm, clip_by_norm, clip_by_value
from jaxgrad.nn.utils.convert_parameters import parameters_to_vector, vector_to_parameters

__all__ = [
    "ClipState",
    "clip_by_given_norm",
    "clip_by_norm",
    "clip_by_value",
    "clip_grad_norm",
    "clip_grad_value",
    "clip_grads_with_norm",
    "get_total_norm",
    "parameters_to_vector",
    "parametrizations",
    "parametrize",
    "rnn",
    "vector_to_parameters",
]
