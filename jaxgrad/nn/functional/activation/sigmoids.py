r"""What saturates: the sigmoid, its logarithm, its integral softplus, tanh, and cheap stand-ins for them."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Inexact, Shaped

from jaxgrad._core.arguments import as_number, refuse_inplace
from jaxgrad._core.castable import castable
from jaxgrad._core.dtypes import as_inexact
from jaxgrad._core.elementwise import check_kernel, elementwise
from jaxgrad._core.norms import absolute
from jaxgrad._core.operations import operation
from jaxgrad._core.types import Array


@operation("SigmoidBackward0")
def sigmoid(input: Shaped[Array, "*shape"]) -> Inexact[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.sigmoid``: :math:`\sigma(x) = 1 / (1 + e^{-x})`.

    Args:
        input: any shape; integers and booleans are taken as float32.

    Returns:
        The same shape; the same dtype, float32 for integers.

    >>> sigmoid(jnp.array([0.0, 100.0])).tolist()
    [0.5, 1.0]

    Source: torch/nn/functional.py, ``sigmoid``.
    """
    return _sigmoid(as_inexact(jnp.asarray(input)))


def _sigmoid_gradient(g: Array, x: Array) -> Array:
    y = _logistic(x)
    return g * (1 - y) * y


def _logistic(x: Array) -> Array:
    if jnp.issubdtype(x.dtype, jnp.complexfloating):
        return 1 / (1 + jnp.exp(-x))
    return jax.nn.sigmoid(x)


@elementwise(_sigmoid_gradient)
def _sigmoid(x: Array) -> Array:
    return _logistic(x)


@operation("TanhBackward0")
def tanh(input: Shaped[Array, "*shape"]) -> Inexact[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.tanh``: :math:`(e^x - e^{-x}) / (e^x + e^{-x})`.

    Args:
        input: any shape; integers and booleans are taken as float32.

    Returns:
        The same shape; the same dtype, float32 for integers.

    >>> tanh(jnp.array([0.0, 100.0])).tolist()
    [0.0, 1.0]

    Source: torch/nn/functional.py, ``tanh``.
    """
    return _tanh(as_inexact(jnp.asarray(input)))


def _sech2_gradient(g: Array, x: Array) -> Array:
    return g * -2 * jnp.tanh(x) * _sech2(x)


@elementwise(_sech2_gradient)
def _sech2(x: Array) -> Array:
    """``1 - tanh(x)**2``, without the cancellation."""
    if jnp.issubdtype(x.dtype, jnp.complexfloating):
        return 1 - jnp.square(jnp.tanh(x))
    e = jnp.exp(-2 * jnp.abs(x))
    return 4 * e / jnp.square(1 + e)


@elementwise(lambda g, x: g * _sech2(x))
def _tanh(x: Array) -> Array:
    return jnp.tanh(x)


@operation("LogSigmoidBackward0")
def logsigmoid(input: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.logsigmoid``: :math:`\log\sigma(x) = \min(0, x) - \log(1 + e^{-|x|})`.

    Args:
        input: any shape, floating point.

    Returns:
        The same shape and dtype.

    Raises:
        NotImplementedError: ``"log_sigmoid_cpu" not implemented for 'Long'``.

    >>> logsigmoid(jnp.array([-1000.0, 100.0])).tolist()
    [-1000.0, 0.0]

    Source: torch/nn/functional.py, ``logsigmoid``.
    """
    input = jnp.asarray(input)
    check_kernel("log_sigmoid_cpu", input)
    return _logsigmoid(input)


@elementwise(lambda g, x: g * _logistic(-x))
def _logsigmoid(x: Array) -> Array:
    return jnp.minimum(0, x) - jnp.log1p(jnp.exp(-jnp.abs(x)))


@castable("softplus")
@operation("SoftplusBackward0")
def softplus(input: Float[Array, "*shape"], beta: float = 1.0, threshold: float = 20.0) -> Float[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.softplus``: :math:`\frac1\beta \log(1 + e^{\beta x})`, a smooth rectifier.

    Where :math:`\beta x > \mathrm{threshold}` it is x itself, with derivative 1; ``jax.nn.softplus`` has no threshold.

    Args:
        input: any shape, floating point.
        beta: how sharp the bend is.
        threshold: where the function becomes linear.

    Returns:
        The same shape and dtype.

    Raises:
        NotImplementedError: ``"softplus_cpu" not implemented for 'Long'``.

    >>> softplus(jnp.array([0.0, 30.0])).round(4).tolist()
    [0.6930..., 30.0]

    Source: torch/nn/functional.py, ``softplus``; Dugas et al., 2001.
    """
    input = jnp.asarray(input)
    check_kernel("softplus_cpu", input)
    return _softplus(input, as_number(beta, "beta", "softplus"), as_number(threshold, "threshold", "softplus"))


def _softplus_gradient(g: Array, x: Array, beta: float, threshold: float) -> Array:
    z = x * beta
    # the bound itself is curved in the first derivative and straight in the second, as in torch
    straight = z >= threshold
    curved = _logistic(jnp.where(straight, jax.lax.stop_gradient(z), z))
    return jnp.where(z > threshold, g, g * curved)


@elementwise(_softplus_gradient)
def _softplus(x: Array, beta: float, threshold: float) -> Array:
    z = x * beta
    linear = z > threshold
    return jnp.where(linear, x, jnp.log1p(jnp.exp(jnp.where(linear, 0, z))) / beta)


@operation("DivBackward0")
def softsign(input: Shaped[Array, "*shape"]) -> Inexact[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.softsign``: :math:`x / (1 + |x|)`.

    Args:
        input: any shape, complex too; integers are taken as float32.

    Returns:
        The same shape; the same dtype, float32 for integers.

    Raises:
        NotImplementedError: ``"abs_cpu" not implemented for 'Bool'``.

    >>> softsign(jnp.array([-3.0, 1.0])).tolist()
    [-0.75, 0.5]

    Source: torch/nn/functional.py, ``softsign``; Turian et al., 2009.
    """
    input = jnp.asarray(input)
    check_kernel("abs_cpu", input, jnp.integer, jnp.inexact)
    input = as_inexact(input)
    return input / (absolute(input) + 1).astype(input.dtype)


@operation("HardsigmoidBackward0")
def hardsigmoid(input: Float[Array, "*shape"], inplace: bool = False) -> Float[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.hardsigmoid``: :math:`\min(\max(x + 3, 0), 6) / 6`.

    The derivative is 0 at both bounds and at nan, 1/6 inside: in float64 too the 1/6 of float32, which torch has there.

    Args:
        input: any shape, floating point.
        inplace: must be False, since arrays are values.

    Returns:
        The same shape and dtype.

    Raises:
        NotImplementedError: ``"hardsigmoid_cpu" not implemented for 'Long'``.
        ValueError: ``inplace=True``.

    >>> hardsigmoid(jnp.array([-4.0, 0.0, 4.0])).tolist()
    [0.0, 0.5, 1.0]

    Source: torch/nn/functional.py, ``hardsigmoid``; Howard et al., 2019.
    """
    refuse_inplace(inplace)
    input = jnp.asarray(input)
    check_kernel("hardsigmoid_cpu", input)
    return _hardsigmoid(input)


_SIXTH = float(np.float32(1 / 6))


@elementwise(lambda g, x: jnp.where((x > -3) & (x < 3), g * _SIXTH, 0))
def _hardsigmoid(x: Array) -> Array:
    return jnp.minimum(jnp.maximum(x + 3, 0), 6) / 6
