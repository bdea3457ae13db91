"""Whole models, each written once for both sides: ``build(library)`` uses what torch and jaxgrad share, no more.

- ``library``: what a model is written with
- ``perceptron``, ``images``, ``sequences``: the models
"""

from jaxgrad.parity.catalog.models.images import fashion_cnn, resnet, unet, vae, vae_loss
from jaxgrad.parity.catalog.models.library import Library, jaxgrad_library, torch_library
from jaxgrad.parity.catalog.models.perceptron import perceptron
from jaxgrad.parity.catalog.models.sequences import gpt, lstm_classifier, packed_classifier, token_loss, translator

__all__ = [
    "Library",
    "fashion_cnn",
    "gpt",
    "jaxgrad_library",
    "lstm_classifier",
    "packed_classifier",
    "perceptron",
    "resnet",
    "token_loss",
    "torch_library",
    "translator",
    "unet",
    "vae",
    "vae_loss",
]
