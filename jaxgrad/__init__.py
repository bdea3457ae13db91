"""PyTorch's training semantics as pure JAX functions.

``torch.a.b`` is found at ``jaxgrad.a.b``, with torch's argument names, order and defaults; only ``train`` and
``parity`` have no torch address.

- ``jaxgrad.autograd``: backward, the graph as a value, hooks, modes, custom functions, gradcheck
- ``jaxgrad.func``: modules as pure functions of flat dicts
- ``jaxgrad.nn``: modules, functions, initial values, clipping
- ``jaxgrad.optim``: optimizers as optax transformations, learning-rate schedules, weight averaging
- ``jaxgrad.random``: torch's random stream as a value
- ``jaxgrad.testing``: assert_close for trees
- ``jaxgrad.utils``: rematerialisation, data sets and loaders
- ``jaxgrad.train``: one jitted step that carries all the state
- ``jaxgrad.parity``: comparison with torch, case by case and step by step
- ``jaxgrad.linalg``, ``jaxgrad.special`` and names of torch's top level (``jaxgrad.clamp``, ``jaxgrad.gather``, ...):
  tensor functions whose values or derivatives differ from ``jax.numpy``'s

Sub-packages and functions are imported when they are asked for.
"""

import importlib
from importlib.metadata import version
from typing import Any

__version__ = version("jaxgrad")

_PACKAGES = ("autograd", "func", "linalg", "nn", "optim", "parity", "random", "special", "testing", "train", "utils")


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return importlib.import_module(f"jaxgrad.{name}")
    tensor = importlib.import_module("jaxgrad._tensor")
    if name in tensor.__all__:
        return getattr(tensor, name)
    raise AttributeError(f"module 'jaxgrad' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_PACKAGES, *importlib.import_module("jaxgrad._tensor").__all__])
