r"""Gated units: the input times a gate that depends on it.

Far to the left the gate is 0: at minus infinity the product is nan, in torch as here.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Float, Inexact

from jaxgrad._core.arguments import refuse_inplace, wrong_kind
from jaxgrad._core.elementwise import check_kernel, elementwise
from jaxgrad._core.operations import operation
from jaxgrad._core.shapes import axis_of
from jaxgrad._core.types import Array
from jaxgrad.nn.functional.activation.sigmoids import sigmoid


@operation("SiluBackward0")
def silu(input: Inexact[Array, "*shape"], inplace: bool = False) -> Inexact[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.silu``: :math:`x\,\sigma(x)`, also called swish.

    Args:
        input: any shape, floating point or complex.
        inplace: must be False, since arrays are values.

    Returns:
        The same shape and dtype.

    Raises:
        NotImplementedError: ``"silu_cpu" not implemented for 'Long'``.
        ValueError: ``inplace=True``.

    >>> silu(jnp.array([-100.0, 100.0])).tolist()
    [-0.0, 100.0]

    Source: torch/nn/functional.py, ``silu``; Hendrycks and Gimpel, 2016.
    """
    refuse_inplace(inplace)
    input = jnp.asarray(input)
    check_kernel("silu_cpu", input, jnp.inexact)
    return _silu(input)


def _silu_gradient(g: Array, x: Array) -> Array:
    s = sigmoid(x)
    return g * s * (1 + x * (1 - s))


@elementwise(_silu_gradient)
def _silu(x: Array) -> Array:
    return x * sigmoid(x)


@operation("MishBackward0")
def mish(input: Float[Array, "*shape"], inplace: bool = False) -> Float[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.mish``: :math:`x \tanh(\log(1 + e^x))`.

    Args:
        input: any shape, floating point.
        inplace: must be False, since arrays are values.

    Returns:
        The same shape and dtype.

    Raises:
        NotImplementedError: ``"mish_cpu" not implemented for 'Long'``.
        ValueError: ``inplace=True``.

    >>> mish(jnp.array([0.0, 100.0])).tolist()
    [0.0, 100.0]

    Source: torch/nn/functional.py, ``mish``; Misra, 2019.
    """
    refuse_inplace(inplace)
    input = jnp.asarray(input)
    check_kernel("mish_cpu", input)
    return _mish(input)


def _mish_parts(x: Array) -> tuple[Array, Array]:
    r"""e and n with :math:`\tanh(\log(1 + e^x)) = n / (n + 2)`, which loses nothing where it is nearly 1."""
    e = jnp.exp(jnp.minimum(x, 20))
    return e, e * (e + 2)


def _mish_gradient(g: Array, x: Array) -> Array:
    e, n = _mish_parts(x)
    slope = jnp.where(x < 20, 4 * e * (1 + e) / jnp.square(n + 2), 0)
    return g * (n / (n + 2) + x * slope)


@elementwise(_mish_gradient)
def _mish(x: Array) -> Array:
    _, n = _mish_parts(x)
    return x * (n / (n + 2))


@operation("HardswishBackward0")
def hardswish(input: Float[Array, "*shape"], inplace: bool = False) -> Float[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.hardswish``: :math:`x \min(\max(x + 3, 0), 6) / 6`.

    The derivative is 0 at -3 and 1 at 3 (not the slope inside, which is -1/2 and 3/2 there); 1 at nan.

    Args:
        input: any shape, floating point.
        inplace: must be False, since arrays are values.

    Returns:
        The same shape and dtype.

    Raises:
        NotImplementedError: ``"hardswish_cpu" not implemented for 'Long'``.
        ValueError: ``inplace=True``.

    >>> hardswish(jnp.array([-4.0, 0.0, 4.0])).tolist()
    [-0.0, 0.0, 4.0]

    Source: torch/nn/functional.py, ``hardswish``; Howard et al., 2019.
    """
    refuse_inplace(inplace)
    input = jnp.asarray(input)
    check_kernel("hardswish_cpu", input)
    return _hardswish(input)


def _hardswish_gradient(g: Array, x: Array) -> Array:
    slope = jnp.where((x > -3) & (x < 3), x / 3 + 0.5, 1)
    return jnp.where(x <= -3, 0, g * slope)


@elementwise(_hardswish_gradient)
def _hardswish(x: Array) -> Array:
    return x * jnp.minimum(jnp.maximum(x + 3, 0), 6) / 6


@operation("GeluBackward0")
def gelu(input: Float[Array, "*shape"], approximate: str = "none") -> Float[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.gelu``: :math:`x\,\Phi(x)`, Phi the normal distribution function.

    'tanh' takes :math:`\Phi(x) \approx \frac12 (1 + \tanh(\sqrt{2/\pi}\,(x + 0.044715\,x^3)))`. Differs from
    ``jax.nn.gelu``, which approximates by default.

    Args:
        input: any shape, floating point.
        approximate: 'none' or 'tanh'.

    Returns:
        The same shape and dtype.

    Raises:
        RuntimeError: ``approximate argument must be either none or tanh.``
        NotImplementedError: ``"GeluKernelImpl" not implemented for 'Long'``.

    >>> [f"{y:.4f}" for y in gelu(jnp.array([0.0, 1.0])).tolist()]
    ['0.0000', '0.8413']

    Source: torch/nn/functional.py, ``gelu``; Hendrycks and Gimpel, 2016.
    """
    input = jnp.asarray(input)
    if not isinstance(approximate, str):
        raise wrong_kind(approximate, "approximate", "gelu", "str")
    if approximate not in ("none", "tanh"):
        raise RuntimeError("approximate argument must be either none or tanh.")
    check_kernel("GeluKernelImpl", input)
    return _gelu(input) if approximate == "none" else _gelu_tanh(input)


def _normal_below(x: Array) -> Array:
    return 0.5 * (1 + jax.scipy.special.erf(x * math.sqrt(0.5)))


def _gelu_gradient(g: Array, x: Array) -> Array:
    density = jnp.exp(-0.5 * x * x) * (1 / math.sqrt(2 * math.pi))
    return g * (_normal_below(x) + x * density)


@elementwise(_gelu_gradient)
def _gelu(x: Array) -> Array:
    return x * _normal_below(x)


_BETA, _KAPPA = math.sqrt(2 / math.pi), 0.044715


def _gelu_tanh_gradient(g: Array, x: Array) -> Array:
    t = jnp.tanh(_BETA * (x + _KAPPA * x * x * x))
    inner = _BETA * (1 + 3 * _KAPPA * x * x)
    return g * (0.5 * (1 + t) + 0.5 * x * ((1 - t * t) * inner))


@elementwise(_gelu_tanh_gradient)
def _gelu_tanh(x: Array) -> Array:
    return 0.5 * x * (1 + jnp.tanh(_BETA * (x + _KAPPA * x * x * x)))


@operation("GluBackward0")
def glu(input: Float[Array, "*shape"], dim: int = -1) -> Float[Array, "*half"]:
    r"""Mirror of ``torch.nn.functional.glu``: :math:`a\,\sigma(b)`, a and b the halves of the input along ``dim``.

    Args:
        input: (..., 2n, ...), floating point.
        dim: the axis that is halved.

    Returns:
        (..., n, ...).

    Raises:
        RuntimeError: ``Halving dimension must be even, but dimension 1 is size 3``, or an input without axes.
        IndexError: an axis out of range.

    >>> glu(jnp.array([2.0, 0.0])).tolist()
    [1.0]

    Source: torch/nn/functional.py, ``glu``; Dauphin et al., 2017.
    """
    input = jnp.asarray(input)
    if input.ndim == 0:
        raise RuntimeError("glu does not support scalars because halving size must be even")
    axis = axis_of(dim, input.ndim)
    if input.shape[axis] % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {axis} is size {input.shape[axis]}")
    check_kernel("glu_cpu", input)
    wide = input.astype(jnp.float32) if input.dtype in (jnp.float16, jnp.bfloat16) else input
    a, b = jnp.split(wide, 2, axis)
    return (a * sigmoid(b)).astype(input.dtype)
