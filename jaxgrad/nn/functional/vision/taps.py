r"""Resampling along one axis as a table: every output is a weighted sum of a few inputs, its taps.

.. math:: y_o = \sum_k w_{o k} \, x_{i_{o k}}

The tables are known when a program is traced.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from jaxgrad._core.types import Array


@dataclass(frozen=True)
class Taps:
    """Which inputs an output is made of.

    Attributes:
        at: (out, taps), places along the input's axis.
        weight: (out, taps), 0 where a tap is none; None where every output is one input.
    """

    at: np.ndarray
    weight: np.ndarray | None


def apply(x: Array, axis: int, taps: Taps) -> Array:
    """Resample along an axis.

    >>> apply(jnp.array([1.0, 3.0]), 0, linear(2, 4, None, align_corners=False)).tolist()
    [1.0, 1.5, 2.5, 3.0]
    """
    out, size = len(taps.at), x.shape[axis]
    if taps.weight is None:
        if size and out % size == 0 and (taps.at[:, 0] == np.arange(out) // (out // size)).all():
            return jnp.repeat(x, out // size, axis)  # whose gradient is a sum, not a scatter
        return jnp.take(x, taps.at[:, 0], axis)
    total = None
    for k in range(taps.at.shape[1]):
        weight = jnp.asarray(taps.weight[:, k].reshape((1,) * axis + (-1,) + (1,) * (x.ndim - axis - 1)), x.dtype)
        term = weight * jnp.take(x, taps.at[:, k], axis)
        total = term if total is None else total + term
    assert total is not None
    return total


def scale_of(size: int, out: int, factor: float | None, align_corners: bool) -> float:
    """Distance of neighbouring outputs, in inputs.

    >>> scale_of(4, 8, None, False), scale_of(4, 7, None, True)
    (0.5, 0.5)
    """
    if align_corners:
        return (size - 1) / (out - 1) if out > 1 else 0.0
    return 1.0 / factor if factor is not None and factor > 0 else size / out


def nearest(size: int, out: int, factor: float | None, *, exact: bool) -> Taps:
    """One tap: the input below, or (``exact``) the one whose middle is next. Places are torch's, in float32.

    >>> nearest(2, 4, None, exact=False).at.ravel().tolist()
    [0, 0, 1, 1]
    """
    scale = np.float32(1.0 / factor) if factor is not None and factor > 0 else np.float32(size) / np.float32(out)
    o = np.arange(out, dtype=np.float32)
    source = np.floor((o + np.float32(0.5)) * scale if exact else o * scale).astype(int)
    return Taps(np.minimum(source, size - 1)[:, None], None)


def linear(size: int, out: int, factor: float | None, *, align_corners: bool) -> Taps:
    """Two taps, by distance.

    >>> linear(3, 2, None, align_corners=True).weight.tolist()
    [[1.0, 0.0], [1.0, 0.0]]
    """
    if size == out:
        return Taps(np.arange(out)[:, None], np.ones((out, 1)))
    scale, o = scale_of(size, out, factor, align_corners), np.arange(out)
    source = o * scale if align_corners else np.maximum((o + 0.5) * scale - 0.5, 0)
    low = np.minimum(source.astype(int), size - 1)
    share = np.clip(source - low, 0, 1)
    return Taps(np.stack([low, np.minimum(low + 1, size - 1)], 1), np.stack([1 - share, share], 1))


def cubic(size: int, out: int, factor: float | None, *, align_corners: bool) -> Taps:
    """Four taps of Keys' kernel with a = -0.75; places outside are the edge's.

    >>> (cubic(4, 4, None, align_corners=False).weight[1] + 0.0).tolist()
    [0.0, 1.0, 0.0, 0.0]
    """
    scale, o = scale_of(size, out, factor, align_corners), np.arange(out)
    source = o * scale if align_corners else (o + 0.5) * scale - 0.5
    low = np.minimum(np.floor(source).astype(int), size - 1)
    share = np.clip(source - low, 0, 1)
    places = low[:, None] + np.arange(-1, 3)[None, :]
    distance = np.abs(share[:, None] - np.arange(-1, 3)[None, :])
    return Taps(np.clip(places, 0, size - 1), keys(distance, -0.75))


def antialiased(
    size: int,
    out: int,
    factor: float | None,
    kernel: Callable[[np.ndarray], np.ndarray],
    support: float,
    *,
    align_corners: bool,
) -> Taps:
    """Taps of a kernel that is stretched over all inputs which an output stands for, and normalised.

    >>> antialiased(4, 2, None, triangle, 1.0, align_corners=False).weight[0].round(3).tolist()
    [0.429, 0.429, 0.143]
    """
    scale = scale_of(size, out, factor, align_corners)
    stretch = max(scale, 1.0)
    reach = support * stretch
    center = scale * (np.arange(out) + 0.5)
    start = np.maximum((center - reach + 0.5).astype(int), 0)
    stop = np.minimum((center + reach + 0.5).astype(int), size)
    most = max(int((stop - start).max()), 1)
    at = start[:, None] + np.arange(most)[None, :]
    weight = np.where(at < stop[:, None], kernel(np.abs((at - center[:, None] + 0.5) / stretch)), 0.0)
    total = weight.sum(1, keepdims=True)
    return Taps(np.minimum(at, size - 1), np.divide(weight, total, out=weight, where=total != 0))


def triangle(x: np.ndarray) -> np.ndarray:
    """The kernel of linear interpolation."""
    return np.maximum(1 - x, 0)


def keys(x: np.ndarray, a: float = -0.5) -> np.ndarray:
    """Keys' cubic kernel at distances >= 0."""
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((x - 5) * x + 8) * x * a - 4 * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def lanczos(x: np.ndarray) -> np.ndarray:
    """The windowed sinc of three lobes."""
    return np.where(x < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


def rounded_down(size: int, factor: float) -> int:
    """The size that a scale factor makes, in double precision, as torch computes it."""
    return math.floor(size * factor) if size * factor >= 0 else math.ceil(size * factor)
