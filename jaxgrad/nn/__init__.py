"""Modules, functions and initial values, after ``torch.nn``.

- ``nn.functional``: what layers and losses compute, as functions
- ``nn.init``: initial values, drawn in torch's order
- ``nn.utils``: clipping of gradients, parameters as one vector
- the modules themselves, built with ``rngs=nn.Rngs(generator)``
"""

from jaxgrad.nn import functional, init, modules, utils
from jaxgrad.nn.modules import *  # noqa: F403  # the list is that of the modules, and stands there
from jaxgrad.nn.parameter import Buffer, Parameter
from jaxgrad.nn.rngs import Rngs

__all__ = ["Buffer", "Parameter", "Rngs", "functional", "init", "utils", *modules.__all__]
