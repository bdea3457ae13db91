"""Arguments of one operation brought to a common shape and dtype, since JAX is asked to do neither by itself."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.dtypes import common_dtype
from jaxgrad._core.types import Array


def elementwise(fn: Callable[..., Any], *, apart: int = 0) -> Callable[..., Any]:
    """``fn`` of arrays of any broadcastable shapes and of any dtypes; numbers stay numbers.

    Args:
        fn: takes arrays of one shape and dtype.
        apart: so many arguments in front keep their dtype: a condition.

    >>> elementwise(jnp.add)(jnp.ones((2, 3)), jnp.arange(3)).shape
    (2, 3)
    """

    def call(*args: Any, **kwargs: Any) -> Any:
        arrays = [each for each in args if isinstance(each, jax.Array)]
        shape = jnp.broadcast_shapes(*(each.shape for each in arrays))
        promoted = [each for each in args[apart:] if isinstance(each, jax.Array | int | float | complex)]
        dtype = common_dtype(*promoted) if promoted else None
        taken = []
        for place, each in enumerate(args):
            if isinstance(each, jax.Array):
                each = jnp.broadcast_to(each if place < apart else each.astype(dtype), shape)
            taken.append(each)
        return fn(*taken, **kwargs)

    return call


def pullback(forward: Callable[..., Any]) -> Callable[..., Any]:
    """The backward ``(grad, input, *rest) -> gradient of input`` of a forward ``(input, *rest)``.

    >>> pullback(lambda x, k: k * x)(1.0, 2.0, 3.0).item()
    3.0
    """

    def backward(grad: Array, input: Array, *rest: Any, **kwargs: Any) -> Any:
        return jax.vjp(lambda x: forward(x, *rest, **kwargs), input)[1](grad)[0]

    return backward


def dtype_of(name: Any) -> Any:
    """A numpy dtype of the graph as JAX keeps it: 64-bit integers are 32 bits wide outside x64 mode."""
    return jax.dtypes.canonicalize_dtype(jnp.dtype(name))
