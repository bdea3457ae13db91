"""Factorisations of matrices, and systems of equations solved by them. A singular matrix gives nan or infinities."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.lax import linalg as lax_linalg

import jaxgrad._tensor as tensor
from jaxgrad._core.types import Array


def _adjoint(x: Array) -> Array:
    return jnp.swapaxes(x, -1, -2).conj()


def _together(a: Array, b: Array) -> tuple[Array, Array]:
    """Both with the same axes before the last two."""
    lead = jnp.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return jnp.broadcast_to(a, (*lead, *a.shape[-2:])), jnp.broadcast_to(b, (*lead, *b.shape[-2:]))


def _no_error(x: Array) -> Array:
    return jnp.zeros(x.shape[:-2], jnp.int32)


def _lu(a: Array) -> tuple[Array, Array]:
    """Both triangles in one matrix, and the swapped rows counted from 1."""
    lu, pivots, _ = lax_linalg.lu(a)
    return lu, pivots + 1


def _order(pivots: Array, rows: int) -> Array:
    return lax_linalg.lu_pivots_to_permutation(pivots - 1, rows)


def _lu_factor(a: Array, *, pivot: bool = True, check_errors: bool = False) -> tuple[Array, Array, Array]:
    del check_errors
    if not pivot:
        raise NotImplementedError("a factorisation without exchanging rows")
    return *_lu(a), _no_error(a)


def _unpack(lu: Array, pivots: Array, data: bool = True, permutation: bool = True) -> tuple[Array, Array, Array]:
    rows, columns = lu.shape[-2:]
    small = min(rows, columns)
    p = lower = upper = jnp.zeros(0, lu.dtype)  # what is not asked for is empty
    if permutation:
        p = jnp.swapaxes(jnp.eye(rows, dtype=lu.dtype)[_order(pivots, rows)], -1, -2)
    if data:
        lower = jnp.tril(lu[..., :, :small], -1) + jnp.eye(rows, small, dtype=lu.dtype)
        upper = jnp.triu(lu[..., :small, :])
    return p, lower, upper


def _lu_solve(lu: Array, pivots: Array, b: Array, *, left: bool = True, adjoint: bool = False) -> Array:
    if not left:
        return _adjoint(_lu_solve(lu, pivots, _adjoint(b), adjoint=not adjoint))
    lu, b = _together(lu, b)
    order = jnp.broadcast_to(_order(pivots, lu.shape[-1]), lu.shape[:-1])[..., None]
    solve = partial(lax_linalg.triangular_solve, lu, left_side=True)
    if not adjoint:
        b = jnp.take_along_axis(b, order, -2)
        return solve(solve(b, lower=True, unit_diagonal=True), lower=False)
    back = partial(solve, transpose_a=True, conjugate_a=True)
    return jnp.take_along_axis(
        back(back(b, lower=False), lower=True, unit_diagonal=True), jnp.argsort(order, axis=-2), -2
    )


def _solve(a: Array, b: Array, *, left: bool = True, check_errors: bool = False) -> tuple[Array, Array, Array, Array]:
    del check_errors
    lu, pivots = _lu(a)
    vector = b.ndim == 1 or (a.ndim - 1 == b.ndim and b.shape == a.shape[:-1])
    columns = b[..., None] if vector else b
    found = _lu_solve(lu, pivots, columns, left=left or vector)
    return found[..., 0] if vector else found, lu, pivots, _no_error(a)


def _inverse(a: Array, *, check_errors: bool = False) -> tuple[Array, Array]:
    del check_errors
    return jnp.linalg.inv(a), _no_error(a)


def _cholesky(a: Array, upper: bool = False) -> Array:
    lower = lax_linalg.cholesky(_adjoint(a) if upper else a, symmetrize_input=False)
    return _adjoint(lower) if upper else lower


def _cholesky_ex(a: Array, *, upper: bool = False, check_errors: bool = False) -> tuple[Array, Array]:
    del check_errors
    return _cholesky(a, upper), _no_error(a)


def _cholesky_solve(b: Array, factor: Array, upper: bool = False) -> Array:
    factor, b = _together(_adjoint(factor) if upper else factor, b)
    solve = partial(lax_linalg.triangular_solve, factor, left_side=True, lower=True)
    return solve(solve(b), transpose_a=True, conjugate_a=True)


def _solve_triangular(
    a: Array, b: Array, *, upper: bool, left: bool = True, unitriangular: bool = False, transpose: bool = False
) -> Array:
    a, b = _together(a, b)
    return lax_linalg.triangular_solve(
        a, b, left_side=left, lower=not upper, unit_diagonal=unitriangular, transpose_a=transpose
    )


def _triangular(
    b: Array, a: Array, upper: bool = True, transpose: bool = False, unitriangular: bool = False
) -> tuple[Array, Array]:
    return _solve_triangular(a, b, upper=upper, unitriangular=unitriangular, transpose=transpose), a


def _eigh(a: Array, UPLO: str = "L", compute_v: bool = True) -> tuple[Array, Array]:
    vectors, values = lax_linalg.eigh(a, lower=UPLO.upper() == "L", symmetrize_input=False)
    return values, vectors


def _svd(a: Array, full_matrices: bool = False, compute_uv: bool = True, *, driver: Any = None) -> tuple[Array, ...]:
    del driver
    if not compute_uv:
        empty = jnp.zeros((0,), a.dtype)
        return empty, jnp.linalg.svd(a, compute_uv=False), empty
    return tuple(jnp.linalg.svd(a, full_matrices=full_matrices))


def _qr(a: Array, mode: str = "reduced") -> tuple[Array, Array]:
    if mode == "r":
        return jnp.zeros((0,), a.dtype), jnp.linalg.qr(a, mode="r")
    q, r = jnp.linalg.qr(a, mode=mode)
    return q, r


def _pseudo_inverse(a: Array, *, atol: Any = None, rtol: Any = None, hermitian: bool = False) -> Array:
    if atol is None and rtol is None:
        return jnp.linalg.pinv(a, hermitian=hermitian)
    u, s, vh = jnp.linalg.svd(a, full_matrices=False)
    limit = jnp.maximum(0 if atol is None else jnp.asarray(atol), (0 if rtol is None else rtol) * s[..., :1].max(-1))
    kept = s > limit[..., None]
    return _adjoint(vh) @ (jnp.where(kept, 1 / jnp.where(kept, s, 1), 0)[..., None] * _adjoint(u))


TABLE: dict[str, Callable[..., Any]] = {
    "_linalg_det": lambda a: (tensor.det(a), *_lu(a)),
    "_linalg_slogdet": lambda a: (*tensor.slogdet(a), *_lu(a)),
    "_linalg_solve_ex": _solve,
    "linalg_lu_factor_ex": _lu_factor,
    "linalg_lu": lambda a, pivot=True: _unpack(*_lu(a)),
    "lu_unpack": _unpack,
    "linalg_lu_solve": _lu_solve,
    "linalg_inv_ex": _inverse,
    "linalg_cholesky_ex": _cholesky_ex,
    "cholesky": _cholesky,
    "cholesky_solve": _cholesky_solve,
    "cholesky_inverse": lambda x, upper=False: _cholesky_solve(jnp.eye(x.shape[-1], dtype=x.dtype), x, upper),
    "linalg_solve_triangular": _solve_triangular,
    "triangular_solve": _triangular,
    "_linalg_eigh": _eigh,
    "_linalg_svd": _svd,
    "linalg_qr": _qr,
    "linalg_matrix_exp": jax.scipy.linalg.expm,
    "linalg_householder_product": lax_linalg.householder_product,
    "linalg_pinv.atol_rtol_tensor": _pseudo_inverse,
    "linalg_pinv.atol_rtol_float": _pseudo_inverse,
}
