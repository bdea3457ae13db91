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
"""

from importlib.metadata import version

__version__ = version("jaxgrad")
