r"""What the norms of this package share: :math:`\hat x = (x - \mu) / \sqrt{\sigma^2 + \epsilon}`, then scale and shift.

The mean is taken in two passes and so is the variance, of differences from the mean: sums of squares lose everything at
a large mean. 16-bit inputs are computed in float32 and rounded once, at the end.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.dtype_names import torch_name
from jaxgrad._core.dtypes import opmath_dtype
from jaxgrad._core.errors import explain
from jaxgrad._core.types import Array


def moments(x: Array, axes: tuple[int, ...], axis_name: Any = None) -> tuple[Array, Array, Array]:
    """Mean, biased variance (axes kept, of size one), and the number of values in each.

    Args:
        x: of a dtype wide enough to sum in.
        axes: what is summed over.
        axis_name: axes of a mesh (or of ``vmap``) that are summed over as well.
    """
    count: Any = math.prod(x.shape[axis] for axis in axes)

    def total(value: Array) -> Array:
        value = jnp.sum(value, axis=axes, keepdims=True)
        return value if axis_name is None else jax.lax.psum(value, axis_name)

    if axis_name is not None:
        count = jax.lax.psum(count, axis_name)
    n = jnp.asarray(count, x.dtype)
    mean = total(x) / n
    centred = x - mean
    slip = jax.lax.stop_gradient(total(centred) / n)  # what the first sum has lost in rounding
    return mean + slip, total(jnp.square(centred - slip)) / n, n


def standardize(x: Array, mean: Array, var: Array, eps: float) -> Array:
    """``(x - mean) / sqrt(var + eps)``."""
    return (x - mean) * jax.lax.rsqrt(var + eps)


def widen(*arrays: Array | None) -> list[Any]:
    """Each in the dtype in which torch sums it; None stays None."""
    return [None if each is None else each.astype(opmath_dtype(each.dtype)) for each in arrays]


def affine(x: Array, weight: Array | None, bias: Array | None) -> Array:
    """``x * weight + bias``, for what of both is given, in shapes that already fit."""
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def check_dtypes(input: Array, kernel: str, *parameters: Array | None) -> None:
    """Torch's rule on CPU: parameters have the input's dtype, or are float32 all of them beside a 16-bit input.

    Raises:
        NotImplementedError: an input that is not real floating point.
        RuntimeError: dtypes that do not go together.
    """
    if not jnp.issubdtype(input.dtype, jnp.floating):
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{torch_name(input.dtype)}'")
    given = [each for each in parameters if each is not None]
    if all(each.dtype == input.dtype for each in given):
        return
    if opmath_dtype(input.dtype) == input.dtype:
        sentence = "mixed dtype (CPU): all inputs must share same datatype."
    elif any(each.dtype != jnp.float32 for each in given):
        sentence = "mixed dtype (CPU): expect parameter to have scalar type of Float"
    else:
        return
    raise RuntimeError(
        explain(
            sentence,
            got=f"input {input.dtype}, parameters {', '.join(str(each.dtype) for each in given)}",
            remedy=f"input.astype({given[0].dtype})",
        )
    )
