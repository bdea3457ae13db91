"""Norms of matrices, and torch's two functions that are both: ``torch.norm`` and ``torch.linalg.norm``."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Inexact

from jaxgrad._core.castable import castable
from jaxgrad._core.operations import operation
from jaxgrad._core.shapes import axis_of
from jaxgrad._core.types import Array
from jaxgrad._tensor.extrema import amax, amin
from jaxgrad._tensor.norms import vector_norm


@operation("NormBackward0")
def norm(
    input: Inexact[Array, "*shape"], p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None
) -> Inexact[Array, "*norms"]:
    """Mirror of ``torch.norm``, which torch has deprecated: a vector norm, or the nuclear norm of matrices.

    Args:
        input: floating or complex.
        p: a number as in ``linalg.vector_norm``, "fro" (2), or "nuc" (the sum of the singular values).
        dim: an axis, several, or None for all.
        keepdim: whether the axes stay with size 1.
        dtype: computes and returns in this dtype.

    Raises:
        RuntimeError: p is another word, or "nuc" has not two axes.

    >>> norm(jnp.array([3.0, 4.0])).item()
    5.0

    Source: torch/functional.py, ``norm``.
    """
    if p == "nuc":
        axes = (-2, -1) if dim is None else dim
        return nuclear_norm(jnp.asarray(input, dtype), axes, keepdim)
    if isinstance(p, str) and p != "fro":
        raise RuntimeError(f"only valid string values are 'fro', 'nuc', found {p}")
    return vector_norm(input, 2 if p in ("fro", None) else p, dim, keepdim, dtype=dtype)


@castable("nuclear_norm")
def nuclear_norm(
    input: Inexact[Array, "*shape"], dim: Any = (-2, -1), keepdim: bool = False
) -> Inexact[Array, "*norms"]:
    """The sum of the singular values: ``torch.nuclear_norm``.

    Args:
        input: two axes or more.
        dim: the two axes of the matrices.
        keepdim: whether they stay with size 1.

    >>> nuclear_norm(jnp.diag(jnp.array([3.0, -4.0]))).item()
    7.0

    Source: torch.nuclear_norm.
    """
    return matrix_norm(input, "nuc", dim, keepdim)


@castable("linalg_matrix_norm")
def matrix_norm(
    A: Inexact[Array, "*shape"], ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None
) -> Inexact[Array, "*norms"]:
    """Mirror of ``torch.linalg.matrix_norm``.

    Args:
        A: two axes or more, floating or complex.
        ord: "fro", "nuc", inf, -inf (greatest, least sum of a row), 1, -1 (of a column), 2, -2 (singular value).
        dim: the two axes of the matrices.
        keepdim: whether they stay with size 1.
        dtype: computes and returns in this dtype.

    Returns:
        The shape of A without the two axes (of size 1 with ``keepdim``), real.

    Raises:
        RuntimeError: less than two axes, the same axis twice, or another ``ord``.

    >>> matrix_norm(jnp.array([[1.0, -2.0], [3.0, 4.0]]), 1).item()
    6.0

    Source: torch.linalg.matrix_norm.
    """
    A = jnp.asarray(A, dtype)
    if A.ndim < 2:
        raise RuntimeError("linalg.matrix_norm: The input tensor A must have at least 2 dimensions.")
    axes = tuple(axis_of(each, A.ndim) for each in dim)
    if len(axes) != 2:
        raise RuntimeError("linalg.matrix_norm: dim must be a 2-tuple.")
    if axes[0] == axes[1]:
        raise RuntimeError(f"linalg.matrix_norm: dims must be different. Got ({dim[0]}, {dim[1]})")
    if ord == "fro":
        return vector_norm(A, 2, axes, keepdim)
    at = jnp.moveaxis(A, axes, (-2, -1))
    if 0 in at.shape[-2:] and ord in ("nuc", 1, 2, jnp.inf):
        shape = [1 if i in axes else n for i, n in enumerate(A.shape) if keepdim or i not in axes]
        return jnp.zeros(shape, vector_norm(A.ravel()[:0], 2).dtype)
    if ord in ("nuc", 2, -2):
        values = jnp.linalg.svd(at, compute_uv=False)
        out = values.sum(-1) if ord == "nuc" else amax(values, -1) if ord == 2 else amin(values, -1)
    elif ord in (1, -1, jnp.inf, -jnp.inf):
        sums = vector_norm(at, 1, -2 if ord in (1, -1) else -1)
        out = amax(sums, -1) if ord > 0 else amin(sums, -1)
    else:
        raise RuntimeError(f"linalg.matrix_norm: Order {ord} not supported.")
    return jnp.expand_dims(out, sorted(axes)) if keepdim else out


def linalg_norm(
    A: Inexact[Array, "*shape"], ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Inexact[Array, "*norms"]:
    """Mirror of ``torch.linalg.norm``: a matrix norm where ``dim`` has two axes, a vector norm otherwise.

    Without ``dim``: the 2-norm of everything where ``ord`` is None, else the norm of the vector or matrix A is.

    Args:
        A: floating or complex.
        ord: as in ``vector_norm`` or ``matrix_norm``.
        dim: an axis, two, or None.
        keepdim: whether the axes stay with size 1.
        dtype: computes and returns in this dtype.

    Raises:
        RuntimeError: more axes than two with an ``ord``.

    >>> linalg_norm(jnp.array([[3.0, 0.0], [0.0, 4.0]])).item()
    5.0

    Source: torch.linalg.norm.
    """
    A = jnp.asarray(A)
    axes = None if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    if axes is not None and len(axes) not in (1, 2):
        raise RuntimeError(f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {list(axes)}")
    if ord is not None and axes is None:
        if A.ndim not in (1, 2):
            raise RuntimeError(
                f"linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got {A.ndim}D."
            )
        axes = tuple(range(A.ndim))
    if ord is not None and axes is not None and len(axes) == 2:
        return matrix_norm(A, ord, axes, keepdim, dtype=dtype)
    return vector_norm(A, 2 if ord is None else ord, axes, keepdim, dtype=dtype)
