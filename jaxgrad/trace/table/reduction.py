"""Sums, means, extremes and order along axes."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

import jaxgrad._tensor as tensor
from jaxgrad._core.types import Array
from jaxgrad.trace.table.align import dtype_of


def _over(fn: Callable[..., Any]) -> Callable[..., Any]:
    def call(x: Array, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Array:
        axes = None if dim is None or (not isinstance(dim, int) and not len(dim)) else dim
        axes = tuple(axes) if isinstance(axes, list) else axes
        if x.ndim == 0:
            axes = None
        return fn(x if dtype is None else x.astype(dtype_of(dtype)), axis=axes, keepdims=keepdim)

    return call


def _sum_of(x: Array, axis: Any, keepdims: bool) -> Array:
    wide = x.astype(dtype_of("int64")) if not jnp.issubdtype(x.dtype, jnp.inexact) else x
    return jnp.sum(wide, axis=axis, keepdims=keepdims)


def _mean_of(x: Array, axis: Any, keepdims: bool) -> Array:
    total = jnp.sum(x, axis=axis, keepdims=keepdims)
    return total / (x.size // max(total.size, 1) if x.size else 0)


def _var(x: Array, dim: Any = None, correction: Any = 1, keepdim: bool = False) -> Array:
    return tensor.var(x, dim, keepdim=keepdim, correction=correction)


def _var_mean(x: Array, dim: Any = None, correction: Any = 1, keepdim: bool = False) -> tuple[Array, Array]:
    spread, mean = tensor.var_mean(x, dim, keepdim=keepdim, correction=correction)
    return spread, mean


def _cumulative(fn: Callable[..., Any]) -> Callable[..., Any]:
    def call(x: Array, dim: int, dtype: Any = None) -> Array:
        x = x if dtype is None else x.astype(dtype_of(dtype))
        return fn(x, axis=dim) if x.ndim else x

    return call


def _argument(fn: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, dim=None, keepdim=False: fn(x, axis=dim, keepdims=keepdim)


def _logsumexp(x: Array, dim: Any, keepdim: bool = False) -> Array:
    return jax.scipy.special.logsumexp(x, axis=tuple(dim), keepdims=keepdim)


def _searched(
    edges: Array, x: Any, *, out_int32: bool = False, right: bool = False, side: str | None = None, sorter: Any = None
) -> Array:
    """Rows of the last axis are searched one by one; the dtype follows from the node's."""
    del out_int32
    edges = edges if sorter is None else jnp.take_along_axis(edges, sorter, -1)
    where = side or ("right" if right else "left")
    x = jnp.asarray(x)
    if edges.ndim == 1:
        return jnp.searchsorted(edges, x, side=where)
    rows = zip(edges.reshape(-1, edges.shape[-1]), x.reshape(-1, x.shape[-1]), strict=True)
    return jnp.stack([jnp.searchsorted(row, values, side=where) for row, values in rows]).reshape(x.shape)


def _histogram(x: Array, bins: int = 100, min: Any = 0, max: Any = 0) -> Array:
    low, high = (jnp.min(x), jnp.max(x)) if min == max else (jnp.asarray(min, x.dtype), jnp.asarray(max, x.dtype))
    low, high = jnp.where(low == high, low - 1, low), jnp.where(low == high, high + 1, high)
    place = jnp.minimum(((x - low) * bins / (high - low)).astype(jnp.int32), bins - 1)
    inside = (x >= low) & (x <= high)
    return jnp.zeros(bins, x.dtype).at[place.ravel()].add(inside.ravel().astype(x.dtype))


def _isin(x: Any, among: Any, *, assume_unique: bool = False, invert: bool = False) -> Array:
    return jnp.isin(jnp.asarray(x), jnp.asarray(among), assume_unique=assume_unique, invert=invert)


TABLE: dict[str, Callable[..., Any]] = {
    "sum": lambda x, dtype=None: _over(_sum_of)(x, dtype=dtype),
    "sum.dim_IntList": _over(_sum_of),
    "mean": lambda x, dtype=None: _over(_mean_of)(x, dtype=dtype),
    "mean.dim": _over(_mean_of),
    "prod": lambda x, dtype=None: _over(jnp.prod)(x, dtype=dtype),
    "prod.dim_int": _over(jnp.prod),
    "any": jnp.any,
    "any.dim": _over(jnp.any),
    "any.dims": _over(jnp.any),
    "all": jnp.all,
    "all.dim": _over(jnp.all),
    "amax": _over(jnp.max),
    "amin": _over(jnp.min),
    "max": jnp.max,
    "min": jnp.min,
    "max.dim": tensor.max,
    "min.dim": tensor.min,
    "argmax": _argument(jnp.argmax),
    "argmin": _argument(jnp.argmin),
    "var": lambda x, unbiased=True: _var(x, None, int(unbiased)),
    "var.dim": lambda x, dim, unbiased=True, keepdim=False: _var(x, dim, int(unbiased), keepdim),
    "var.correction": _var,
    "var_mean.correction": _var_mean,
    "cumsum": _cumulative(jnp.cumsum),
    "cumprod": _cumulative(jnp.cumprod),
    "logsumexp": _logsumexp,
    "sort": tensor.sort,
    "sort.stable": lambda x, stable=None, dim=-1, descending=False: tensor.sort(x, dim, descending),
    "topk": tensor.topk,
    "median": tensor.median,
    "median.dim": tensor.median,
    "nanmedian": tensor.nanmedian,
    "nanmedian.dim": tensor.nanmedian,
    "kthvalue": tensor.kthvalue,
    "mode": tensor.mode,
    "cummax": tensor.cummax,
    "cummin": tensor.cummin,
    "logcumsumexp": _cumulative(jax.lax.cumlogsumexp),
    "aminmax": lambda x, dim=None, keepdim=False: tensor.aminmax(x, dim=dim, keepdim=keepdim),
    "argsort": lambda x, dim=-1, descending=False: tensor.sort(x, dim, descending)[1],
    "count_nonzero": lambda x, dim=None: jnp.count_nonzero(x, axis=dim),
    "count_nonzero.dim_IntList": lambda x, dim: jnp.count_nonzero(x, axis=tuple(dim)),
    "searchsorted.Tensor": _searched,
    "searchsorted.Scalar": _searched,
    "bucketize.Tensor": lambda x, edges, **sides: _searched(edges, x, **sides),
    "bucketize.Scalar": lambda x, edges, **sides: _searched(edges, x, **sides),
    "histc": _histogram,
    "isin.Tensor_Tensor": _isin,
    "isin.Tensor_Scalar": _isin,
    "isin.Scalar_Tensor": _isin,
}
