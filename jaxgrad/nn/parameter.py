"""Which arrays of a module are trained, and which are only remembered.

An array set as an attribute is neither: it is a constant of the module, as a plain tensor is in torch.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from flax.errors import TraceContextError

from jaxgrad._core.call import changed_from_inside
from jaxgrad._core.dtypes import keep_dtype
from jaxgrad._core.errors import explain

_ABSENT = {
    "data": "get_value() reads the array, set_value(new) sets another while a model is built",
    "grad": "gradients are returned: loss, grads = autograd.backward(loss_fn, params, x, y)",
    "requires_grad_": "name it where gradients are taken: autograd.freeze, or inputs= of autograd.backward",
}


class _Named(nnx.Variable[Any]):
    """What a porter asks of a tensor that is an attribute of a module."""

    def numel(self) -> int:
        """The number of entries."""
        return int(np.size(self.get_value()))

    def dim(self) -> int:
        """The number of axes."""
        return int(np.ndim(self.get_value()))

    @property
    def requires_grad(self) -> bool:
        """Whether it is trained."""
        return isinstance(self, nnx.Param)

    def __getattr__(self, name: str) -> Any:
        if name in _ABSENT:
            sentence = f"'{type(self).__name__}' object has no attribute '{name}'"
            raise AttributeError(explain(sentence, remedy=_ABSENT[name]))
        return super().__getattr__(name)

    def _check_can_update(self) -> None:
        try:
            super()._check_can_update()
        except TraceContextError:
            raise changed_from_inside(f"a {type(self).__name__}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("data", "grad", "requires_grad"):
            sentence = f"{name} of a {type(self).__name__} cannot be set: an array has no such property here"
            raise AttributeError(explain(sentence, remedy=_ABSENT.get(name, _ABSENT["requires_grad_"])))
        super().__setattr__(name, value)


class Parameter(_Named, nnx.Param[Any]):
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
    >>> sum(parameter.numel() for parameter in [Parameter(jnp.ones((2, 3)))])
    6
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


class Buffer(_Named):
    """Mirror of ``torch.nn.Buffer``: an array that a module remembers and does not train.

    Args:
        data: the initial value.
        persistent: whether it belongs to the ``state_dict``.

    >>> Buffer(jnp.zeros(2)).persistent
    True
    """

    def __init__(self, data: Any, *, persistent: bool = True, **metadata: Any):
        super().__init__(jnp.asarray(data), persistent=persistent, **metadata)


def value_of(variable: nnx.Variable | None) -> Any:
    """The array of a variable; None for one that a layer does without.

    >>> value_of(Parameter(jnp.ones(2))).shape, value_of(None)
    ((2,), None)
    """
    return None if variable is None else variable.get_value()


def filled(shape: tuple[int, ...], fill: float, dtype: Any = None, device: Any = None) -> Any:
    """An array of one number, float32 unless said otherwise: the initial value of a parameter that is not drawn.

    >>> filled((2,), 1.0)
    Array([1., 1.], dtype=float32)
    """
    return jax.device_put(jnp.full(shape, fill, keep_dtype(jnp.float32 if dtype is None else dtype)), device)
