"""Which arrays of a module are trained, and which are only remembered.

An array set as an attribute is neither: it is a constant of the module, as a plain tensor is in torch.
"""

from typing import Any

import jax.numpy as jnp
from flax import nnx

from jaxgrad._core.errors import explain


class Parameter(nnx.Param):
    """Mirror of ``torch.nn.Parameter``: an array that ``func.extract`` lists among the parameters.

    A flax ``nnx.Param``, so NNX's own tools see it too.

    Args:
        data: the initial value.
        requires_grad: must be True; to freeze a parameter say so where gradients are taken
            (``autograd.freeze``, or a gradient of None).

    Raises:
        ValueError: ``requires_grad=False``.

    >>> Parameter(jnp.ones(2)).get_value().tolist()
    [1.0, 1.0]
    """

    def __init__(self, data: Any, requires_grad: bool = True, **metadata: Any):
        if not requires_grad:
            raise ValueError(
                explain(
                    "requires_grad=False is not a property of an array here",
                    got="requires_grad=False",
                    expected="requires_grad=True",
                    remedy="freeze the parameter by name where its gradient is taken, or make it an nn.Buffer",
                )
            )
        super().__init__(jnp.asarray(data), **metadata)


class Buffer(nnx.Variable):
    """Mirror of ``torch.nn.Buffer``: an array that a module remembers and does not train.

    Args:
        data: the initial value.
        persistent: whether it belongs to the ``state_dict``.

    >>> Buffer(jnp.zeros(2)).persistent
    True
    """

    def __init__(self, data: Any, *, persistent: bool = True, **metadata: Any):
        super().__init__(jnp.asarray(data), persistent=persistent, **metadata)
