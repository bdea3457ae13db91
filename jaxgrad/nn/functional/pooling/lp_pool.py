"""Power-average pools: the p-norm of every window."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Float

from jaxgrad._core.diagnosis import diagnosed
from jaxgrad._core.types import Array
from jaxgrad.nn.functional.activation import relu
from jaxgrad.nn.functional.pooling.avg_pool import avg_pool1d, avg_pool2d, avg_pool3d
from jaxgrad.nn.functional.pooling.max_pool import max_pool1d, max_pool2d, max_pool3d
from jaxgrad.nn.functional.sizes import Sizes, integers


@diagnosed
def lp_pool1d(
    input: Float[Array, "*batch channels length"],
    norm_type: int | float,
    kernel_size: int,
    stride: int | Sizes | None = None,
    ceil_mode: bool = False,
) -> Float[Array, "*batch channels length_out"]:
    r"""Mirror of ``torch.nn.functional.lp_pool1d``: :math:`y_o = (\sum_q x_{s o + q}^p)^{1/p}`.

    The sum is taken as torch takes it: the mean times the kernel's size, so that a window that hangs over
    (``ceil_mode``) is scaled up, and a sum below 0 (odd p) has the root of its sign. Where all elements are 0 the
    gradient is nan for p > 1, as in torch.

    Args:
        input: (N, C, L), or (C, L).
        norm_type: p; infinity takes the greatest absolute value.
        kernel_size: number of elements in a window.
        stride: distance between windows, ``kernel_size`` by default.
        ceil_mode: whether a last window may hang over.

    Returns:
        (N, C, L').

    >>> lp_pool1d(jnp.array([[3.0, 4.0, 0.0, 5.0]]), 2, 2).tolist()
    [[5.0, 5.0]]

    Source: torch/nn/functional.py, ``lp_pool1d``.
    """
    return _lp_pool(1, input, norm_type, kernel_size, stride, ceil_mode)


@diagnosed
def lp_pool2d(
    input: Float[Array, "*batch channels height width"],
    norm_type: int | float,
    kernel_size: int | Sizes,
    stride: int | Sizes | None = None,
    ceil_mode: bool = False,
) -> Float[Array, "*batch channels height_out width_out"]:
    """Mirror of ``torch.nn.functional.lp_pool2d``; arguments as :func:`lp_pool1d`, one number or two.

    >>> lp_pool2d(jnp.ones((1, 2, 2)), 2, 2).tolist()
    [[[2.0]]]

    Source: torch/nn/functional.py, ``lp_pool2d``.
    """
    return _lp_pool(2, input, norm_type, kernel_size, stride, ceil_mode)


@diagnosed
def lp_pool3d(
    input: Float[Array, "*batch channels depth height width"],
    norm_type: int | float,
    kernel_size: int | Sizes,
    stride: int | Sizes | None = None,
    ceil_mode: bool = False,
) -> Float[Array, "*batch channels depth_out height_out width_out"]:
    """Mirror of ``torch.nn.functional.lp_pool3d``; arguments as :func:`lp_pool1d`, one number or three.

    >>> lp_pool3d(jnp.ones((1, 2, 2, 2)), 1, 2).tolist()
    [[[[8.0]]]]

    Source: torch/nn/functional.py, ``lp_pool3d``.
    """
    return _lp_pool(3, input, norm_type, kernel_size, stride, ceil_mode)


def _lp_pool(n: int, input: Any, p: Any, kernel_size: Any, stride: Any, ceil_mode: bool) -> Array:
    input = jnp.asarray(input)
    kernel = integers(kernel_size, "kernel_size", f"lp_pool{n}d")
    if len(kernel) not in (1, n) and n > 1:
        raise ValueError(f"too many values to unpack (expected {n})")
    if math.isinf(p):
        pool = (max_pool1d, max_pool2d, max_pool3d)[n - 1]
        sign = 1 if p > 0 else -1
        greatest: Array = pool(sign * _abs(input), kernel_size, stride, 0, 1, ceil_mode)
        return sign * greatest
    average = (avg_pool1d, avg_pool2d, avg_pool3d)[n - 1]
    mean = average(input**p, kernel_size, stride, 0, ceil_mode)
    size = math.prod(kernel) if len(kernel) == n else kernel[0] ** n
    return (jnp.sign(mean) * relu(_abs(mean)) * size) ** (1.0 / p)


def _abs(x: Array) -> Array:
    """The absolute value, with gradient 0 at 0."""
    return x * jax.lax.stop_gradient(jnp.sign(x))
