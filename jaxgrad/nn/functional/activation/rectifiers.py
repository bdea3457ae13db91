"""Rectifiers: piecewise linear, so that all there is to choose is the derivative at the corners."""

import jax.numpy as jnp
from jaxtyping import Float, Num

from jaxgrad._core.arguments import as_number, refuse_inplace
from jaxgrad._core.castable import castable
from jaxgrad._core.diagnosis import diagnosed
from jaxgrad._core.dtype_names import torch_name
from jaxgrad._core.dtypes import common_dtype
from jaxgrad._core.elementwise import check_kernel, elementwise
from jaxgrad._core.errors import explain
from jaxgrad._core.operations import operation
from jaxgrad._core.over_positions import over_positions
from jaxgrad._core.types import Array


@operation("ReluBackward0")
def relu(input: Num[Array, "*shape"], inplace: bool = False) -> Num[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.relu``: :math:`\max(x, 0)`, element by element.

    The derivative is 0 at 0 and 1 at nan, as in torch; ``jax.nn.relu`` has 0 at both.

    Args:
        input: any shape, any real dtype.
        inplace: must be False, since arrays are values.

    Returns:
        The same shape and dtype.

    Raises:
        RuntimeError: ``Boolean inputs not supported for relu``.
        ValueError: ``inplace=True``.

    >>> relu(jnp.array([-1.0, 0.0, 2.0])).tolist()
    [0.0, 0.0, 2.0]

    Source: torch/nn/functional.py, ``relu``.
    """
    refuse_inplace(inplace)
    input = jnp.asarray(input)
    if input.dtype == jnp.bool_:
        raise RuntimeError("Boolean inputs not supported for relu")
    _refuse_complex(input)
    return _relu(input)


@elementwise(lambda g, x: jnp.where(x <= 0, 0, g))
def _relu(x: Array) -> Array:
    return jnp.where(x < 0, 0, x)


@operation("ThresholdBackward0")
def threshold(
    input: Num[Array, "*shape"], threshold: float, value: float, inplace: bool = False
) -> Num[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.threshold``: x where :math:`x > \mathrm{threshold}`, ``value`` elsewhere.

    The derivative is 0 at the threshold and 1 at nan.

    Args:
        input: any shape, any real dtype but bool.
        threshold: up to and including it the input is replaced.
        value: what it is replaced by.
        inplace: must be False, since arrays are values.

    Returns:
        The same shape and dtype.

    Raises:
        NotImplementedError: ``"threshold_cpu" not implemented for 'Bool'``.
        ValueError: ``inplace=True``.

    >>> threshold(jnp.array([0.0, 1.0, 2.0]), 1, 5).tolist()
    [5.0, 5.0, 2.0]

    Source: torch/nn/functional.py, ``_threshold``.
    """
    refuse_inplace(inplace)
    input = jnp.asarray(input)
    check_kernel("threshold_cpu", input, jnp.integer, jnp.floating)
    return _threshold(input, as_number(threshold, "threshold", "threshold"), as_number(value, "value", "threshold"))


@elementwise(lambda g, x, threshold, value: jnp.where(x <= threshold, 0, g))
def _threshold(x: Array, threshold: float, value: float) -> Array:
    below = x.astype(common_dtype(x, threshold)) <= threshold
    return jnp.where(below, jnp.asarray(value).astype(x.dtype), x)


@operation("HardtanhBackward0")
def hardtanh(
    input: Num[Array, "*shape"], min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Num[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.hardtanh``: :math:`\min(\max(x, \mathrm{min\_val}), \mathrm{max\_val})`.

    The derivative is 0 at both bounds, as in torch; ``jax.nn.hard_tanh`` has 1 there. It is 1 at nan.

    Args:
        input: any shape, any real dtype but bool.
        min_val: lower bound.
        max_val: upper bound.
        inplace: must be False, since arrays are values.

    Returns:
        The same shape and dtype.

    Raises:
        ValueError: ``min_val cannot be greater than max_val``, or ``inplace=True``.
        RuntimeError: a boolean input, or an unsigned one with a negative bound.

    >>> hardtanh(jnp.array([-2.0, 0.5, 2.0])).tolist()
    [-1.0, 0.5, 1.0]

    Source: torch/nn/functional.py, ``hardtanh``.
    """
    refuse_inplace(inplace)
    input = jnp.asarray(input)
    low, high = as_number(min_val, "min_val", "hardtanh"), as_number(max_val, "max_val", "hardtanh")
    if low > high:
        raise ValueError("min_val cannot be greater than max_val")
    if input.dtype == jnp.bool_:
        raise RuntimeError("Bool inputs not supported for hardtanh")
    if jnp.issubdtype(input.dtype, jnp.unsignedinteger) and (low < 0 or high < 0):
        raise RuntimeError("cannot do hardtanh on an unsigned type with negative limits")
    _refuse_complex(input)
    return _hardtanh(input, low, high)


@elementwise(lambda g, x, low, high: jnp.where((x <= low) | (x >= high), 0, g))
def _hardtanh(x: Array, low: float, high: float) -> Array:
    least, greatest = (jnp.asarray(bound).astype(x.dtype) for bound in (low, high))
    return jnp.where(x < least, least, jnp.where(x > greatest, greatest, x))


@diagnosed
def relu6(input: Num[Array, "*shape"], inplace: bool = False) -> Num[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.relu6``: :math:`\min(\max(x, 0), 6)`, which is ``hardtanh(x, 0, 6)``.

    The derivative is 0 at 0 and at 6.

    Args:
        input: any shape, any real dtype but bool.
        inplace: must be False, since arrays are values.

    Returns:
        The same shape and dtype.

    Raises:
        RuntimeError: ``Bool inputs not supported for hardtanh``.
        ValueError: ``inplace=True``.

    >>> relu6(jnp.array([-1.0, 3.0, 7.0])).tolist()
    [0.0, 3.0, 6.0]

    Source: torch/nn/functional.py, ``relu6``; Krizhevsky, 2010.
    """
    return hardtanh(input, 0.0, 6.0, inplace)


@operation("LeakyReluBackward0")
def leaky_relu(
    input: Float[Array, "*shape"], negative_slope: float = 0.01, inplace: bool = False
) -> Float[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.leaky_relu``: x where x > 0, :math:`\mathrm{negative\_slope} \cdot x` elsewhere.

    The derivative at 0 and at nan is the slope of the negative side; ``jax.nn.leaky_relu`` has 1 at 0.

    Args:
        input: any shape, floating point.
        negative_slope: the slope for x <= 0.
        inplace: must be False, since arrays are values.

    Returns:
        The same shape and dtype.

    Raises:
        NotImplementedError: ``"leaky_relu_cpu" not implemented for 'Long'``.
        ValueError: ``inplace=True``.

    >>> leaky_relu(jnp.array([-1.0, 2.0]), 0.5).tolist()
    [-0.5, 2.0]

    Source: torch/nn/functional.py, ``leaky_relu``; Maas et al., 2013.
    """
    refuse_inplace(inplace)
    input = jnp.asarray(input)
    check_kernel("leaky_relu_cpu", input)
    return _leaky_relu(input, as_number(negative_slope, "negative_slope", "leaky_relu"))


@elementwise(lambda g, x, slope: jnp.where(x > 0, g, g * slope))
def _leaky_relu(x: Array, slope: float) -> Array:
    return jnp.where(x > 0, x, x * slope)


@castable("prelu")
@operation("PreluKernelBackward0")
def prelu(input: Float[Array, "*shape"], weight: Float[Array, "*channels"]) -> Float[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.prelu``: x where x > 0, :math:`w x` elsewhere, with a slope w to be learnt.

    At 0 and at nan the derivative by x is w, that by w is x.

    Args:
        input: any shape, floating point; the channels are axis 1.
        weight: one slope for all, (1,) or (), or one a channel, (C,); the dtype of the input.

    Returns:
        The same shape and dtype.

    Raises:
        RuntimeError: a weight that does not fit, in torch's words.

    >>> prelu(jnp.array([[-2.0, -2.0]]), jnp.array([0.5, 0.25])).tolist()
    [[-1.0, -0.5]]

    Source: torch/nn/functional.py, ``prelu``; He et al., 2015.
    """
    x, w = jnp.asarray(input), jnp.asarray(weight)
    if x.dtype != w.dtype:
        raise RuntimeError(
            explain(
                f"prelu: Type promoting not supported. Got {torch_name(x.dtype)} and {torch_name(w.dtype)}",
                got=f"input {x.dtype}, weight {w.dtype}",
                expected="one dtype",
            )
        )
    if w.ndim > 1:
        raise RuntimeError(f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {w.ndim}")
    if w.size != 1:
        if x.ndim == 0:
            raise RuntimeError("Not allow zero-dim input tensor.")
        channels = x.shape[1] if x.ndim > 1 else 1
        if w.size != channels:
            raise RuntimeError(
                "Mismatch of parameter numbers and input channel size. "
                f"Found parameter numbers = {w.size} and channel size = {channels}."
            )
    check_kernel("prelu_cpu", x)
    w = over_positions(w, 1, x.shape) if x.ndim > 1 else w.reshape((-1,) * x.ndim)
    positive = x > 0
    below = jnp.where(positive, 0, x)  # inf times 0 would be nan in the derivative by w
    return jnp.where(positive, x, w * below)


def _refuse_complex(x: Array) -> None:
    if jnp.issubdtype(x.dtype, jnp.complexfloating):
        raise NotImplementedError("clamp is not supported for complex types")
