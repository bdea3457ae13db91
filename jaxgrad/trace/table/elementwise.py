"""Arithmetic, comparison and functions of one element."""

import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

import jaxgrad._tensor as tensor
from jaxgrad._core.dtypes import common_dtype
from jaxgrad._core.types import Array
from jaxgrad.trace.table.align import dtype_of, elementwise


def _scaled_sum(a: Any, b: Any, alpha: Any = 1) -> Any:
    return a + (b if alpha == 1 else alpha * b)


def _scaled_difference(a: Any, b: Any, alpha: Any = 1) -> Any:
    return a - (b if alpha == 1 else alpha * b)


def _divide(a: Any, b: Any, rounding_mode: str | None = None) -> Any:
    if rounding_mode == "floor":
        return jnp.floor_divide(a, b)
    if rounding_mode == "trunc":
        integers = not jnp.issubdtype(common_dtype(a, b), jnp.inexact)
        return jax.lax.div(*jnp.broadcast_arrays(jnp.asarray(a), jnp.asarray(b))) if integers else jnp.trunc(a / b)
    return jnp.true_divide(a, b)


def _power(x: Any, p: Any) -> Any:
    if isinstance(p, int | float) and p == 2:
        return x * x
    if isinstance(p, int | float) and p == 0.5:
        return jnp.sqrt(x)
    return jnp.power(x, int(p) if isinstance(p, float) and p.is_integer() and abs(p) < 64 else p)


def _cast(x: Any, dtype: Any = None, **_: Any) -> Any:
    return x if dtype is None else x.astype(dtype_of(dtype))


def _same(x: Any, *_: Any, **__: Any) -> Any:
    return x


def _copied(x: Array, src: Array, *_: Any) -> Array:
    return jnp.broadcast_to(src, x.shape).astype(x.dtype)


def _remainder(x: Any, y: Any) -> Any:
    return jnp.remainder(x, y)


def _clamp(x: Any, low: Any = None, high: Any = None) -> Any:
    return x if low is None and high is None else tensor.clamp(x, low, high)


def _both(name: str, fn: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    return {f"{name}.{kind}": elementwise(fn) for kind in ("Tensor", "Scalar")}


def _unary(**functions: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    return dict(functions)


TABLE: dict[str, Callable[..., Any]] = {
    **_both("add", _scaled_sum),
    **_both("sub", _scaled_difference),
    **_both("mul", operator.mul),
    **_both("div", _divide),
    "div.Tensor_mode": elementwise(_divide),
    "div.Scalar_mode": elementwise(_divide),
    "rsub.Scalar": lambda x, y, alpha=1: y - alpha * x,
    "floor_divide": elementwise(jnp.floor_divide),
    **_both("remainder", _remainder),
    **_both("fmod", jnp.fmod),
    "pow.Tensor_Scalar": _power,
    "pow.Tensor_Tensor": elementwise(jnp.power),
    "pow.Scalar": jnp.power,
    "atan2": elementwise(tensor.atan2),
    "maximum": elementwise(jnp.maximum),
    "minimum": elementwise(jnp.minimum),
    "clamp": _clamp,
    "clamp.Tensor": _clamp,
    "clamp_min": lambda x, low: _clamp(x, low),
    "clamp_max": lambda x, high: _clamp(x, None, high),
    **_both("eq", operator.eq),
    **_both("ne", operator.ne),
    **_both("lt", operator.lt),
    **_both("le", operator.le),
    **_both("gt", operator.gt),
    **_both("ge", operator.ge),
    "logical_and": elementwise(jnp.logical_and),
    "logical_or": elementwise(jnp.logical_or),
    "logical_xor": elementwise(jnp.logical_xor),
    "logical_not": jnp.logical_not,
    "bitwise_not": jnp.bitwise_not,
    **_both("bitwise_and", jnp.bitwise_and),
    **_both("bitwise_or", jnp.bitwise_or),
    **_both("bitwise_xor", jnp.bitwise_xor),
    "where.self": elementwise(jnp.where, apart=1),
    "where.ScalarOther": elementwise(jnp.where, apart=1),
    "where.ScalarSelf": elementwise(jnp.where, apart=1),
    **_unary(
        neg=operator.neg,
        abs=jnp.abs,
        sign=tensor.sign,
        sgn=tensor.sgn,
        exp=jnp.exp,
        exp2=jnp.exp2,
        expm1=jnp.expm1,
        log=jnp.log,
        log2=jnp.log2,
        log10=jnp.log10,
        log1p=jnp.log1p,
        sqrt=jnp.sqrt,
        rsqrt=jax.lax.rsqrt,
        reciprocal=jnp.reciprocal,
        sin=jnp.sin,
        cos=jnp.cos,
        tan=jnp.tan,
        asin=jnp.arcsin,
        acos=jnp.arccos,
        atan=jnp.arctan,
        sinh=jnp.sinh,
        cosh=jnp.cosh,
        tanh=jnp.tanh,
        asinh=jnp.arcsinh,
        acosh=jnp.arccosh,
        atanh=jnp.arctanh,
        erf=jax.lax.erf,
        erfc=jax.lax.erfc,
        erfinv=jax.lax.erf_inv,
        floor=jnp.floor,
        ceil=jnp.ceil,
        round=jnp.round,
        trunc=jnp.trunc,
        isnan=jnp.isnan,
        isinf=jnp.isinf,
        sigmoid=jax.nn.sigmoid,
        lgamma=tensor.lgamma,
        digamma=tensor.digamma,
    ),
    "_to_copy": _cast,
    "copy": _copied,
    "alias": _same,
    "detach": _same,
    "clone": _same,
    "lift_fresh_copy": _same,
    "contiguous": _same,
    "_assert_tensor_metadata": _same,
    "_conj": jnp.conj,
    "_conj_physical": jnp.conj,
    "conj_physical": jnp.conj,
    "resolve_conj": _same,
    "resolve_neg": _same,
    "_neg_view": operator.neg,
    "bitwise_left_shift.Tensor": elementwise(jnp.left_shift),
    "bitwise_left_shift.Tensor_Scalar": elementwise(jnp.left_shift),
    "bitwise_right_shift.Tensor": elementwise(jnp.right_shift),
    "bitwise_right_shift.Tensor_Scalar": elementwise(jnp.right_shift),
    "rsub.Tensor": elementwise(lambda x, y, alpha=1: y - alpha * x),
    "remainder.Scalar_Tensor": elementwise(_remainder),
    "where.Scalar": elementwise(jnp.where),
}
