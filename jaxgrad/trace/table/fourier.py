"""Fourier transforms as torch's kernels take them: 0 is no scaling, 1 the root of the size, 2 the size."""

from collections.abc import Callable
from math import prod
from typing import Any

import jax.numpy as jnp

from jaxgrad._core.types import Array


def _scale(sizes: list[int], normalization: int) -> float:
    return (1.0, prod(sizes) ** -0.5, 1 / prod(sizes))[normalization]


def _complex(x: Array, dim: Any, normalization: int, forward: bool) -> Array:
    sizes = [x.shape[axis] for axis in dim]
    if forward:
        return jnp.fft.fftn(x, axes=dim) * _scale(sizes, normalization)
    return jnp.fft.ifftn(x, axes=dim) * (prod(sizes) * _scale(sizes, normalization))


def _from_real(x: Array, dim: Any, normalization: int, onesided: bool) -> Array:
    transform = jnp.fft.rfftn if onesided else jnp.fft.fftn
    return transform(x, axes=dim) * _scale([x.shape[axis] for axis in dim], normalization)


def _to_real(x: Array, dim: Any, normalization: int, last: int) -> Array:
    sizes = [*(x.shape[axis] for axis in dim[:-1]), last]
    return jnp.fft.irfftn(x, s=sizes, axes=dim) * (prod(sizes) * _scale(sizes, normalization))


TABLE: dict[str, Callable[..., Any]] = {"_fft_c2c": _complex, "_fft_r2c": _from_real, "_fft_c2r": _to_real}
