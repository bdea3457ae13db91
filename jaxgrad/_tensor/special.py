"""Functions of ``torch.special`` whose values or derivatives at their poles and zeros differ from JAX's."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Float, Num

from jaxgrad._core.operations import operation
from jaxgrad._core.types import Array
from jaxgrad._tensor.promotion import as_float, promote


@jax.custom_jvp
def _xlogy(x: Array, y: Array) -> Array:
    nothing = (x == 0) & ~jnp.isnan(y)
    return jnp.where(nothing, jnp.zeros_like(x), x * jnp.log(y))


@_xlogy.defjvp
def _xlogy_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (x, y), (dx, dy) = primals, tangents
    flat = (x == 0) & (y <= 0)
    slope = jnp.where(flat, jnp.zeros_like(x), jnp.log(jnp.where(flat, jnp.ones_like(y), y)))
    return _xlogy(x, y), dx * slope + dy * (x / y)


@operation("XlogyBackward0")
def xlogy(input: Num[Array, "*#shape"], other: Num[Array, "*#shape"]) -> Float[Array, "*shape"]:
    r"""Mirror of ``torch.xlogy``: :math:`x \log y`, and 0 where x is 0 (unless y is nan).

    At x = 0, y <= 0 the derivative by x is 0 (JAX: -inf); by y it is x / y, so nan at (0, 0).

    Args:
        input: x, an array or a number.
        other: y, an array or a number, broadcastable to it.

    Returns:
        The common shape and dtype; float32 for integers.

    >>> jax.grad(xlogy)(0.0, 0.0).item()
    0.0

    Source: torch.xlogy.
    """
    return _xlogy(*promote(input, other, floating=True))


@jax.custom_jvp
def _digamma(x: Array) -> Array:
    at_pole = (x <= 0) & (x == jnp.floor(x))
    value = jax.scipy.special.digamma(jnp.where(at_pole, jnp.ones_like(x), x))
    pole = jnp.where(x == 0, jnp.copysign(jnp.asarray(jnp.inf, x.dtype), -x), jnp.nan)
    return jnp.where(at_pole, pole, value)


@_digamma.defjvp
def _digamma_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    return _digamma(*primals), trigamma(*primals) * tangents[0]


@operation("DigammaBackward0")
def digamma(input: Num[Array, "*shape"]) -> Float[Array, "*shape"]:
    r"""Mirror of ``torch.digamma``: :math:`\psi(x)`, the derivative of :func:`lgamma`.

    -inf at 0, inf at -0 and nan at negative integers, as in torch; JAX has nan at all of them.

    Args:
        input: any shape, real; integers become float32.

    >>> digamma(jnp.array([0.0, 1.0])).tolist()
    [-inf, -0.577215...]

    Source: torch.digamma.
    """
    return _digamma(as_float(input))


def psi(input: Num[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Mirror of ``torch.special.psi``: another name of :func:`digamma`.

    >>> psi(jnp.array(1.0)).item()
    -0.577215...
    """
    return digamma(input)


def trigamma(x: Array) -> Array:
    r"""The derivative of :func:`digamma` by torch's way: reflection below 1/2, six steps up, an asymptotic series."""
    reflected = x < 0.5
    at = jnp.where(reflected, 1 - x, x)
    total = jnp.zeros_like(x)
    for _ in range(6):
        total = total + 1 / (at * at)
        at = at + 1
    small = 1 / (at * at)
    total = total + (1 + 1 / (2 * at) + small * (1 / 6 - small * (1 / 30 - small * (1 / 42)))) / at
    sine = jnp.sin(jnp.pi * x)
    return jnp.where(reflected, jnp.pi**2 / (sine * sine) - total, total)


@jax.custom_jvp
def _lgamma(x: Array) -> Array:
    return jax.scipy.special.gammaln(x)


@_lgamma.defjvp
def _lgamma_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    return _lgamma(*primals), _digamma(*primals) * tangents[0]


@operation("LgammaBackward0")
def lgamma(input: Num[Array, "*shape"]) -> Float[Array, "*shape"]:
    r"""Mirror of ``torch.lgamma``: :math:`\log|\Gamma(x)|`. The derivative at 0 is -inf, in JAX nan.

    Args:
        input: any shape, real; integers become float32.

    >>> jax.grad(lgamma)(0.0).item()
    -inf

    Source: torch.lgamma.
    """
    return _lgamma(as_float(input))


def gammaln(input: Num[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Mirror of ``torch.special.gammaln``: another name of :func:`lgamma`.

    >>> gammaln(jnp.array(3.0)).item()
    0.693147...
    """
    return lgamma(input)


def polygamma(n: int | Num[Array, "..."], input: int | Num[Array, "..."]) -> Float[Array, "..."]:
    r"""Mirror of ``torch.polygamma``: the n-th derivative of :func:`digamma`.

    For n >= 2 it is JAX's, whose zeta function is more exact below 0 than torch's (they differ there by up to 1e-5).

    Args:
        n: not negative.
        input: any shape, real; integers become float32.

    Raises:
        RuntimeError: ``polygamma(n, x) does not support negative n.``

    >>> polygamma(1, jnp.array(1.0)).item()
    1.644934...

    Source: torch.polygamma.
    """
    if not isinstance(n, int):  # torch takes the two in either order
        n, input = input, n
    if n < 0:
        raise RuntimeError("polygamma(n, x) does not support negative n.")
    x: Any = as_float(input)
    if n == 0:
        return digamma(x)
    return trigamma(x) if n == 1 else jax.scipy.special.polygamma(n, x)
