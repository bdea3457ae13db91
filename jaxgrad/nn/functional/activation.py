"""Activation functions with torch's values and derivatives, also at their kinks."""

import warnings
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.dtypes import keep_dtype
from jaxgrad._core.errors import explain
from jaxgrad._core.operations import operation
from jaxgrad._core.types import Array


@operation("ReluBackward0")
def relu(input: Array, inplace: bool = False) -> Array:
    r"""Mirror of ``torch.nn.functional.relu``: :math:`\max(x, 0)`, element by element.

    The derivative is 0 at 0 and 1 at nan, as in torch; ``jax.nn.relu`` has 0 at both.

    Args:
        input: any shape, any real dtype.
        inplace: must be False, since arrays are values.

    Raises:
        RuntimeError: a boolean input.
        ValueError: ``inplace=True``.

    >>> relu(jnp.array([-1.0, 0.0, 2.0])).tolist()
    [0.0, 0.0, 2.0]

    Source: torch/nn/functional.py, ``relu``.
    """
    refuse_inplace(inplace)
    input = jnp.asarray(input)
    if input.dtype == jnp.bool_:
        raise RuntimeError("Boolean inputs not supported for relu")
    return jnp.where(input <= 0, jnp.zeros_like(input), input)


@operation("LogSoftmaxBackward0")
def log_softmax(input: Array, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Array:
    r"""Mirror of ``torch.nn.functional.log_softmax``: :math:`x - \log\sum_j e^{x_j}` along ``dim``.

    Args:
        input: (...), floating point.
        dim: the axis whose exponentials sum to 1; None picks torch's, with torch's warning.
        dtype: computes and returns in this dtype.

    Raises:
        NotImplementedError: integer input without ``dtype``.

    >>> log_softmax(jnp.zeros((1, 2)), dim=1).round(4).tolist()
    [[-0.6930999755859375, -0.6930999755859375]]

    Source: torch/nn/functional.py, ``log_softmax``.
    """
    input = jnp.asarray(input)
    if dim is None:
        warnings.warn(
            "Implicit dimension choice for log_softmax has been deprecated. "
            "Change the call to include dim=X as an argument.",
            UserWarning,
            stacklevel=_stacklevel,
        )
        dim = 0 if input.ndim in (0, 1, 3) else 1
    if dtype is not None:
        input = input.astype(keep_dtype(dtype))
    if not jnp.issubdtype(input.dtype, jnp.floating):
        raise NotImplementedError(
            explain(
                f"log_softmax is not implemented for {input.dtype}",
                got=input.dtype,
                expected="a floating point dtype",
                remedy="pass dtype=",
            )
        )
    if input.ndim == 0:
        return jax.nn.log_softmax(input[None], axis=0)[0]
    return jax.nn.log_softmax(input, axis=dim)


def refuse_inplace(inplace: bool) -> None:
    """Raise for torch's ``inplace=True``: whoever relies on the input having changed would be misled."""
    if inplace:
        raise ValueError(
            explain(
                "inplace=True has no meaning here: arrays are values and do not change",
                got="inplace=True",
                expected="inplace=False",
                remedy="use what the function returns",
            )
        )
