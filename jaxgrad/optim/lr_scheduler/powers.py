"""Powers of a constant with a traced exponent that do not lose accuracy with the number of steps."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def integer_power(base: Any, exponent: jax.Array) -> jax.Array:
    """``base ** exponent`` for a traced integer >= 0, accurate to a few units in the last place at any exponent.

    In float32 ``base`` itself is rounded, so that ``jnp.power`` is off by ``exponent`` times that rounding. Here the
    exponent is written in base 256, ``n = n0 + 256 n1 + ...``, and each ``base ** (256**i * ni)`` is looked up in a
    table that the host computed in double: four roundings and three products.

    Args:
        base: a Python number; an array falls back to ``base ** exponent``.
        exponent: integer array, >= 0.

    >>> n = jnp.asarray(50_000)
    >>> print(integer_power(0.999, n), 0.999**50_000, jnp.power(0.999, n))
    1.8810974e-22 1.8810974691...e-22 1.8...e-22
    """
    if isinstance(base, jax.Array):
        return base**exponent
    power = jnp.ones_like(exponent, dtype=float)
    for place in range(4):
        with np.errstate(all="ignore"):
            table = np.power(np.float64(base), 256.0**place * np.arange(256))
            digits = jnp.asarray(table, float)
        power = power * digits[(exponent >> 8 * place) & 255]
    return power


def half_cosine(remaining: Any, period: Any) -> jax.Array:
    """``(1 + cos(pi (period - remaining) / period)) / 2``, written as a square so that nothing cancels near 0.

    >>> print(half_cosine(1, 1000), (1 + np.cos(np.pi * 999 / 1000)) / 2, (1 + jnp.cos(jnp.pi * 999 / 1000)) / 2)
    2.4673...e-06 2.4673990708...e-06 2.47...e-06
    """
    return jnp.sin(as_float(remaining) * (jnp.pi / 2 / as_float(period))) ** 2


def as_float(value: Any) -> Any:
    """An array in JAX's default float dtype; a Python number stays a double.

    >>> as_float(jnp.asarray(3)), as_float(3)
    (Array(3., dtype=float32), 3)
    """
    return value.astype(float) if isinstance(value, jax.Array) else value
