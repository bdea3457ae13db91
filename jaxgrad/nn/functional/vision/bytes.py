r"""Resampling of bytes along one axis, in torch's fixed point, which is Pillow's.

Weights are rounded to :math:`w = \lfloor 2^p \, v + 1/2 \rfloor` of sixteen bits, p as large as the largest allows, and

.. math:: y_o = \operatorname{clip}\Big(\Big\lfloor 2^{-p} \Big(2^{p-1} + \sum_k w_{o k} \, x_{i_{o k}}\Big)
          \Big\rfloor, 0, 255\Big)

after each axis. Taps that fall on the same input, at an edge, are added up before they are rounded.
"""

import jax.numpy as jnp
import numpy as np

from jaxgrad._core.types import Array
from jaxgrad.nn.functional.vision.taps import Taps

_MOST = 22


def merged(taps: Taps) -> tuple[Taps, float]:
    """Taps of which no two read the same input, and the largest weight met while they were added up.

    >>> table, largest = merged(Taps(np.array([[0, 0, 1]]), np.array([[0.25, 0.5, 0.25]])))
    >>> table.weight.tolist(), largest
    ([[0.75, 0.0, 0.25]], 0.75)
    """
    assert taps.weight is not None
    weight, largest = np.zeros_like(taps.weight), 0.0
    for o, places in enumerate(taps.at):
        for k, place in enumerate(places):
            first = int(np.argmax(places == place))
            weight[o, first] += taps.weight[o, k]
            largest = max(largest, float(weight[o, first]))
    return Taps(taps.at, weight), largest


def precision(largest: float) -> int:
    """The number of bits behind the point that the largest weight leaves in sixteen.

    >>> precision(1.0), precision(0.5)
    (14, 15)
    """
    return next((p for p in range(_MOST) if int(0.5 + largest * (1 << (p + 1))) >= 1 << 15), _MOST)


def apply(x: Array, axis: int, taps: Taps) -> Array:
    """Resample bytes along an axis.

    >>> table = Taps(np.array([[0, 1]]), np.array([[0.5, 0.5]]))
    >>> apply(jnp.array([1, 2], jnp.uint8), 0, table).tolist()
    [2]
    """
    table, largest = merged(taps)
    assert table.weight is not None
    bits = precision(largest)
    scaled = table.weight * (1 << bits)
    weight = np.trunc(scaled + np.where(scaled < 0, -0.5, 0.5)).astype(np.int32)
    total = jnp.full((), 1 << (bits - 1), jnp.int32)
    for k in range(weight.shape[1]):
        along = weight[:, k].reshape((1,) * axis + (-1,) + (1,) * (x.ndim - axis - 1))
        total = total + along * jnp.take(x, table.at[:, k], axis).astype(jnp.int32)
    return jnp.clip(total >> bits, 0, 255).astype(x.dtype)
