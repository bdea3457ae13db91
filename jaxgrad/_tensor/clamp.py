"""Limits, with torch's derivative: what is within them, the limits themselves included, passes whole."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.dtypes import common_dtype
from jaxgrad._core.operations import operation
from jaxgrad._core.types import Array


@operation("ClampBackward1")
def clamp(input: Array, min: Any = None, max: Any = None) -> Array:
    r"""Mirror of ``torch.clamp``: :math:`\min(\max(x, \mathrm{min}), \mathrm{max})`.

    The derivative with respect to x is 1 from ``min`` to ``max``, both included (``jnp.clip`` has 0.5 there,
    ``lax.clamp`` 0), and 0 outside and at nan; a limit that is an array gets what does not pass: ``min`` below itself
    where it is less than ``max``, ``max`` above itself or where it is less than ``min``.

    Args:
        input: any shape, real.
        min: a number, an array broadcastable to ``input``, or None.
        max: likewise. Where ``min`` is greater, the result is ``max``.

    Raises:
        RuntimeError: neither limit is given.

    >>> jax.grad(lambda x: clamp(x, 0, 1).sum())(jnp.array([-1.0, 0.0, 1.0, 2.0])).tolist()
    [0.0, 1.0, 1.0, 0.0]

    Source: torch.clamp.
    """
    input = jnp.asarray(input)
    given = [limit for limit in (min, max) if limit is not None]
    if not given:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    dtype = common_dtype(input, *given)
    shape = jnp.broadcast_shapes(input.shape, *(jnp.shape(limit) for limit in given))
    x: Any
    x, low, high = (
        None if each is None else jnp.broadcast_to(jnp.asarray(each, dtype), shape) for each in (input, min, max)
    )
    stop = jax.lax.stop_gradient
    inexact = jnp.issubdtype(dtype, jnp.inexact)
    out: Any = jnp.where(stop(jnp.isnan(x)), stop(x), x) if inexact else x
    if low is not None:
        passing = low if high is None else jnp.where(stop(low < high), low, stop(low))
        out = jnp.where(stop(x < low), passing, out)
    if high is not None:
        crossed = (x > high) if low is None else (x > high) | (low > high)
        out = jnp.where(stop(crossed), high, out)
    for limit in (low, high):
        if limit is not None and inexact:
            out = jnp.where(stop(jnp.isnan(limit)), stop(limit), out)
    return out


def clip(input: Array, min: Any = None, max: Any = None) -> Array:
    """Mirror of ``torch.clip``: another name of :func:`clamp`.

    >>> clip(jnp.array([-1.0, 2.0]), 0, 1).tolist()
    [0.0, 1.0]
    """
    return clamp(input, min, max)
