"""Torch's elementwise operations as its optimizers use them, with their order of rounding.

A rule written with them reads like torch's and rounds like torch's: each operation computes in the tensor's
arithmetic dtype (float32 for the 16-bit ones) and rounds once to the dtype of its first argument. Scalars come in the
arithmetic dtype. What a compiler still does in float32: fuse a product into a sum, as torch's kernels do in ``lerp``
and ``addcmul``; multiply by the inverse of a scalar divisor, as they do not.

Of 16-bit tensors the results are torch's bit for bit wherever its CPU kernels fill whole vector registers. In what is
left over at the end of a tensor two of its kernels round once more than here: ``add`` after the product with alpha,
``rsqrt`` after the root.
"""

from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.rounding import nearest
from jaxgrad._core.types import Array

Scalar: TypeAlias = Array | float


def arithmetic_dtype(dtype: np.dtype) -> np.dtype:
    """The real dtype in which torch computes on tensors of ``dtype``.

    >>> arithmetic_dtype(jnp.dtype(jnp.bfloat16)), arithmetic_dtype(jnp.dtype("complex64"))
    (dtype('float32'), dtype('float32'))
    """
    return np.dtype(np.float64) if dtype in (jnp.float64, jnp.complex128) else np.dtype(np.float32)


def _wide(*arrays: Array) -> list[Array]:
    return [array.astype(arithmetic_dtype(array.dtype)) for array in arrays]


def rounded(value: Array, like: Array) -> Array:
    """The rounding at the end of one operation; a compiler may not drop it, as it may drop a pair of casts."""
    return value if value.dtype == like.dtype else nearest(value, like.dtype).astype(like.dtype)


def _in_dtype_of(a: Array, value: Scalar) -> Scalar:
    """The scalar of an addition, which torch rounds to the tensor's dtype first; the other operations do not."""
    if a.dtype == arithmetic_dtype(a.dtype):
        return value
    return nearest(jnp.asarray(value, jnp.float32), a.dtype)


def element(value: Array, like: Array) -> Array:
    """A scalar as an element of a tensor (``torch.full_like(like, value)`` of one element)."""
    return rounded(value.astype(arithmetic_dtype(like.dtype)), like)


def add(a: Array, b: Array, alpha: Scalar) -> Array:
    """``a + alpha * b`` (``a.add(b, alpha=alpha)``)."""
    x, y = _wide(a, b)
    return rounded(x + _in_dtype_of(a, alpha) * y, a)


def plus(a: Array, value: Scalar) -> Array:
    """``a + value``, with a tensor or a scalar (``a.add(value)``)."""
    (x,) = _wide(a)
    return rounded(x + _in_dtype_of(a, value), a)


def sub(a: Array, b: Array) -> Array:
    """``a - b`` (``a.sub(b)``)."""
    x, y = _wide(a, b)
    return rounded(x - y, a)


def mul(a: Array, value: Array) -> Array:
    """``a * value``, with a tensor or a scalar (``a.mul(value)``)."""
    (x,) = _wide(a)
    return rounded(x * value.astype(x.dtype), a)


def div(a: Array, value: Array) -> Array:
    """``a / value``, with a tensor or a scalar (``a.div(value)``)."""
    (x,) = _wide(a)
    y = value.astype(x.dtype)
    if y.ndim or x.dtype != a.dtype:
        y = jnp.where(x == x, y, jnp.nan)  # neither a root nor a scalar, by whose inverse a compiler would multiply
    return rounded(x / y, a)


def sign(a: Array) -> Array:
    """``a.sign()``, which is 0 of nan."""
    return jnp.where(a > 0, jnp.ones_like(a), jnp.where(a < 0, -jnp.ones_like(a), jnp.zeros_like(a)))


def sqrt(a: Array) -> Array:
    """``a.sqrt()``."""
    (x,) = _wide(a)
    return rounded(jnp.sqrt(x), a)


def rsqrt(a: Array) -> Array:
    """``a.rsqrt()``."""
    (x,) = _wide(a)
    return rounded(jax.lax.rsqrt(x), a)


def lerp(a: Array, b: Array, weight: Array) -> Array:
    """``a + weight * (b - a)``, from the nearer end as torch does (``a.lerp(b, weight)``): exactly b for weight 1."""
    x, y = _wide(a, b)
    near_a = jnp.abs(weight) < 0.5
    return rounded(jnp.where(near_a, x, y) + jnp.where(near_a, weight, weight - 1) * (y - x), a)


def addcmul(a: Array, b: Array, c: Array, value: Scalar) -> Array:
    """``a + value * b * c`` (``a.addcmul(b, c, value=value)``)."""
    x, y, z = _wide(a, b, c)
    return rounded(x + value * y * z, a)


def addcdiv(a: Array, b: Array, c: Array, value: Scalar) -> Array:
    """``a + value * b / c`` (``a.addcdiv(b, c, value=value)``)."""
    x, y, z = _wide(a, b, c)
    return rounded(x + value * y / z, a)


def decayed(grad: Array, param: Array, weight_decay: Array, *, stored: bool = False) -> Array:
    """The L2 penalty in the gradient, ``grad + weight_decay * param``; untouched if there is none, as in torch.

    A value of two tensors that several loops read is written to memory by XLA, another pass over it. Unless it is to be
    ``stored``, a last operation on one tensor, which changes nothing, makes XLA compute it anew in each of the loops.
    """
    penalized = jnp.where(weight_decay != 0, add(grad, param, weight_decay), grad)
    return penalized if stored else jnp.where(weight_decay == weight_decay, penalized, jnp.nan)


def decay_factor(lr: Any, weight_decay: Any) -> Any:
    """What decoupled weight decay multiplies by, ``1 - lr * weight_decay``; 1 if there is none, whatever the lr."""
    return jnp.where(weight_decay != 0, 1 - lr * weight_decay, 1.0)


def scalar_over(value: Array, a: Array) -> Array:
    """``value / a`` for a scalar ``value``, which torch computes as ``a.reciprocal() * value``."""
    (x,) = _wide(a)
    return mul(rounded(1 / x, a), value)


def mean(a: Array, axis: int) -> Array:
    """The mean along one axis that is kept (``a.mean(dim, keepdim=True)``)."""
    (x,) = _wide(a)
    return rounded(jnp.mean(x, axis=axis, keepdims=True), a)


def norm(a: Array, axis: int | None = None) -> Array:
    """The 2-norm of a tensor, or along one axis that is kept (``a.norm()``, ``torch.norm(a, dim, keepdim=True)``)."""
    (x,) = _wide(a)
    return rounded(jnp.sqrt(jnp.sum(x * x, axis=axis, keepdims=axis is not None)), a)
