"""Normalisation: by statistics of a batch, of an instance, of a sample's last axes, of groups of channels, by norms."""

from jaxgrad.nn.functional.normalization.batch_norm import batch_norm
from jaxgrad.nn.functional.normalization.group_norm import group_norm
from jaxgrad.nn.functional.normalization.instance_norm import instance_norm
from jaxgrad.nn.functional.normalization.layer_norm import layer_norm, rms_norm
from jaxgrad.nn.functional.normalization.normalize import normalize
from jaxgrad.nn.functional.normalization.response_norm import local_response_norm

__all__ = [
    "batch_norm",
    "group_norm",
    "instance_norm",
    "layer_norm",
    "local_response_norm",
    "normalize",
    "rms_norm",
]
