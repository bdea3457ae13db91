"""Matrix products."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from jaxgrad._core.types import Array


def _plus(c: Array, product: Array, beta: Any = 1, alpha: Any = 1) -> Array:
    scaled = product if alpha == 1 else alpha * product
    return scaled + jnp.broadcast_to(c if beta == 1 else beta * c, scaled.shape)


TABLE: dict[str, Callable[..., Any]] = {
    "mm": jnp.matmul,
    "bmm": jnp.matmul,
    "mv": jnp.matmul,
    "dot": jnp.dot,
    "addmm": lambda c, a, b, beta=1, alpha=1: _plus(c, a @ b, beta, alpha),
    "baddbmm": lambda c, a, b, beta=1, alpha=1: _plus(c, a @ b, beta, alpha),
    "addmv": lambda c, a, b, beta=1, alpha=1: _plus(c, a @ b, beta, alpha),
    "addbmm": lambda c, a, b, beta=1, alpha=1: _plus(c, jnp.sum(a @ b, 0), beta, alpha),
    "addr": lambda c, a, b, beta=1, alpha=1: _plus(c, jnp.outer(a, b), beta, alpha),
    "vdot": jnp.vdot,
    "_trilinear": lambda *args: _trilinear(*args),
}


def _trilinear(
    first: Array, second: Array, third: Array, expand1: Any, expand2: Any, expand3: Any, sumdim: Any, unroll: int = 1
) -> Array:
    del unroll
    for axes, place in ((expand1, 0), (expand2, 1), (expand3, 2)):
        for axis in axes:
            if place == 0:
                first = jnp.expand_dims(first, axis)
            elif place == 1:
                second = jnp.expand_dims(second, axis)
            else:
                third = jnp.expand_dims(third, axis)
    a, b, c = jnp.broadcast_arrays(first, second, third)
    return jnp.sum(a * b * c, tuple(sumdim))
