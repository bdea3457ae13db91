"""Arguments of one operation brought to a common shape, since JAX is asked to broadcast no rank by itself."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.types import Array


def elementwise(fn: Callable[..., Any]) -> Callable[..., Any]:
    """``fn`` of arrays of any broadcastable shapes; numbers stay numbers.

    >>> elementwise(jnp.add)(jnp.ones((2, 3)), jnp.ones(3)).shape
    (2, 3)
    """

    def call(*args: Any, **kwargs: Any) -> Any:
        arrays = [each for each in args if isinstance(each, jax.Array)]
        shape = jnp.broadcast_shapes(*(each.shape for each in arrays))
        return fn(*(jnp.broadcast_to(each, shape) if isinstance(each, jax.Array) else each for each in args), **kwargs)

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
