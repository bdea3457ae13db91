"""Normal floats on the host: torch's two paths, groups of 16 and pairs in double precision."""

import math
from typing import Any

import numpy as np

from jaxgrad._core.types import Shape
from jaxgrad.random._words import formulas
from jaxgrad.random.dtypes import HALVES, round_to
from jaxgrad.random.host.double import fma64, mapped
from jaxgrad.random.host.stream import Stream

GROUP = 16


def normal(stream: Stream, shape: Shape, mean: float, std: float, dtype: np.dtype) -> np.ndarray:
    """Fewer than 16 values come as pairs in double precision, more in groups of 16."""
    n = math.prod(shape)
    if n < GROUP:
        values = round_to(fma64(scalar_normals(stream, n), np.float64(std), np.float64(mean)), dtype)
    elif dtype == np.float64:
        values = _groups64(stream, n, mean, std)
    else:
        values = _groups32(stream, n, np.float32(mean), np.float32(std), leftover=dtype.name not in HALVES)
        values = round_to(values, dtype)
    return values.reshape(shape)


def normal_each(stream: Stream, shape: Shape, mean: Any, std: Any, dtype: np.dtype) -> np.ndarray:
    """``torch.normal`` with an array for the mean, the deviation or both: rounded after each step."""
    if isinstance(std, float):
        values = normal(stream, shape, 0.0, std, dtype)
    else:
        if not (std >= 0).all():
            raise RuntimeError("normal expects all elements of std >= 0.0")
        values = _step(np.multiply, normal(stream, shape, 0.0, 1.0, dtype), std)
    return _step(np.add, values, mean)


def _step(operation: np.ufunc, values: np.ndarray, other: Any) -> np.ndarray:
    compute = np.float64 if values.dtype == np.float64 else np.float32
    other = np.asarray(other).astype(values.dtype).astype(compute)
    return operation(values.astype(compute), other).astype(values.dtype)


def scalar_normals(stream: Stream, n: int) -> np.ndarray:
    """Standard normals in pairs, the cached second one of an earlier pair first; float64 (n,)."""
    head = [stream.cached] if n and stream.cached is not None else []
    pairs = (n - len(head) + 1) // 2
    if head:
        stream.cached = None
    u = stream.doubles(2 * pairs).reshape(pairs, 2)
    radius = np.sqrt(-2.0 * mapped(math.log1p, -u[:, 1]))
    theta = (2.0 * math.pi) * u[:, 0]
    values = np.stack([radius * mapped(math.cos, theta), radius * mapped(math.sin, theta)], axis=1).ravel()
    values = np.concatenate([np.array(head, np.float64), values])
    if values.size > n:
        stream.cached = float(values[n])
    return values[:n]


def _groups32(stream: Stream, n: int, mean: np.float32, std: np.float32, *, leftover: bool) -> np.ndarray:
    """Groups of 16 in float32; what is left over is the last 16 places, filled anew.

    A 16-bit tensor draws nothing for the places that are filled anew, a float32 one draws them twice.
    """
    rest = n % GROUP
    values = stream.normals(n - rest, mean, std)
    if rest:
        stream.words(rest if leftover else 0)
        values = np.concatenate([values, np.empty(rest, np.float32)])
        values[n - GROUP :] = formulas.normal32(stream.words(GROUP), mean, std)
    return values


def _groups64(stream: Stream, n: int, mean: float, std: float) -> np.ndarray:
    full = n - n % GROUP
    uniforms = stream.doubles(n)
    values = np.empty(n, np.float64)
    values[:full] = _box_muller64(uniforms[:full], mean, std)
    if n % GROUP:
        values[n - GROUP :] = _box_muller64(stream.doubles(GROUP), mean, std)
    return values


def _box_muller64(uniforms: np.ndarray, mean: float, std: float) -> np.ndarray:
    u = uniforms.reshape(-1, 2, GROUP // 2)
    radius = np.sqrt(-2.0 * mapped(math.log, 1.0 - u[:, 0]))
    theta = ((2.0 * math.pi) * u[:, 1]).ravel()
    halves = np.stack([(radius * mapped(f, theta)).reshape(-1, GROUP // 2) for f in (math.cos, math.sin)], axis=1)
    return fma64(halves, np.float64(std), np.float64(mean)).ravel()
