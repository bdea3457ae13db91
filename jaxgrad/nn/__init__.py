"""Modules, functions and initial values, after ``torch.nn``.

- ``nn.functional``: what layers and losses compute, as functions
- ``nn.init``: initial values, drawn in torch's order
- ``nn.utils``: clipping of gradients, parameters as one vector
- the modules themselves, built with ``rngs=nn.Rngs(generator)``
"""

from jaxgrad.nn import functional, init, utils
from jaxgrad.nn.modules import (
    AlphaDropout,
    Dropout,
    Dropout1d,
    Dropout2d,
    Dropout3d,
    FeatureAlphaDropout,
    Flatten,
    Identity,
    Linear,
    Module,
    ModuleDict,
    ModuleList,
    ParameterDict,
    ParameterList,
    ReLU,
    Sequential,
)
from jaxgrad.nn.parameter import Buffer, Parameter
from jaxgrad.nn.rngs import Rngs

__all__ = [
    "AlphaDropout",
    "Buffer",
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
    "Parameter",
    "ParameterDict",
    "ParameterList",
    "ReLU",
    "Rngs",
    "Sequential",
    "functional",
    "init",
    "utils",
]
