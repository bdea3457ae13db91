"""Vector norms with torch's derivatives: 0 where the norm is 0, and where an entry is 0 for p < 2.

JAX's are nan there, and the modulus has derivative 1 at 0.
"""

import math
from functools import partial

import jax
import jax.numpy as jnp

from jaxgrad._core.dtypes import opmath_dtype
from jaxgrad._core.types import Array

Axis = int | tuple[int, ...]


@jax.custom_jvp
def absolute(x: Array) -> Array:
    """``torch.abs``: the modulus, with derivative 0 at 0.

    >>> jax.grad(absolute)(0.0).item()
    0.0
    """
    return jnp.abs(x)


@absolute.defjvp
def _absolute_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (x,), (t,) = primals, tangents
    return absolute(x), jnp.real(jnp.conj(sgn(x)) * t)


def sgn(x: Array) -> Array:
    """``torch.sgn``: the sign, 0 at nan; of a complex number x / |x|, and 0 at 0.

    >>> sgn(jnp.array([-2.0, jnp.nan])).tolist()
    [-1.0, 0.0]
    """
    if not jnp.issubdtype(x.dtype, jnp.complexfloating):
        return jnp.where(x > 0, 1, jnp.where(x < 0, -1, 0)).astype(x.dtype)  # 0 at nan
    size = jnp.abs(x)
    return jnp.where(size == 0, 0, x / jnp.where(size == 0, 1, size).astype(x.dtype))


def vector_norm(x: Array, p: float, axis: Axis, keepdims: bool = False, *, share_ties: bool = True) -> Array:
    r"""``torch.linalg.vector_norm`` along one axis or several: :math:`(\sum_i |x_i|^p)^{1/p}`, derivatives included.

    Args:
        x: floating point or complex.
        p: any number; 0 counts, inf takes the greatest modulus, -inf the least.
        axis: the axis that goes, or several.
        keepdims: whether it stays with size 1.
        share_ties: for infinite p, whether equal entries share the derivative, or have all of it each (as in pdist).

    >>> jax.grad(lambda x: vector_norm(x, 2, 0))(jnp.zeros(2)).tolist()
    [0.0, 0.0]
    """
    norm = _norm(x, float(p), axis, share_ties)
    return norm if keepdims else jnp.squeeze(norm, axis)


def normalized(x: Array, p: float, axis: Axis, eps: float) -> Array:
    r"""What ``torch.nn.functional.normalize`` computes: :math:`x / \max(\|x\|_p, \epsilon)`.

    >>> normalized(jnp.array([3.0, 4.0]), 2, 0, 1e-12).round(3).tolist()
    [0.6000000238418579, 0.800000011920929]
    """
    norm = vector_norm(x.astype(opmath_dtype(x.dtype)), p, axis, keepdims=True).astype(jnp.finfo(x.dtype).dtype)
    # the derivative passes at the bound, as clamp_min's does
    return x / jnp.where(norm < eps, jnp.asarray(eps, norm.dtype), norm).astype(x.dtype)


@partial(jax.custom_jvp, nondiff_argnums=(1, 2, 3))
def _norm(x: Array, p: float, axis: Axis, share_ties: bool) -> Array:
    size = jnp.abs(x)
    if p == 0:
        return jnp.sum((size != 0).astype(size.dtype), axis, keepdims=True)
    if math.isinf(p):
        if not x.size:
            return jnp.zeros_like(jnp.sum(size, axis, keepdims=True))
        return (jnp.max if p > 0 else jnp.min)(size, axis, keepdims=True)
    if p == 1:
        return jnp.sum(size, axis, keepdims=True)
    if p == 2:
        return jnp.sqrt(jnp.sum(jnp.square(size), axis, keepdims=True))
    return jnp.sum(size**p, axis, keepdims=True) ** (1 / p)


@_norm.defjvp
def _norm_jvp(
    p: float, axis: Axis, share_ties: bool, primals: tuple[Array], tangents: tuple[Array]
) -> tuple[Array, Array]:
    (x,), (t,) = primals, tangents
    norm = _norm(x, p, axis, share_ties)
    if p == 0:
        return norm, jnp.zeros_like(norm)  # also where x is not finite
    along = jnp.real(jnp.conj(_slope(x, norm, p, axis, share_ties)) * t)
    return norm, jnp.sum(along, axis, keepdims=True)


def _slope(x: Array, norm: Array, p: float, axis: Axis, share_ties: bool) -> Array:
    """The derivative of the norm by each entry: torch's ``norm_backward``."""
    if p == 1:
        return sgn(x)
    if p == 2:
        return _ratio(x, norm)
    size = absolute(x)
    if math.isinf(p):
        reached = (size == norm) | jnp.isnan(size)
        count = jnp.sum(reached, axis, keepdims=True).astype(size.dtype) if share_ties else jnp.ones_like(norm)
        return sgn(x) * (reached.astype(size.dtype) / count).astype(x.dtype)
    powers = sgn(x) * jnp.where(size == 0, 0, jnp.where(size == 0, 1, size) ** (p - 1)).astype(x.dtype)
    return _ratio(powers, norm ** (p - 1) if p > 1 else jnp.where(norm == 0, 0, norm) ** (p - 1))


def _ratio(a: Array, norm: Array) -> Array:
    """``a / norm``, and 0 where the norm is 0 (or its power infinite, for p < 1)."""
    broken = (norm == 0) | jnp.isinf(norm)
    return jnp.where(broken & (a == 0), 0, a / jnp.where(norm == 0, 1, norm).astype(a.dtype))
