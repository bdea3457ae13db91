"""Views, joins and cuts."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F


def _expand(x: Array, size: Any, implicit: bool = False) -> Array:
    del implicit
    lead = len(size) - x.ndim
    shape = [x.shape[i - lead] if n == -1 else n for i, n in enumerate(size)]
    return jnp.broadcast_to(x.reshape((1,) * lead + x.shape), shape)


def _slice(x: Array, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Array:
    first, last, _ = slice(start, end).indices(x.shape[dim])
    return jax.lax.slice_in_dim(x, first, max(first, last), step, axis=dim % x.ndim)


def _slice_scatter(x: Array, src: Array, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Array:
    place: list[Any] = [slice(None)] * x.ndim
    place[dim] = slice(start, None if end is not None and end > x.shape[dim] else end, step)
    return x.at[tuple(place)].set(src)


def _select_scatter(x: Array, src: Array, dim: int, index: int) -> Array:
    return x.at[(slice(None),) * (dim % x.ndim) + (index,)].set(src)


def _split(x: Array, size: int, dim: int = 0) -> list[Array]:
    return jnp.split(x, range(size, x.shape[dim], size), dim)


def _squeeze(x: Array, dims: Any = None) -> Array:
    axes = range(x.ndim) if dims is None else [dims] if isinstance(dims, int) else dims
    return jnp.squeeze(x, tuple(axis for axis in axes if x.ndim and x.shape[axis] == 1))


def _concatenate(arrays: Any, dim: int = 0) -> Array:
    kept = [each for each in arrays if each.shape != (0,)] or arrays
    return jnp.concatenate(kept, dim)


def _pad(x: Array, pad: Any, value: float = 0) -> Array:
    pairs = [(0, 0)] * (x.ndim - len(pad) // 2) + [(pad[i], pad[i + 1]) for i in range(len(pad) - 2, -1, -2)]
    return jax.lax.pad(x, jnp.asarray(value, x.dtype), [(low, high, 0) for low, high in pairs])


def _repeat(x: Array, repeats: Any) -> Array:
    return jnp.tile(x.reshape((1,) * (len(repeats) - x.ndim) + x.shape), repeats)


def _windows(x: Array, dim: int, size: int, step: int) -> Array:
    if x.ndim == 0:
        return x[None]
    starts = np.arange(0, x.shape[dim] - size + 1, step)
    return jnp.moveaxis(jnp.take(x, starts[:, None] + np.arange(size), axis=dim), dim % x.ndim + 1, -1)


def _diagonal_scatter(x: Array, src: Array, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Array:
    places = jnp.diagonal(jnp.arange(x.size).reshape(x.shape), offset, dim1, dim2)
    return x.ravel().at[places].set(src).reshape(x.shape)


def _narrow(x: Array, dim: int, start: int, length: int) -> Array:
    first = start + x.shape[dim] if start < 0 else start
    return jax.lax.slice_in_dim(x, first, first + length, axis=dim % x.ndim)


def _windows_backward(grad: Array, sizes: Any, dim: int, size: int, step: int) -> Array:
    to_x: Array = jax.vjp(lambda x: _windows(x, dim, size, step), jnp.zeros(sizes, grad.dtype))[1](grad)[0]
    return to_x


TABLE: dict[str, Callable[..., Any]] = {
    "view": jnp.reshape,
    "_unsafe_view": jnp.reshape,
    "reshape": jnp.reshape,
    "permute": jnp.transpose,
    "transpose.int": jnp.swapaxes,
    "t": jnp.transpose,
    "expand": _expand,
    "unsqueeze": jnp.expand_dims,
    "squeeze": _squeeze,
    "squeeze.dim": _squeeze,
    "squeeze.dims": _squeeze,
    "flip": jnp.flip,
    "roll": lambda x, shifts, dims=None: jnp.roll(x, tuple(shifts), tuple(dims) if dims else None),
    "cat": _concatenate,
    "stack": lambda arrays, dim=0: jnp.stack(arrays, dim),
    "select.int": lambda x, dim, index: jax.lax.index_in_dim(x, index, dim, keepdims=False),
    "slice.Tensor": _slice,
    "slice_scatter": _slice_scatter,
    "select_scatter": _select_scatter,
    "split.Tensor": _split,
    "split_with_sizes": lambda x, sizes, dim=0: jnp.split(x, np.cumsum(sizes)[:-1].tolist(), dim),
    "unbind.int": lambda x, dim=0: [jnp.squeeze(each, dim) for each in jnp.split(x, x.shape[dim], dim)],
    "constant_pad_nd": _pad,
    "repeat": _repeat,
    "diagonal": lambda x, offset=0, dim1=0, dim2=1: jnp.diagonal(x, offset, dim1, dim2),
    "triu": jnp.triu,
    "tril": jnp.tril,
    "diagonal_scatter": _diagonal_scatter,
    "unfold": _windows,
    "unfold_backward": _windows_backward,
    "narrow": _narrow,
    "pixel_shuffle": F.pixel_shuffle,
    "pixel_unshuffle": F.pixel_unshuffle,
    "channel_shuffle": F.channel_shuffle,
    "rot90": lambda x, k=1, dims=(0, 1): jnp.rot90(x, k, tuple(dims)),
    "view_as_real": lambda x: jnp.stack([x.real, x.imag], -1),
    "view_as_complex": lambda x: jax.lax.complex(x[..., 0], x[..., 1]),
    "complex": jax.lax.complex,
    "polar": lambda size, angle: jax.lax.complex(size * jnp.cos(angle), size * jnp.sin(angle)),
    "real": jnp.real,
    "imag": jnp.imag,
}

TABLE |= {
    f"{name}_copy{kind}": TABLE[f"{name}{kind}"]
    for name, kind in (
        *((each, "") for each in ("view", "permute", "expand", "unsqueeze", "squeeze", "diagonal", "unfold", "t")),
        *((each, "") for each in ("view_as_real", "view_as_complex", "narrow", "split_with_sizes")),
        ("transpose", ".int"), ("select", ".int"), ("slice", ".Tensor"), ("split", ".Tensor"), ("unbind", ".int"),
        ("squeeze", ".dim"), ("squeeze", ".dims"),
    )
}  # fmt: skip
