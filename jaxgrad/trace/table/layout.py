"""Operations on the memory of a tensor: ``(order, x, *args)``, with the order of the axes in which it lies there."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxgrad._core.types import Array


def _places(size: Any, stride: Any, offset: Any) -> np.ndarray:
    index = np.full(size, offset or 0)
    for axis, (n, step) in enumerate(zip(size, stride, strict=True)):
        index += (np.arange(n) * step).reshape([-1 if i == axis else 1 for i in range(len(size))])
    return index


def _as_strided(order: tuple[int, ...], x: Array, size: Any, stride: Any, offset: Any = None) -> Array:
    return jnp.transpose(x, order).ravel()[_places(size, stride, offset)]


def _as_strided_scatter(
    order: tuple[int, ...], x: Array, src: Array, size: Any, stride: Any, offset: Any = None
) -> Array:
    memory = jnp.transpose(x, order)
    written = memory.ravel().at[_places(size, stride, offset)].set(src).reshape(memory.shape)
    return jnp.transpose(written, np.argsort(order).tolist())


LAYOUT: dict[str, Callable[..., Any]] = {
    "as_strided": _as_strided,
    "as_strided_copy": _as_strided,
    "as_strided_scatter": _as_strided_scatter,
}
