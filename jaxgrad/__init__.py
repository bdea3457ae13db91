"""PyTorch's training semantics as pure JAX functions.

``torch.a.b`` is found at ``jaxgrad.a.b``, with torch's argument names, order and defaults:

- ``jaxgrad.testing``: assert_close for trees
"""

from importlib.metadata import version

__version__ = version("jaxgrad")
