"""Functions of one element, with torch's derivatives where JAX has others: at zero, at a tie, at infinity.

Each is a rule of its own (``jax.custom_jvp``), so that forward mode, reverse mode and higher derivatives follow torch.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core import norms
from jaxgrad._core.castable import castable
from jaxgrad._core.operations import operation
from jaxgrad._core.types import Array
from jaxgrad._tensor.promotion import as_float, promote


@operation("AbsBackward0")
def abs(input: Array) -> Array:
    r"""Mirror of ``torch.abs``: :math:`|x|`.

    The derivative is ``sgn(x)``, so 0 at 0 and at nan, as in torch; ``jnp.abs`` has 1 at 0.

    Args:
        input: any shape, any dtype but bool.

    Returns:
        The shape of ``input``; real where it is complex.

    Raises:
        RuntimeError: a boolean input.

    >>> jax.grad(lambda x: abs(x).sum())(jnp.array([-2.0, 0.0, 3.0])).tolist()
    [-1.0, 0.0, 1.0]

    Source: torch.abs.
    """
    input = jnp.asarray(input)
    if input.dtype == jnp.bool_:
        raise RuntimeError("\"abs_cpu\" not implemented for 'Bool'")
    return norms.absolute(input)


def absolute(input: Array) -> Array:
    """Mirror of ``torch.absolute``: another name of :func:`abs`.

    >>> absolute(jnp.array([-2, 1])).tolist()
    [2, 1]
    """
    return abs(input)


@operation("SignBackward0")
def sign(input: Array) -> Array:
    """Mirror of ``torch.sign``: -1, 0 or 1, and 0 at nan, where ``jnp.sign`` has nan. The derivative is 0.

    Args:
        input: any shape, real.

    Raises:
        RuntimeError: a complex input; that is :func:`sgn`.

    >>> sign(jnp.array([-2.0, 0.0, jnp.nan])).tolist()
    [-1.0, 0.0, 0.0]

    Source: torch.sign.
    """
    input = jnp.asarray(input)
    if jnp.iscomplexobj(input):
        raise RuntimeError(
            "Unlike NumPy, torch.sign doesn't return the sign of a complex tensor. Use torch.sgn() instead."
        )
    if input.dtype == jnp.bool_:
        return input
    return (input > 0).astype(input.dtype) - (input < 0).astype(input.dtype)


@operation("SgnBackward0")
def sgn(input: Array) -> Array:
    """Mirror of ``torch.sgn``: :func:`sign` for real numbers; x / |x|, and 0 at 0, for complex ones.

    Args:
        input: any shape.

    >>> sgn(jnp.array([3 + 4j, 0j])).tolist()
    [(0.6...+0.8...j), 0j]

    Source: torch.sgn.
    """
    input = jnp.asarray(input)
    return norms.sgn(input) if jnp.iscomplexobj(input) else sign(input)


@jax.custom_jvp
def _heaviside(input: Array, values: Array) -> Array:
    return jnp.where(input == 0, values, (input > 0).astype(values.dtype))


@_heaviside.defjvp
def _heaviside_jvp(primals: Any, tangents: Any) -> Any:
    raise RuntimeError("derivative for aten::heaviside is not implemented")


def heaviside(input: Array, values: Array) -> Array:
    """Mirror of ``torch.heaviside``: 0 below 0, ``values`` at 0, 1 above it and 0 at nan.

    As in torch it has no derivative: asking for one raises, where ``jnp.heaviside`` gives 0.

    Args:
        input: any shape, real.
        values: broadcastable to it, of its dtype.

    Raises:
        RuntimeError: the dtypes differ, or it is differentiated:
            ``derivative for aten::heaviside is not implemented``.

    >>> heaviside(jnp.array([-1.0, 0.0, 2.0]), jnp.array(0.5)).tolist()
    [0.0, 0.5, 1.0]

    Source: torch.heaviside.
    """
    input, values = jnp.asarray(input), jnp.asarray(values)
    if input.dtype != values.dtype:
        raise RuntimeError("heaviside is not yet implemented for tensors with different dtypes.")
    return _heaviside(*jnp.broadcast_arrays(input, values))


@jax.custom_jvp
def _copysign(x: Array, other: Array) -> Array:
    return jnp.copysign(x, other)


@_copysign.defjvp
def _copysign_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (x, other), (t, _) = primals, tangents
    out = _copysign(x, other)
    kept = jnp.where(x == 0, jnp.zeros_like(x), sign(x) * jnp.copysign(jnp.ones_like(x), other))
    return out, kept * t


@operation("CopysignBackward0")
def copysign(input: Array, other: Array) -> Array:
    """Mirror of ``torch.copysign``: the size of ``input`` with the sign of ``other``.

    The derivative with respect to ``input`` is 1, -1, and 0 at 0 (JAX has -1 or 1 there); ``other`` has none.

    Args:
        input: any shape, real.
        other: broadcastable to it.

    >>> jax.grad(lambda x: copysign(x, -jnp.ones(2)).sum())(jnp.array([0.0, 2.0])).tolist()
    [0.0, -1.0]

    Source: torch.copysign.
    """
    return _copysign(*promote(input, other, floating=True))


@jax.custom_jvp
def _atan2(y: Array, x: Array) -> Array:
    return jnp.arctan2(y, x)


@_atan2.defjvp
def _atan2_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (y, x), (dy, dx) = primals, tangents
    square = y * y + x * x
    inverse = jnp.where(square == 0, jnp.zeros_like(square), 1 / jnp.where(square == 0, jnp.ones_like(square), square))
    return _atan2(y, x), dy * (x * inverse) + dx * (-y * inverse)


@castable("atan2")
@operation("Atan2Backward0")
def atan2(input: Array, other: Array) -> Array:
    r"""Mirror of ``torch.atan2``: the angle of the point (other, input).

    .. math:: d\,\mathrm{atan2}(y, x) = (x\,dy - y\,dx) / (x^2 + y^2)

    The derivative is 0 at the origin, where JAX's is nan.

    Args:
        input: y, any shape, real.
        other: x, broadcastable to it.

    >>> jax.grad(atan2)(0.0, 0.0).item()
    0.0

    Source: torch.atan2.
    """
    return _atan2(*promote(input, other, floating=True))


def arctan2(input: Array, other: Array) -> Array:
    """Mirror of ``torch.arctan2``: another name of :func:`atan2`.

    >>> arctan2(jnp.array(0.0), jnp.array(1.0)).item()
    0.0
    """
    return atan2(input, other)


@jax.custom_jvp
def _hypot(x: Array, y: Array) -> Array:
    return jnp.hypot(x, y)


@_hypot.defjvp
def _hypot_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (x, y), (dx, dy) = primals, tangents
    out = _hypot(x, y)
    return out, dx * (x / out) + dy * (y / out)


@operation("HypotBackward0")
def hypot(input: Array, other: Array) -> Array:
    r"""Mirror of ``torch.hypot``: :math:`\sqrt{x^2 + y^2}`. The derivative is nan at the origin, as in torch.

    Args:
        input: any shape, floating.
        other: broadcastable to it.

    >>> hypot(jnp.array(3.0), jnp.array(4.0)).item()
    5.0

    Source: torch.hypot.
    """
    return _hypot(*promote(input, other))


@jax.custom_jvp
def _logaddexp(x: Array, y: Array) -> Array:
    if not jnp.iscomplexobj(x):
        return jnp.logaddexp(x, y)
    greater, less = jnp.where(x.real >= y.real, x, y), jnp.where(x.real >= y.real, y, x)
    return greater + jnp.log(1 + jnp.exp(less - greater))  # the angle is not wrapped, as in torch


@_logaddexp.defjvp
def _logaddexp_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (x, y), (dx, dy) = primals, tangents
    return _logaddexp(x, y), dx / (1 + jnp.exp(y - x)) + dy / (1 + jnp.exp(x - y))


@operation("LogaddexpBackward0")
def logaddexp(input: Array, other: Array) -> Array:
    r"""Mirror of ``torch.logaddexp``: :math:`\log(e^x + e^y)`.

    The derivative is :math:`1 / (1 + e^{y - x})`, so nan where both are the same infinity; JAX has 1 or 0.5 there.

    Args:
        input: any shape, floating.
        other: broadcastable to it.

    >>> logaddexp(jnp.array(0.0), jnp.array(0.0)).item()
    0.693147...

    Source: torch.logaddexp.
    """
    return _logaddexp(*promote(input, other))


@jax.custom_jvp
def _pow(base: Array, exponent: Array) -> Array:
    return jnp.power(base, exponent)


@_pow.defjvp
def _pow_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (base, exponent), (db, de) = primals, tangents
    out = _pow(base, exponent)
    slope = jnp.where(exponent == 0, jnp.zeros_like(out), exponent * _pow(base, exponent - 1))
    flat = (base == 0) & (exponent.real >= 0)
    growth = jnp.where(flat, jnp.zeros_like(out), out * jnp.log(jnp.where(flat, jnp.ones_like(base), base)))
    return out, db * slope + de * growth


@castable("pow")
@operation("PowBackward0")
def pow(input: Array, exponent: Array) -> Array:
    r"""Mirror of ``torch.pow``: :math:`x^p`.

    The derivative with respect to x is 0 where p = 0 (nan at x = 0 in JAX); with respect to p it is 0 where x = 0 and
    p >= 0.

    Args:
        input: an array or a number.
        exponent: an array or a number, broadcastable to it.

    Raises:
        RuntimeError: ``Integers to negative integer powers are not allowed.``

    >>> jax.grad(pow)(0.0, 0.0).item()
    0.0

    Source: torch.pow.
    """
    whole = isinstance(exponent, int | np.integer) and not isinstance(exponent, bool)
    if whole and exponent < 0 and jnp.issubdtype(jnp.result_type(input), jnp.integer):
        raise RuntimeError("Integers to negative integer powers are not allowed.")
    base, power = promote(input, exponent)
    if not jnp.issubdtype(base.dtype, jnp.inexact):
        return _integer_power(base, power)
    return _pow(base, power)


def _integer_power(base: Array, power: Array) -> Array:
    """A negative exponent leaves the whole part of 1 / x^p: nothing but for 1 and -1."""
    if jnp.issubdtype(power.dtype, jnp.unsignedinteger) or power.dtype == jnp.bool_:
        return jnp.power(base, power)
    one = jnp.ones_like(base)
    unit = jnp.where(base == 1, one, jnp.where(base == -1, jnp.where(power % 2 == 0, one, -one), jnp.zeros_like(base)))
    return jnp.where(power < 0, unit, jnp.power(base, jnp.maximum(power, jnp.zeros_like(power))))


def float_power(input: Array, exponent: Array) -> Array:
    """Mirror of ``torch.float_power``: :func:`pow` in double precision (which JAX's x64 mode must allow).

    Args:
        input: an array or a number.
        exponent: an array or a number.

    Raises:
        TypeError: JAX's 64-bit mode is off.

    >>> with jax.enable_x64(True):
    ...     float_power(jnp.array(2), 3).dtype
    dtype('float64')

    Source: torch.float_power.
    """
    return pow(as_float(input, double=True), as_float(exponent, double=True))
