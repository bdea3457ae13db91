r"""What the norms of this package share: :math:`\hat x = (x - \mu) / \sqrt{\sigma^2 + \epsilon}`, then scale and shift.

The mean is taken in two passes and so is the variance, of differences from the mean: sums of squares lose everything at
a large mean. 16-bit inputs are computed in float32 and rounded once, at the end.
"""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.dtype_names import torch_name
from jaxgrad._core.dtypes import opmath_dtype
from jaxgrad._core.errors import explain
from jaxgrad._core.types import Array


@partial(jax.custom_jvp, nondiff_argnums=(1, 2, 3))
def standardize(x: Array, axes: tuple[int, ...], eps: float, axis_name: Any = None) -> tuple[Array, Array, Array]:
    r""":math:`(x - \mu) / \sqrt{\sigma^2 + \epsilon}`, with the mean and the biased variance (axes kept, of size one).

    Args:
        x: of a dtype wide enough to sum in.
        axes: what is summed over.
        eps: added to the variance.
        axis_name: axes of a mesh (or of ``vmap``) that are summed over as well.
    """
    n = count(x, axes, axis_name)
    total = partial(_total, axes=axes, axis_name=axis_name)
    mean = total(x) / n
    centred = x - mean
    slip = total(centred) / n  # what the first sum has lost in rounding
    centred = centred - slip
    var = total(jnp.square(centred)) / n
    return centred * jax.lax.rsqrt(var + eps), mean + slip, var


@standardize.defjvp
def _standardize_jvp(axes: tuple[int, ...], eps: float, axis_name: Any, primals: Any, tangents: Any) -> Any:
    r"""With :math:`\dot y = (n \dot x - \sum \dot x - y \sum y \dot x) / (n \sigma)`, its transpose is torch's."""
    (x,), (x_dot,) = primals, tangents
    y, mean, var = standardize(x, axes, eps, axis_name)
    n = count(x, axes, axis_name)
    total = partial(_total, axes=axes, axis_name=axis_name)
    summed = total(x_dot)
    y_dot = (n * x_dot - summed - y * total(y * x_dot)) * (jax.lax.rsqrt(var + eps) / n)
    return (y, mean, var), (y_dot, summed / n, 2 * total((x - mean) * x_dot) / n)


def count(x: Array, axes: tuple[int, ...], axis_name: Any = None) -> Any:
    """The number of values that a sum runs over, in the dtype of ``x``."""
    n: Any = np.asarray(math.prod(x.shape[axis] for axis in axes), x.dtype)
    return n if axis_name is None else jax.lax.psum(n, axis_name)


def _total(value: Array, axes: tuple[int, ...], axis_name: Any) -> Array:
    value = jnp.sum(value, axis=axes, keepdims=True)
    return value if axis_name is None else jax.lax.psum(value, axis_name)


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
    wrong = [each for each in given if each.dtype != input.dtype]
    if not wrong:
        return
    if given[0].dtype == input.dtype:  # by the first one torch chooses its kernel
        sentence = f"expected scalar type {torch_name(input.dtype)} but found {torch_name(wrong[0].dtype)}"
    elif any(each.dtype != jnp.float32 for each in given):
        sentence = "mixed dtype (CPU): expect parameter to have scalar type of Float"
    elif opmath_dtype(input.dtype) == input.dtype:
        sentence = "mixed dtype (CPU): all inputs must share same datatype."
    else:
        return
    raise RuntimeError(
        explain(
            sentence,
            got=f"input {input.dtype}, parameters {', '.join(str(each.dtype) for each in given)}",
            remedy=f"input.astype({given[0].dtype})",
        )
    )
