r"""Normalisation of every sample over its last axes.

.. math:: \text{layer:}\quad y = \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}}\, \gamma + \beta, \qquad
          \text{rms:}\quad y = \frac{x}{\sqrt{\overline{x^2} + \epsilon}}\, \gamma
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Float, Inexact, Num

from jaxgrad._core.castable import castable
from jaxgrad._core.diagnosis import diagnosed
from jaxgrad._core.dtype_names import torch_name
from jaxgrad._core.dtypes import opmath_dtype, wider_dtype
from jaxgrad._core.errors import explain
from jaxgrad._core.operations import operation
from jaxgrad._core.types import Array
from jaxgrad._jaxpr.in_memory import in_memory
from jaxgrad.nn.functional.normalization.standardize import affine, check_dtypes, standardize, widen


@castable("layer_norm")
@operation("NativeLayerNormBackward0")
def layer_norm(
    input: Float[Array, "*shape"],
    normalized_shape: Sequence[int],
    weight: Float[Array, "*normalized"] | None = None,
    bias: Float[Array, "*normalized"] | None = None,
    eps: float = 1e-5,
) -> Float[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.layer_norm`` (the formula is in the module's docstring).

    Differs from ``flax.nnx.LayerNorm``: eps is 1e-5 (flax 1e-6), several axes may be normalised at once, and the
    variance is taken in two passes.

    Args:
        input: (\*, \*normalized_shape), floating.
        normalized_shape: the sizes of the last axes, which are normalised together.
        weight: of that shape, or None for ones.
        bias: of that shape, or None for zeros.
        eps: added to the (biased) variance.

    Returns:
        The input's shape and dtype.

    Raises:
        RuntimeError: shapes that do not fit, in torch's words.
        TypeError: ``normalized_shape`` is a number.

    >>> layer_norm(jnp.array([[1.0, 3.0], [2.0, 2.0]]), (2,)).round(3).tolist()
    [[-1.0, 1.0], [0.0, 0.0]]

    Source: Ba et al., 2016; torch/nn/functional.py, ``layer_norm``.
    """
    input = jnp.asarray(input)
    weight, bias = (None if each is None else jnp.asarray(each) for each in (weight, bias))
    shape = _checked_shape("layer_norm", input, normalized_shape, weight=weight, bias=bias)
    check_dtypes(input, "LayerNormKernelImpl", weight, bias)
    x, weight, bias = widen(in_memory(input), *(_under(each, input.ndim) for each in (weight, bias)))
    y, _, _ = standardize(x, tuple(range(input.ndim - len(shape), input.ndim)), eps)
    return affine(y, weight, bias).astype(input.dtype)


@diagnosed
@castable("rms_norm")
def rms_norm(
    input: Inexact[Array, "*shape"],
    normalized_shape: Sequence[int],
    weight: Num[Array, "*normalized"] | None = None,
    eps: float | None = None,
) -> Inexact[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.rms_norm`` (the formula is in the module's docstring).

    Differs from ``flax.nnx.RMSNorm``: eps defaults to the distance from 1 to the next number of the dtype in which the
    mean is taken (float32 for 16-bit inputs), 1.2e-7 in float32 and 2.2e-16 in float64.

    Args:
        input: (\*, \*normalized_shape), floating or complex.
        normalized_shape: the sizes of the last axes, which are normalised together.
        weight: of that shape, or None for ones.
        eps: added to the mean of squares; None as said above.

    Returns:
        The input's shape and dtype.

    Raises:
        RuntimeError: shapes that do not fit, in torch's words.

    >>> [f"{y:.2f}" for y in rms_norm(jnp.array([3.0, 4.0]), (2,))]
    ['0.85', '1.13']

    Source: Zhang and Sennrich, 2019; torch/nn/functional.py, ``rms_norm``.
    """
    input, weight = jnp.asarray(input), None if weight is None else jnp.asarray(weight)
    shape = _checked_shape("rms_norm", input, normalized_shape, weight=weight)
    if not jnp.issubdtype(input.dtype, jnp.inexact):
        raise NotImplementedError(f"\"rms_norm\" not implemented for '{torch_name(input.dtype)}'")
    axes = tuple(range(input.ndim - len(shape), input.ndim))
    x, weight_wide = widen(in_memory(input), _under(weight, input.ndim))
    eps = float(jnp.finfo(opmath_dtype(input.dtype)).eps) if eps is None else eps
    y = x * jax.lax.rsqrt(jnp.mean(x * x, axis=axes, keepdims=True) + eps)
    out = input.dtype if weight is None else wider_dtype(input.dtype, _not_wider(weight.dtype, input.dtype))
    return affine(y, weight_wide, None).astype(out)


def _not_wider(weight: Any, input: Any) -> Any:
    """A float32 weight does not widen a 16-bit input; other dtypes are promoted."""
    return input if opmath_dtype(input) == weight else weight


def _under(parameter: Array | None, ndim: int) -> Array | None:
    """A parameter of the last axes with axes of size one before them."""
    return None if parameter is None else parameter.reshape((1,) * (ndim - parameter.ndim) + parameter.shape)


def _checked_shape(name: str, input: Array, normalized_shape: Any, **parameters: Array | None) -> tuple[int, ...]:
    if isinstance(normalized_shape, int):
        raise TypeError(
            explain(
                f"{name}(): argument 'normalized_shape' (position 2) must be tuple of ints, not int",
                remedy=f"({normalized_shape},)",
            )
        )
    shape = tuple(int(n) for n in normalized_shape)
    if not shape:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, "
            f"but got normalized_shape = {list(shape)}"
        )
    for label, value in parameters.items():
        if value is not None and value.shape != shape:
            raise RuntimeError(
                f"Expected {label} to be of same shape as normalized_shape, but got {label} of shape "
                f"{list(value.shape)} and normalized_shape = {list(shape)}"
            )
    if input.ndim < len(shape) or input.shape[input.ndim - len(shape) :] != shape:
        star = "*" if name == "rms_norm" else "*, "  # as torch writes them
        raise RuntimeError(
            explain(
                f"Given normalized_shape={list(shape)}, expected input with shape "
                f"[{star}{', '.join(map(str, shape))}], but got input of size{list(input.shape)}",
                got=f"input {input.shape}",
                expected=f"input (..., {', '.join(map(str, shape))})",
            )
        )
    return shape
