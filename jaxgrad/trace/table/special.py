"""Special functions."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy import special

import jaxgrad._tensor as tensor
from jaxgrad._core.types import Array
from jaxgrad.trace.table.align import elementwise


def _round(x: Array, *, decimals: int) -> Array:
    scale = 10.0 ** abs(decimals)
    return jnp.round(x * scale) / scale if decimals >= 0 else jnp.round(x / scale) * scale


TABLE: dict[str, Callable[..., Any]] = {
    "copysign.Tensor": elementwise(tensor.copysign),
    "copysign.Scalar": lambda x, y: tensor.copysign(x, jnp.full_like(x, y)),
    "fmax": elementwise(tensor.fmax),
    "fmin": elementwise(tensor.fmin),
    "hypot": elementwise(tensor.hypot),
    "ldexp.Tensor": elementwise(lambda x, power: x * jnp.exp2(jnp.asarray(power, x.dtype))),
    "nextafter": elementwise(jnp.nextafter),
    "frexp.Tensor": jnp.frexp,
    "round.decimals": _round,
    "angle": jnp.angle,
    "signbit": jnp.signbit,
    "isfinite": jnp.isfinite,
    "isposinf": jnp.isposinf,
    "isneginf": jnp.isneginf,
    "heaviside": elementwise(jnp.heaviside),
    "gcd": elementwise(jnp.gcd),
    "lcm": elementwise(jnp.lcm),
    "polygamma": tensor.polygamma,
    "igamma": elementwise(special.gammainc),
    "igammac": elementwise(special.gammaincc),
    "i0": special.i0,
    "special_i0e": special.i0e,
    "special_i1": special.i1,
    "special_i1e": special.i1e,
    "special_erfcx": special.erfcx,
    "special_ndtri": special.ndtri,
    "special_log_ndtr": special.log_ndtr,
    "special_entr": special.entr,
    "special_xlog1py": elementwise(special.xlog1py),
    "special_zeta": elementwise(special.zeta),
    "xlogy.Tensor": elementwise(tensor.xlogy),
    "logaddexp": elementwise(tensor.logaddexp),
    "logaddexp2": elementwise(jnp.logaddexp2),
    "logit": lambda x, eps=None: jax.scipy.special.logit(x if eps is None else jnp.clip(x, eps, 1 - eps)),
}
