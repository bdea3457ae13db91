"""torch's float32 arithmetic, step by step, in numpy or in JAX.

torch's CPU kernels compute uniforms and normals in float32 with fused multiply-adds and the Cephes polynomials.
Neither numpy nor XLA promises a fused multiply-add, so one is built here from float64, where the product of two
float32 is exact. Every function takes the array namespace ``xp`` first, so that the host and the traced path share
one formula; under JAX they must run inside ``jax.enable_x64(True)`` (jit kernels of this package do).
"""

import math
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.rounding import nearest

XP = ModuleType
_F32, _F64 = np.float32, np.float64
_HALFWAY, _BELOW = np.int64(1 << 28), np.int64((1 << 29) - 1)  # bits of a float64 that float32 has no room for
_LEAST_NORMAL = _F64(2.0**-126)

_LOG = (
    7.0376836292e-2,
    -1.1514610310e-1,
    1.1676998740e-1,
    -1.2420140846e-1,
    1.4249322787e-1,
    -1.6668057665e-1,
    2.0000714765e-1,
    -2.4999993993e-1,
    3.3333331174e-1,
)
_COS = (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)
_SIN = (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
_QUARTER_PI = (0.78515625, 2.4187564849853515625e-4, 3.77489497744594108e-8)  # pi / 4 in three parts
_SQRT_HALF = 0.707106781186547524
_TWO_PI = _F32(2 * np.pi)
U24 = _F32(2.0**-24)
LOW24 = np.uint32(2**24 - 1)


def bits(xp: XP, x: Any, dtype: Any) -> Any:
    """The bit pattern of ``x`` as integers, or back."""
    return x.view(dtype) if xp is np else jax.lax.bitcast_convert_type(x, dtype)


def fma32(xp: XP, x: Any, y: Any, z: Any, fits: bool = False) -> Any:
    """``x * y + z`` rounded once to float32.

    The product is exact in float64 and the sum rounds there first; rounding again to float32 goes wrong only where
    the first rounding fell exactly half-way between two float32. There the sum is first rounded to odd. ``fits`` says
    that the sum is known to fit into float64, so that there is no first rounding.
    """
    product, z = x.astype(_F64) * y.astype(_F64), z.astype(_F64)
    total = product + z
    if fits:
        return _to_float32(xp, total)
    pattern = bits(xp, total, np.int64)
    doubtful = (pattern & _BELOW) == _HALFWAY
    if xp is np and not doubtful.any() and np.abs(total).min(initial=1) >= _LEAST_NORMAL:
        return total.astype(_F32)
    doubtful = doubtful | (xp.abs(total) < _LEAST_NORMAL)
    back = total - product
    error = (product - (total - back)) + (z - back)  # what the sum lost, exactly
    outward = (error > 0) == (total > 0)
    odd = xp.where((pattern & 1 == 1) | (error == 0), pattern, xp.where(outward, pattern + 1, pattern - 1))
    return _to_float32(xp, xp.where(doubtful, bits(xp, odd, _F64), total))


def _to_float32(xp: XP, x: Any) -> Any:
    """float64 rounded to float32; subnormal numbers, which ``nearest`` would lose, are left to the cast."""
    if xp is np:
        return x.astype(_F32)
    return jnp.where(jnp.abs(x) < _LEAST_NORMAL, x, nearest(x, np.dtype(_F32))).astype(_F32)


Fma = Callable[..., Any]
Round = Callable[[Any], Any]


def _as_is(x: Any) -> Any:
    return x


def _horner(x: Any, coefficients: tuple[float, ...], fma: Fma, fits: bool = False) -> Any:
    y = x * _F32(0) + _F32(coefficients[0])
    for c in coefficients[1:]:
        y = fma(y, x, _F32(c), fits)
    return y


def log32(xp: XP, x: Any, fma: Fma, rounded: Round = _as_is) -> Any:
    """The Cephes logarithm of float32 in (0, 1] as torch's vector units evaluate it.

    ``rounded`` marks the products that stay outside a fused addition; ``fma`` is exact, or left to a compiler.
    """
    pattern = bits(xp, x, np.int32)
    e = (pattern >> np.int32(23)) - np.int32(126)
    m = bits(xp, (pattern & np.int32(0x7FFFFF)) | np.int32(0x3F000000), _F32)  # x = 2**e * m, m in [0.5, 1)
    small = m < _F32(_SQRT_HALF)
    e = xp.where(small, e - np.int32(1), e).astype(_F32)
    f = xp.where(small, m + m, m) - _F32(1)
    z = rounded(f * f)
    y = rounded(_horner(f, _LOG, fma, fits=True) * f)  # f is a multiple of 2**-24, y above 2**-5
    y = fma(y, z, rounded(e * _F32(-2.12194440e-4)))
    y = y - z * _F32(0.5)
    return fma(e, _F32(0.693359375), rounded(f + y), fits=True)  # 15 bits and a multiple of 2**-48


def sincos32(xp: XP, x: Any, fma: Fma, rounded: Round = _as_is) -> tuple[Any, Any]:
    """The Cephes sine and cosine of non-negative float32 as torch's vector units evaluate them."""
    j = (x * _F32(4 / np.pi)).astype(np.int32)
    j = (j + np.int32(1)) & np.int32(~1)
    octant = j.astype(_F32)
    for part in _QUARTER_PI:
        x = fma(octant, _F32(-part), x, fits=True)  # multiples of 2**-48 below 8
    z = rounded(x * x)
    cos = fma(rounded(_horner(z, _COS, fma) * z), z, rounded(z * _F32(-0.5))) + _F32(1)
    sin = fma(rounded(_horner(z, _SIN, fma) * z), x, x)
    swap = (j & np.int32(2)) != 0
    sin, cos = xp.where(swap, cos, sin), xp.where(swap, sin, cos)
    sin = xp.where((j & np.int32(4)) != 0, -sin, sin)
    cos = xp.where(((j - np.int32(2)) & np.int32(4)) == 0, -cos, cos)
    return sin, cos


def sqrt32(x: Any) -> Any:
    """The root rounded once: under JAX a GPU's own float32 root is off in the last place."""
    return np.sqrt(x) if isinstance(x, np.ndarray) else _to_float32(jnp, jnp.sqrt(x.astype(_F64)))


def box_muller32(
    xp: XP,
    first: Any,
    second: Any,
    mean: Any,
    std: Any,
    fma: Fma,
    rounded: Round = _as_is,
    sqrt: Callable[[Any], Any] = sqrt32,
) -> tuple[Any, Any]:
    """The cosine and the sine half of normals from the words of the radius and those of the angle."""
    radius = sqrt(_F32(-2) * log32(xp, _F32(1) - u24(first), fma, rounded))
    sin, cos = sincos32(xp, rounded(_TWO_PI * u24(second)), fma, rounded)
    return fma(rounded(radius * cos), std, mean), fma(rounded(radius * sin), std, mean)


def uniform32(xp: XP, words: Any, low: Any, span: Any, fits: bool) -> Any:
    """``fma(u, span, low)`` of the low 24 bits of each word; float32. ``fits`` is :func:`uniform_fits`."""
    u = u24(words)
    return u if xp is np and (low, span) == (0, 1) else fma32(xp, u, span, low, fits)


def uniform_fits(low: np.float32, span: np.float32) -> bool:
    """Whether ``u * span + low`` is exact in float64 for every u of 24 bits: so it is for all but odd ranges."""
    least = min(_last_place(float(span)) * 2.0**-24, _last_place(float(low)))
    return (abs(float(low)) + float(span)) / least < 2.0**53


def _last_place(x: float) -> float:
    """The largest power of two that divides ``x``; infinity for 0."""
    if x == 0:
        return math.inf
    numerator, denominator = x.as_integer_ratio()
    return (numerator & -numerator) / denominator


def normal32(words: np.ndarray, mean: Any, std: Any) -> np.ndarray:
    """Box-Muller on full groups of 16 in numpy: words (16 * k,) to float32 (16 * k,)."""
    groups = words.reshape(-1, 2, 8)
    return np.stack(box_muller32(np, groups[:, 0], groups[:, 1], mean, std, partial(fma32, np)), axis=1).ravel()


def u24(words: Any) -> Any:
    """The low 24 bits of each word as a float32 in [0, 1)."""
    return (words & LOW24).astype(np.int32).astype(_F32) * U24  # vector units convert signed integers only
