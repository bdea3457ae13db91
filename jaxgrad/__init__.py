"""PyTorch's training semantics as pure JAX functions.

``torch.a.b`` is found at ``jaxgrad.a.b``, with torch's argument names, order and defaults; ``train``, ``parity`` and
what has no counterpart in torch are the exceptions (docs/address.md lists them).

- ``jaxgrad.amp``: half precision: which operations run in it, and the scale of the loss
- ``jaxgrad.autograd``: backward, the graph as a value, hooks, modes, custom functions, gradcheck
- ``jaxgrad.func``: modules as pure functions of flat dicts
- ``jaxgrad.nn``: modules, functions, initial values, clipping
- ``jaxgrad.optim``: optimizers as optax transformations, learning-rate schedules, weight averaging
- ``jaxgrad.random``: torch's random stream as a value
- ``jaxgrad.serialization``: models and training states in files, torch's own among them
- ``jaxgrad.testing``: assert_close for trees
- ``jaxgrad.utils``: rematerialisation, data sets and loaders
- ``jaxgrad.train``: one jitted step that carries all the state
- ``jaxgrad.parity``: comparison with torch, case by case and step by step
- ``jaxgrad.cli``: the command line
- ``jaxgrad.linalg``, ``jaxgrad.special`` and names of torch's top level (``jaxgrad.clamp``, ``jaxgrad.gather``, ...):
  tensor functions whose values or derivatives differ from ``jax.numpy``'s

``import jaxgrad`` imports none of them; each comes when it is first named. What torch has at its top level is found
here too (``jaxgrad.randn``, ``jaxgrad.no_grad``).
"""

from importlib.metadata import version
from typing import TYPE_CHECKING

from jaxgrad._core.lazy import offer

if TYPE_CHECKING:  # what a type checker sees of the tables below; a test holds them together
    from jaxgrad import (
        amp,
        autograd,
        cli,
        func,
        linalg,
        nn,
        optim,
        parity,
        random,
        serialization,
        special,
        testing,
        trace,
        train,
        utils,
    )
    from jaxgrad._tensor import *  # noqa: F403
    from jaxgrad.amp import autocast
    from jaxgrad.autograd import detach, enable_grad, inference_mode, no_grad, set_grad_enabled
    from jaxgrad.random import (
        Generator,
        bernoulli,
        manual_seed,
        multinomial,
        normal,
        poisson,
        rand,
        randint,
        randn,
        randperm,
        seed,
    )

__version__ = version("jaxgrad")

_PACKAGES = (
    "amp",
    "autograd",
    "cli",
    "func",
    "linalg",
    "nn",
    "optim",
    "parity",
    "random",
    "serialization",
    "special",
    "testing",
    "trace",
    "train",
    "utils",
)

_TOP_LEVEL = {
    "amp": ("autocast",),
    "autograd": ("detach", "enable_grad", "inference_mode", "no_grad", "set_grad_enabled"),
    "random": (
        "Generator",
        "bernoulli",
        "manual_seed",
        "multinomial",
        "normal",
        "poisson",
        "rand",
        "randint",
        "randn",
        "randperm",
        "seed",
    ),
}
"""Where names that torch has at its top level come from; beside these, all of ``_tensor``."""

__getattr__, __dir__ = offer(__name__, _PACKAGES, _TOP_LEVEL, whole=("_tensor",))

__all__ = [
    "Generator",
    "amp",
    "autocast",
    "autograd",
    "bernoulli",
    "cli",
    "detach",
    "enable_grad",
    "func",
    "inference_mode",
    "linalg",
    "manual_seed",
    "multinomial",
    "nn",
    "no_grad",
    "normal",
    "optim",
    "parity",
    "poisson",
    "rand",
    "randint",
    "randn",
    "random",
    "randperm",
    "seed",
    "serialization",
    "set_grad_enabled",
    "special",
    "testing",
    "trace",
    "train",
    "utils",
]
