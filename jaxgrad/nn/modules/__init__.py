"""Modules of ``torch.nn``, file for file as in ``torch/nn/modules``."""

from jaxgrad.nn.modules.activation import ReLU
from jaxgrad.nn.modules.container import ModuleDict, ModuleList, Sequential
from jaxgrad.nn.modules.dropout import AlphaDropout, Dropout, Dropout1d, Dropout2d, Dropout3d, FeatureAlphaDropout
from jaxgrad.nn.modules.flatten import Flatten
from jaxgrad.nn.modules.linear import Identity, Linear
from jaxgrad.nn.modules.module import Module
from jaxgrad.nn.modules.parameters import ParameterDict, ParameterList

__all__ = [
    "AlphaDropout",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "FeatureAlphaDropout",
    "Flatten",
    "Identity",
    "Linear",
    "Module",
    "ModuleDict",
    "ModuleList",
    "ParameterDict",
    "ParameterList",
    "ReLU",
    "Sequential",
]
