"""Distributions that torch computes value by value in double precision, on the host."""

import math
from collections.abc import Callable

import numpy as np

from jaxgrad._core.types import Shape
from jaxgrad.random.dtypes import round_to
from jaxgrad.random.host.double import fma64, mapped, settle
from jaxgrad.random.host.normal import scalar_normals
from jaxgrad.random.host.stream import Stream


def exponential(stream: Stream, shape: Shape, lambd: float, dtype: np.dtype) -> np.ndarray:
    """``-1 / lambd * log1p(-u)``."""
    return _through(
        stream, shape, dtype, np.log1p, math.log1p, argument=lambda u: -u, result=lambda y: (-1.0 / lambd) * y
    )


def cauchy(stream: Stream, shape: Shape, median: float, sigma: float, dtype: np.dtype) -> np.ndarray:
    """``median + sigma * tan(pi * (u - 1/2))``, the affine step fused."""

    def affine(y: np.ndarray) -> np.ndarray:
        return fma64(y, np.float64(sigma), np.float64(median))

    return _through(stream, shape, dtype, np.tan, math.tan, argument=lambda u: math.pi * (u - 0.5), result=affine)


def log_normal(stream: Stream, shape: Shape, mean: float, std: float, dtype: np.dtype) -> np.ndarray:
    """``exp`` of normals of the scalar path, whatever their number."""
    normals = scalar_normals(stream, math.prod(shape))
    normals = fma64(normals, np.float64(std), np.float64(mean))
    with np.errstate(over="ignore"):
        quick = np.exp(normals)
    values = settle(quick, lambda index: mapped(_exp, normals[index]), dtype)
    return round_to(values, dtype).reshape(shape)


def _exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def _through(
    stream: Stream,
    shape: Shape,
    dtype: np.dtype,
    quick: Callable[[np.ndarray], np.ndarray],
    exact: Callable[[float], float],
    *,
    argument: Callable[[np.ndarray], np.ndarray],
    result: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """``result(f(argument(u)))`` of 53-bit uniforms; f is numpy's function, or the C library's where it shows."""
    x = argument(stream.doubles(math.prod(shape)))
    values = settle(result(quick(x)), lambda index: result(mapped(exact, x[index])), dtype)
    return round_to(values, dtype).reshape(shape)
