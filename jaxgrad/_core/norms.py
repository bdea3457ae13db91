r"""Norms of vectors with torch's derivatives.

.. math:: \|x\|_p = \Big(\sum_i |x_i|^p\Big)^{1/p}, \qquad
          \frac{\partial \|x\|_p}{\partial x_i} = \operatorname{sgn}(x_i) \Big(\frac{|x_i|}{\|x\|_p}\Big)^{p-1}

Where that is 0/0, torch takes 0: at x = 0 for every p, and at the zeros of x for p < 1. Places that share a largest
(smallest) absolute value share the derivative of the norm of infinity (minus infinity). JAX gives nan at x = 0.
"""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.types import Array

Axes = tuple[int, ...]


def vector_norm(x: Array, p: float = 2.0, axes: Axes | None = None, keepdims: bool = False) -> Array:
    """The p-norm over ``axes`` (all of them by default), real also for complex x.

    >>> x = jnp.array([[3.0, 4.0], [0.0, 0.0]])
    >>> vector_norm(x, 2.0, (1,)).tolist()
    [5.0, 0.0]
    >>> jax.grad(lambda x: vector_norm(x, 2.0, (1,)).sum())(x).round(2).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    axes = tuple(range(x.ndim)) if axes is None else tuple(axis % x.ndim for axis in axes)
    norm = _norm(x, float(p), axes)
    return norm if keepdims else jnp.squeeze(norm, axes)


@partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def _norm(x: Array, p: float, axes: Axes) -> Array:
    size = jnp.abs(x)
    reduce: Any = partial(jnp.sum, axis=axes, keepdims=True)
    if p == 0.0:
        return reduce(size != 0).astype(size.dtype)
    if p == 1.0:
        return reduce(size)
    if p == 2.0:
        squares = x.real**2 + x.imag**2 if jnp.iscomplexobj(x) else x * x
        return jnp.sqrt(reduce(squares))
    if math.isinf(p):
        return (jnp.max if p > 0 else jnp.min)(size, axis=axes, keepdims=True)
    return reduce(size**p) ** (1 / p)


@_norm.defjvp
def _norm_jvp(p: float, axes: Axes, primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (x,), (x_dot,) = primals, tangents
    norm = _norm(x, p, axes)
    if p == 0.0:
        return norm, jnp.zeros_like(norm)  # also where x is not finite
    # the real part of a product with the conjugate is how a complex number moves its size
    slope = jnp.conj(_slope(x, norm, p, axes)) * x_dot
    return norm, jnp.sum(slope.real if jnp.iscomplexobj(slope) else slope, axis=axes, keepdims=True)


def _slope(x: Array, norm: Array, p: float, axes: Axes) -> Array:
    """The derivative of the norm, written so that it can itself be differentiated."""
    if p == 1.0:
        return jnp.sign(x)
    if p == 2.0:
        return jnp.where(norm == 0, 0, x / jnp.where(norm == 0, 1, norm))
    size = jnp.abs(x)
    if math.isinf(p):
        chosen = (size == norm) | (jnp.isnan(size) & jnp.isnan(norm))
        return jnp.sign(x) * (chosen / jnp.sum(chosen, axis=axes, keepdims=True)).astype(norm.dtype)
    safe = jnp.where(norm == 0, 1, norm)
    ratio = jnp.where(size == 0, 1, size) / safe
    return jnp.where((norm == 0) | (size == 0), 0, jnp.sign(x) * ratio ** (p - 1))
