"""Norms and distances, with torch's derivative where they are 0: 0, where JAX's is nan or 1."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Inexact

from jaxgrad._core import norms
from jaxgrad._core.castable import castable
from jaxgrad._core.dtype_names import torch_name
from jaxgrad._core.operations import operation
from jaxgrad._core.shapes import axis_of
from jaxgrad._core.types import Array
from jaxgrad._tensor.promotion import promote


@castable("linalg_vector_norm")
@operation("LinalgVectorNormBackward0")
def vector_norm(
    x: Inexact[Array, "*shape"], ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Inexact[Array, "*norms"]:
    r"""Mirror of ``torch.linalg.vector_norm``: :math:`(\sum_i |x_i|^p)^{1/p}`.

    At 0 the derivative is 0 for every p, where JAX has nan, 1 or a share; for p = inf all greatest elements share it.

    Args:
        x: floating or complex.
        ord: p: any number; inf and -inf for the greatest and the least, 0 for the count of what is not 0.
        dim: an axis, several, or None for all of them.
        keepdim: whether the axes stay with size 1.
        dtype: computes and returns in this dtype.

    Returns:
        The shape of x without the axes (of size 1 with ``keepdim``), real.

    Raises:
        RuntimeError: an integer input, or nothing to take a norm of that has no neutral element.

    >>> jax.grad(vector_norm)(jnp.zeros(2)).tolist()
    [0.0, 0.0]

    Source: torch.linalg.vector_norm.
    """
    x = _floating("linalg.vector_norm", x)
    if dtype is not None:
        x = x.astype(dtype)
    axes = tuple(range(x.ndim)) if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    axes = tuple(axis_of(each, x.ndim) for each in axes) or tuple(range(x.ndim))
    at = jnp.atleast_1d(x)
    axes = axes if x.ndim else (0,)
    if (ord < 0 or ord == jnp.inf) and any(at.shape[axis] == 0 for axis in axes):
        name = f"{ord:g}" if _is_finite(ord) else str(ord)
        raise RuntimeError(
            f"linalg.vector_norm cannot compute the {name} norm on an empty tensor because the operation does not "
            "have an identity"
        )
    norm = norms.vector_norm(at, float(ord), axes, keepdims=True)
    if x.ndim == 0:
        return norm.reshape(())
    return norm if keepdim else jnp.squeeze(norm, axes)


def _is_finite(ord: float) -> bool:
    """Whether p is a finite number."""
    return ord not in (float("inf"), -float("inf"))


@castable("dist")
@operation("NormBackward0")
def dist(input: Inexact[Array, "*#shape"], other: Inexact[Array, "*#shape"], p: float = 2) -> Inexact[Array, ""]:
    """Mirror of ``torch.dist``: the p-norm of the difference; the derivative is 0 where both are equal.

    Args:
        input: floating or complex.
        other: broadcastable to it.
        p: any number, as in :func:`vector_norm`.

    >>> jax.grad(dist)(jnp.ones(2), jnp.ones(2)).tolist()
    [0.0, 0.0]

    Source: torch.dist.
    """
    first, second = promote(input, other)
    return vector_norm(first - second, p)


@castable("cdist")
@operation("CdistBackward0")
def cdist(
    x1: Array, x2: Array, p: float = 2.0, compute_mode: str | None = "use_mm_for_euclid_dist_if_necessary"
) -> Array:
    r"""Mirror of ``torch.cdist``: the p-norm distance of every pair of rows, :math:`d_{ij} = \|a_i - b_j\|_p`.

    Where two rows are equal the derivative is 0; for p = inf every greatest component gets the whole gradient.

    Args:
        x1: (..., P, M), floating.
        x2: (..., R, M); the leading axes are broadcast.
        p: not negative; inf for the greatest.
        compute_mode: for p = 2, whether by one matrix product (faster, less exact where rows are close):
            "use_mm_for_euclid_dist_if_necessary" for more than 25 rows, "use_mm_for_euclid_dist",
            "donot_use_mm_for_euclid_dist".

    Returns:
        (..., P, R).

    Raises:
        RuntimeError: a vector, rows of different lengths, or a negative p.
        ValueError: ``compute_mode`` is none of the words.

    >>> cdist(jnp.array([[0.0, 0.0]]), jnp.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[5.0, 0.0]]

    Source: torch.cdist.
    """
    x1, x2 = jnp.asarray(x1), jnp.asarray(x2)
    for name, each in (("X1", x1), ("X2", x2)):
        if not jnp.issubdtype(each.dtype, jnp.floating):
            raise RuntimeError(f"cdist only supports floating-point dtypes, {name} got: {each.dtype.name}")
        if each.ndim < 2:
            raise RuntimeError(f"cdist only supports at least 2D tensors, {name} got: {each.ndim}D")
    if x1.shape[-1] != x2.shape[-1]:
        raise RuntimeError(f"X1 and X2 must have the same number of columns. X1: {x1.shape[-1]} X2: {x2.shape[-1]}")
    if p < 0:
        raise RuntimeError("cdist only supports non-negative p values")
    modes = {
        "use_mm_for_euclid_dist_if_necessary": x1.shape[-2] > 25 or x2.shape[-2] > 25,
        None: x1.shape[-2] > 25 or x2.shape[-2] > 25,
        "use_mm_for_euclid_dist": True,
        "donot_use_mm_for_euclid_dist": False,
    }
    if compute_mode not in modes:
        raise ValueError(f"{compute_mode} is not a valid value for compute_mode")
    batch = jnp.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
    first, second = (jnp.broadcast_to(each, (*batch, *each.shape[-2:])) for each in (x1, x2))
    if x1.shape[-1] == 0:
        return jnp.zeros((*batch, x1.shape[-2], x2.shape[-2]), x1.dtype)
    if p == 2 and modes[compute_mode] and x1.size and x2.size:
        return _by_products(first, second)
    return norms.vector_norm(first[..., :, None, :] - second[..., None, :, :], float(p), -1, share_ties=False)


@jax.custom_jvp
def _by_products(x1: Array, x2: Array) -> Array:
    """Euclidean distances as one matrix product, as torch does it for more than 25 rows."""
    square1, square2 = (jnp.sum(each * each, -1, keepdims=True) for each in (x1, x2))
    one1, one2 = jnp.ones_like(square1), jnp.ones_like(square2)
    left = jnp.concatenate([-2 * x1, square1, one1], -1)
    right = jnp.concatenate([x2, one2, square2], -1)
    return jnp.sqrt(jnp.maximum(left @ jnp.swapaxes(right, -1, -2), 0))


@_by_products.defjvp
def _by_products_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (x1, x2), (t1, t2) = primals, tangents
    length = _by_products(x1, x2)
    swap = partial(jnp.swapaxes, axis1=-1, axis2=-2)
    rows = jnp.sum(x1 * t1, -1, keepdims=True) + swap(jnp.sum(x2 * t2, -1, keepdims=True))
    moved = rows - t1 @ swap(x2) - x1 @ swap(t2)
    return length, jnp.where(length == 0, jnp.zeros_like(length), moved / jnp.where(length == 0, 1, length))


@castable("renorm")
@operation("RenormBackward0")
def renorm(input: Inexact[Array, "*shape"], p: float, dim: int, maxnorm: float) -> Inexact[Array, "*shape"]:
    """Mirror of ``torch.renorm``: slices along ``dim`` whose p-norm is greater than ``maxnorm`` are scaled to it.

    Args:
        input: two axes or more, floating or complex.
        p: of the norm, positive.
        dim: the axis that counts the slices.
        maxnorm: the greatest norm; the factor is maxnorm / (norm + 1e-7).

    Raises:
        RuntimeError: ``p``, ``maxnorm`` or the number of axes is not allowed.

    >>> renorm(jnp.array([[0.0, 0.5], [0.0, 4.0]]), 2, 0, 1.0).round(2).tolist()
    [[0.0, 0.5], [0.0, 1.0]]

    Source: torch.renorm.
    """
    input = jnp.asarray(input)
    if not p > 0:
        raise RuntimeError("renorm: non-positive-norm not supported")
    if maxnorm < 0:
        raise RuntimeError(f"renorm: expected maxnorm to be >= 0 but got {maxnorm:g}")
    if input.ndim < 2:
        raise RuntimeError(f"renorm: input needs at least 2 dimensions, got {input.ndim} dimensions")
    axis = axis_of(dim, input.ndim)
    norm = vector_norm(input, p, [each for each in range(input.ndim) if each != axis], keepdim=True)
    factor = jnp.where(norm > maxnorm, maxnorm / (norm + 1e-7), jnp.ones_like(norm))
    return input * factor


def _floating(name: str, x: Any) -> Array:
    x = jnp.asarray(x)
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        raise RuntimeError(f"{name}: Expected a floating point or complex tensor as input. Got {torch_name(x.dtype)}")
    return x
