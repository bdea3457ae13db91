r"""The convolution as a primitive whose program depends on the device.

A convolution is linear in its input and in its weight. It and its two gradients,

.. math:: y = F(x, w), \qquad \bar x = D(\bar y, w), \qquad \bar w = W(x, \bar y)

are each other's transposes, so the three of them are closed under differentiation, forwards and backwards, of any
order. On accelerators each is the ``jax.lax`` convolution that JAX itself would write; on CPUs it is XLA's library's,
in the form that it wants (:mod:`channels_last`), or made of matrix products (:mod:`columns`), whichever is faster.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.types import Array
from jaxgrad._jaxpr.bilinear import bilinear
from jaxgrad.nn.functional.conv import channels_last, columns
from jaxgrad.nn.functional.conv.columns import Window
from jaxgrad.nn.functional.conv.convolve import convolve

LONGEST = 32
"""Kernels up to this length are cut into slices, longer ones left to XLA."""


def has_program(array: Array, window: Window) -> bool:
    """The rule by which a convolution becomes this primitive, rather than ``jax.lax``'s at once.

    Real floats of 32 and 64 bits, kernels that are not very long, nothing empty, and not inside ``shard_map`` (whose
    check of replication knows JAX's primitives only). Sixteen bits, integers and complex numbers are XLA's everywhere.

    >>> window = Window((4,), (2,), (1,), ((0, 0),), (1,), 1)
    >>> has_program(jnp.ones((1, 2, 4)), window), has_program(jnp.ones((1, 2, 4), int), window)
    (True, False)
    """
    return (
        array.dtype.name in ("float32", "float64")
        and max(window.kernel) <= LONGEST
        and min((array.size, *window.sizes, *window.kernel, *window.out())) > 0
        and all(low >= 0 and high >= 0 for low, high in window.pads)
        and not jax.sharding.get_abstract_mesh().manual_axes
    )


def conv(input: Array, weight: Array, window: Window) -> Array:
    """F, the convolution.

    >>> window = Window((4,), (2,), (1,), ((0, 0),), (1,), 1)
    >>> conv(jnp.ones((1, 2, 4)), jnp.ones((3, 2, 2)), window).shape
    (1, 3, 3)
    """
    out: Array = _bind(input, weight, window=window, kind="forward")
    return out


def conv_input(cotangent: Array, weight: Array, window: Window) -> Array:
    """D, its transpose in the input, which is the transposed convolution too."""
    out: Array = _bind(cotangent, weight, window=window, kind="input")
    return out


def conv_weight(input: Array, cotangent: Array, window: Window) -> Array:
    """W, its transpose in the weight."""
    out: Array = _bind(input, cotangent, window=window, kind="weight")
    return out


def _by_lax(a: Array, b: Array, *, window: Window, kind: str) -> Array:
    """JAX's own convolution, and its own transposes of it."""
    _, _, stride, pads, dilation, groups = window
    numbers = (stride, pads, dilation, groups)
    if kind == "forward":
        return convolve(a, b, *numbers)
    if kind == "input":
        like = jax.ShapeDtypeStruct((a.shape[0], b.shape[1] * groups, *window.sizes), a.dtype)
        (x,) = jax.linear_transpose(lambda x: convolve(x, b, *numbers), like)(a)
        return x
    like = jax.ShapeDtypeStruct((b.shape[1], a.shape[1] // groups, *window.kernel), a.dtype)
    (w,) = jax.linear_transpose(lambda w: convolve(a, w, *numbers), like)(b)
    return w


def _on_cpu(a: Array, b: Array, *, window: Window, kind: str) -> Array:
    if kind != "weight" and channels_last.suits(b, window):
        return _by_library(a, b, window=window, kind=kind)
    return _by_columns(a, b, window=window, kind=kind)


def _by_library(a: Array, b: Array, *, window: Window, kind: str) -> Array:
    by = {"forward": channels_last.forward, "input": channels_last.input_gradient}
    return by[kind](a, b, window)


def _by_columns(a: Array, b: Array, *, window: Window, kind: str) -> Array:
    by = {"forward": columns.forward, "input": columns.input_gradient, "weight": columns.weight_gradient}
    return by[kind](a, b, window)


def _shape(a: Any, b: Any, *, window: Window, kind: str) -> tuple[int, ...]:
    if kind == "forward":
        return (a.shape[0], b.shape[0], *window.out())
    if kind == "input":
        return (a.shape[0], b.shape[1] * window.groups, *window.sizes)
    return (b.shape[1], a.shape[1] // window.groups, *window.kernel)


def _to_first(ct: Array, b: Array, *, window: Window, kind: str) -> Array:
    if kind == "forward":
        return conv_input(ct, b, window)
    return conv(ct, b, window) if kind == "input" else conv_input(b, ct, window)


def _to_second(ct: Array, a: Array, *, window: Window, kind: str) -> Array:
    if kind == "forward":
        return conv_weight(a, ct, window)
    return conv_weight(ct, a, window) if kind == "input" else conv(a, ct, window)


def _batched(args: Any, dims: Any, *, window: Window, kind: str) -> Array:
    """One more axis of images where only they have it, else what JAX does with its own convolution."""
    a, b = args
    if dims[1] is None and kind != "weight":
        a = jnp.moveaxis(a, dims[0], 0)
        out: Array = _bind(a.reshape(-1, *a.shape[2:]), b, window=window, kind=kind)
        return out.reshape(*a.shape[:2], *out.shape[1:])
    return jax.vmap(partial(_by_lax, window=window, kind=kind), dims)(a, b)


_bind = bilinear("conv", _shape, _by_lax, _on_cpu, (_to_first, _to_second), _batched)
