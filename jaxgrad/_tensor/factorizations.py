"""Determinants, inverses and the Cholesky factor, with torch's derivatives at singular matrices."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Inexact

from jaxgrad._core.castable import castable
from jaxgrad._core.dtype_names import torch_name
from jaxgrad._core.errors import is_traced
from jaxgrad._core.operations import operation
from jaxgrad._core.types import Array


class LinAlgError(RuntimeError):
    """Mirror of ``torch.linalg.LinAlgError``: a matrix that has not what was asked for."""


class SignedLog(NamedTuple):
    """What ``torch.linalg.slogdet`` returns."""

    sign: Array
    logabsdet: Array


@jax.custom_jvp
def _det(A: Array) -> Array:
    lu, pivots, _ = jax.lax.linalg.lu(A)
    return _parity(pivots, A.shape[-1]).astype(A.dtype) * jnp.prod(_diagonal(lu), -1)


@_det.defjvp
def _det_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (A,), (t,) = primals, tangents
    det = _det(A)
    lu, _, permutation = jax.lax.linalg.lu(A)
    tiny = jnp.finfo(A.dtype).eps
    repaired = lu + _on_diagonal(jnp.where(_diagonal(lu) == 0, tiny, 0).astype(A.dtype))
    inverse = _solve(repaired, permutation)
    return det, det * jnp.sum(jnp.swapaxes(inverse, -1, -2) * t, (-1, -2))


@operation("LinalgDetBackward0")
def det(A: Inexact[Array, "*batch n n"]) -> Inexact[Array, "*batch"]:
    r"""Mirror of ``torch.linalg.det``: the determinant, by an LU decomposition.

    The derivative is :math:`\det A \cdot A^{-T}`. Of a singular matrix the zeros in U are replaced by the dtype's
    epsilon first, so that the derivative is finite, and 0 where the determinant is exactly 0, as in torch.

    Args:
        A: (..., n, n), floating or complex.

    Returns:
        (...).

    Raises:
        RuntimeError: not a batch of square matrices, or integers.

    >>> jax.grad(det)(jnp.array([[1.0, 2.0], [2.0, 4.0]])).tolist()
    [[0.0, -0.0], [-0.0, 0.0]]

    Source: torch.linalg.det.
    """
    return _det(_square("linalg.det", A))


@jax.custom_jvp
def _slogdet(A: Array) -> tuple[Array, Array]:
    lu, pivots, _ = jax.lax.linalg.lu(A)
    diagonal = _diagonal(lu)
    size = jnp.abs(diagonal)
    unit = jnp.where(size == 0, 0, diagonal / jnp.where(size == 0, 1, size)).astype(A.dtype)
    return _parity(pivots, A.shape[-1]).astype(A.dtype) * jnp.prod(unit, -1), jnp.sum(jnp.log(size), -1)


@_slogdet.defjvp
def _slogdet_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Any, Any]:
    (A,), (t,) = primals, tangents
    sign, logabsdet = _slogdet(A)
    lu, _, permutation = jax.lax.linalg.lu(A)
    change = jnp.sum(jnp.swapaxes(_solve(lu, permutation), -1, -2) * t, (-1, -2))
    turn = sign * 1j * change.imag if jnp.iscomplexobj(A) else jnp.zeros_like(sign)
    return (sign, logabsdet), (turn.astype(sign.dtype), change.real)


@operation("LinalgSlogdetBackward0")
def slogdet(A: Inexact[Array, "*batch n n"]) -> SignedLog:
    r"""Mirror of ``torch.linalg.slogdet``: the sign of the determinant and the logarithm of its size.

    The derivative of the logarithm is :math:`A^{-T}`, infinite for a singular matrix.

    Args:
        A: (..., n, n), floating or complex.

    Returns:
        ``(sign, logabsdet)``, each (...); (0, -inf) for a singular matrix.

    Raises:
        RuntimeError: not a batch of square matrices, or integers.

    >>> [x.item() for x in slogdet(jnp.array([[2.0, 0.0], [0.0, -0.5]]))]
    [-1.0, 0.0]

    Source: torch.linalg.slogdet.
    """
    return SignedLog(*_slogdet(_square("linalg.slogdet", A)))


def logdet(input: Inexact[Array, "*batch n n"]) -> Inexact[Array, "*batch"]:
    """Mirror of ``torch.logdet``: the logarithm of the determinant; nan where it is negative, -inf where it is 0.

    Args:
        input: (..., n, n), floating.

    >>> logdet(jnp.eye(2)).item()
    0.0

    Source: torch.logdet.
    """
    sign, size = slogdet(input)
    return jnp.log(sign) + size if jnp.iscomplexobj(sign) else jnp.where(sign == -1, jnp.nan, size)


@castable("linalg_inv")
@operation("LinalgInvExBackward0")
def inv(A: Inexact[Array, "*batch n n"]) -> Inexact[Array, "*batch n n"]:
    """Mirror of ``torch.linalg.inv``: the inverse.

    A singular matrix raises; inside ``jit``, where nothing can be raised, infinities and nan come out.

    Args:
        A: (..., n, n), floating or complex.

    Returns:
        The shape and dtype of A.

    Raises:
        LinAlgError: ``linalg.inv: The diagonal element 2 is zero, ...``.
        RuntimeError: not a batch of square matrices.

    >>> inv(jnp.array([[2.0, 0.0], [0.0, 4.0]])).tolist()
    [[0.5, 0.0], [0.0, 0.25]]

    Source: torch.linalg.inv.
    """
    A = _square("linalg.inv", A)
    if not is_traced(A) and A.size:
        diagonals = np.asarray(_diagonal(jax.lax.linalg.lu(A)[0]))
        batch, place = _first(diagonals == 0)
        if place is not None:
            raise LinAlgError(
                f"linalg.inv: {_element(batch, A.ndim)}The diagonal element {place + 1} is zero, the inversion could "
                "not be completed because the input matrix is singular."
            )
    return jnp.linalg.inv(A)


@jax.custom_jvp
def _cholesky(A: Array) -> Array:
    return jnp.linalg.cholesky(jnp.tril(A) + _adjoint(jnp.tril(A, -1)), symmetrize_input=False)


@_cholesky.defjvp
def _cholesky_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    lower = _cholesky(*primals)
    solve = partial(jax.lax.linalg.triangular_solve, lower, lower=True)
    inner = solve(solve(tangents[0], left_side=True), left_side=False, transpose_a=True, conjugate_a=True)
    return lower, lower @ ((jnp.tril(inner) + jnp.tril(_adjoint(inner), -1)) / 2)


@castable("linalg_cholesky")
@operation("LinalgCholeskyExBackward0")
def cholesky(A: Inexact[Array, "*batch n n"], *, upper: bool = False) -> Inexact[Array, "*batch n n"]:
    r"""Mirror of ``torch.linalg.cholesky``: L with :math:`A = L L^H`.

    Only the lower triangle of A is read (``jnp.linalg.cholesky`` averages both); the gradient is symmetric, as in
    torch. A matrix that is not positive-definite raises; inside ``jit`` nan comes out.

    Args:
        A: (..., n, n), floating or complex.
        upper: reads the upper triangle and returns :math:`L^H`.

    Returns:
        L, or :math:`L^H` with ``upper``: the shape and dtype of A.

    Raises:
        LinAlgError: ``linalg.cholesky: The factorization could not be completed because ...``.
        RuntimeError: not a batch of square matrices.

    >>> cholesky(jnp.array([[4.0, 0.0], [2.0, 2.0]])).tolist()
    [[2.0, 0.0], [1.0, 1.0]]

    Source: torch.linalg.cholesky.
    """
    A = _square("linalg.cholesky", A)
    read = A + jax.lax.stop_gradient(_adjoint(A) - A) if upper else A  # torch's rule takes A itself in both cases
    lower = _cholesky(read)
    if not is_traced(A) and A.size:
        batch, place = _first(np.isnan(np.asarray(_diagonal(lower))))
        if place is not None:
            order = _failing_minor(np.asarray(read)[batch])
            raise LinAlgError(
                f"linalg.cholesky: {_element(batch, A.ndim)}The factorization could not be completed because the input "
                f"is not positive-definite (the leading minor of order {order} is not positive-definite)."
            )
    return _adjoint(lower) if upper else lower


def _square(name: str, A: Any) -> Array:
    A = jnp.asarray(A)
    if A.ndim < 2:
        raise RuntimeError(f"{name}: The input tensor A must have at least 2 dimensions.")
    if A.shape[-1] != A.shape[-2]:
        raise RuntimeError(
            f"{name}: A must be batches of square matrices, but they are {A.shape[-2]} by {A.shape[-1]} matrices"
        )
    if not jnp.issubdtype(A.dtype, jnp.inexact):
        raise RuntimeError(f"{name}: Expected a floating point or complex tensor as input. Got {torch_name(A.dtype)}")
    return A


def _adjoint(matrix: Array) -> Array:
    return jnp.conj(jnp.swapaxes(matrix, -1, -2))


def _diagonal(matrix: Array) -> Array:
    return jnp.diagonal(matrix, axis1=-2, axis2=-1)


def _on_diagonal(values: Array) -> Array:
    return values[..., None] * jnp.eye(values.shape[-1], dtype=values.dtype)[(None,) * (values.ndim - 1)]


def _parity(pivots: Array, n: int) -> Array:
    swaps = jnp.sum(pivots != jnp.broadcast_to(jnp.arange(n, dtype=pivots.dtype), pivots.shape), -1)
    return 1 - 2 * (swaps % 2)


def _solve(lu: Array, permutation: Array) -> Array:
    """The inverse from an LU decomposition."""
    eye = jnp.broadcast_to(jnp.eye(lu.shape[-1], dtype=lu.dtype), lu.shape)
    rows = jnp.take_along_axis(eye, permutation[..., :, None], axis=-2)
    lower = jax.lax.linalg.triangular_solve(lu, rows, left_side=True, lower=True, unit_diagonal=True)
    return jax.lax.linalg.triangular_solve(lu, lower, left_side=True, lower=False)


def _first(bad: np.ndarray) -> tuple[Any, int | None]:
    found = np.argwhere(bad)
    return ((), None) if not len(found) else (tuple(found[0][:-1]), int(found[0][-1]))


@castable("inverse")
def inverse(input: Inexact[Array, "*batch n n"]) -> Inexact[Array, "*batch n n"]:
    """Mirror of ``torch.inverse``: another name of :func:`inv`.

    >>> inverse(jnp.array([[2.0]])).item()
    0.5
    """
    return inv(input)


def _element(batch: tuple[int, ...], ndim: int) -> str:
    return f"(Batch element {batch[0]}): " if ndim > 2 else ""


def _failing_minor(matrix: np.ndarray) -> int:
    for order in range(1, len(matrix) + 1):
        try:
            np.linalg.cholesky(matrix[:order, :order])
        except np.linalg.LinAlgError:
            return order
    return len(matrix)
