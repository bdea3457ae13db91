"""Average pools. The pads count as elements by default, as in torch."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Num

from jaxgrad._core.arguments import as_integer
from jaxgrad._core.castable import castable
from jaxgrad._core.diagnosis import diagnosed
from jaxgrad._core.operations import operation
from jaxgrad._core.types import Array
from jaxgrad.nn.functional.pooling import arguments
from jaxgrad.nn.functional.pooling.average import mean_over
from jaxgrad.nn.functional.pooling.maximum import Windows, regular
from jaxgrad.nn.functional.sizes import Sizes
from jaxgrad.nn.functional.windows import count


@diagnosed
def avg_pool1d(
    input: Num[Array, "*batch channels length"],
    kernel_size: int | Sizes,
    stride: int | Sizes | None = None,
    padding: int | Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Num[Array, "*batch channels length_out"]:
    r"""Mirror of ``torch.nn.functional.avg_pool1d``: :math:`y_o = \frac 1 k \sum_q x_{s o + q - \mathrm{padding}}`.

    Args:
        input: (N, C, L), or (C, L).
        kernel_size: number of elements in a window.
        stride: distance between windows, ``kernel_size`` by default.
        padding: zeros on both sides, at most half a kernel.
        ceil_mode: whether a last window that starts inside may hang over; what hangs over the pads is not counted.
        count_include_pad: whether pads count among the elements that the sum is divided by.

    Returns:
        (N, C, L').

    Raises:
        RuntimeError: sizes that do not fit, in torch's words.
        NotImplementedError: dtypes that torch does not pool.

    >>> avg_pool1d(jnp.array([[[1.0, 5.0, 2.0, 7.0]]]), 2, padding=1).tolist()
    [[[0.5, 3.5, 3.5]]]

    Source: torch/nn/functional.py, ``avg_pool1d``.
    """
    return _avg_pool(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


@diagnosed
def avg_pool2d(
    input: Num[Array, "*batch channels height width"],
    kernel_size: int | Sizes,
    stride: int | Sizes | None = None,
    padding: int | Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Num[Array, "*batch channels height_out width_out"]:
    """Mirror of ``torch.nn.functional.avg_pool2d``; arguments as :func:`avg_pool1d`, one number or two.

    Args:
        input: (N, C, H, W), or (C, H, W).
        kernel_size: as in :func:`avg_pool1d`, with the next four.
        stride: as in :func:`avg_pool1d`.
        padding: as in :func:`avg_pool1d`.
        ceil_mode: as in :func:`avg_pool1d`.
        count_include_pad: as in :func:`avg_pool1d`.
        divisor_override: what the sum is divided by, instead of the number of elements.

    >>> avg_pool2d(jnp.arange(4.0).reshape(1, 2, 2), 2, divisor_override=1).tolist()
    [[[6.0]]]

    Source: torch/nn/functional.py, ``avg_pool2d``.
    """
    return _avg_pool(2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


@diagnosed
@castable("avg_pool3d")
def avg_pool3d(
    input: Num[Array, "*batch channels depth height width"],
    kernel_size: int | Sizes,
    stride: int | Sizes | None = None,
    padding: int | Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Num[Array, "*batch channels depth_out height_out width_out"]:
    """Mirror of ``torch.nn.functional.avg_pool3d``; arguments as :func:`avg_pool2d`, one number or three.

    >>> avg_pool3d(jnp.ones((1, 4, 4, 4)), (1, 2, 2)).shape
    (1, 4, 2, 2)

    Source: torch/nn/functional.py, ``avg_pool3d``.
    """
    return _avg_pool(3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def _avg_pool(
    n: int,
    input: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: Any,
) -> Array:
    input, function = jnp.asarray(input), f"avg_pool{n}d"
    kernel = arguments.numbers(kernel_size, n, "kernel_size", function)
    steps = arguments.steps(stride, kernel, n, function)
    pads = arguments.numbers(padding, n, "padding", function)
    if divisor_override is not None:
        divisor_override = as_integer(divisor_override, "divisor_override", function)
        if divisor_override == 0:
            raise RuntimeError("divisor must be not zero")
    arguments.check_rank(input, n, function)
    arguments.check_numbers(n, kernel, steps, pads, (1,) * n)
    arguments.check_not_empty(input, n, function)
    arguments.check_dtype(input, "avg_pool3d_out_frame" if n == 3 else "avg_pool2d", integers=True)
    return _POOLED[n](input, kernel, steps, pads, ceil_mode, count_include_pad, divisor_override)


def _pooled(input: Array, *numbers: Any) -> Any:
    return _compiled(input, *numbers)


@partial(jax.jit, static_argnums=(1, 2, 3, 4, 5, 6))
def _compiled(
    input: Array,
    kernel: Sizes,
    stride: Sizes,
    padding: Sizes,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor: int | None,
) -> Array:
    n = len(kernel)
    sizes = input.shape[input.ndim - n :]
    each = [(*numbers, 1, ceil_mode) for numbers in zip(sizes, kernel, stride, padding, strict=True)]
    arguments.check_room(input, n, kernel, tuple(count(*numbers) for numbers in each), average=True)
    windows = [regular(*numbers) for numbers in each]
    if divisor is not None:
        lengths = [np.asarray([divisor])] + [np.ones(1, int)] * (n - 1)
    elif count_include_pad:
        lengths = [_lengths(w, size + pad) for w, size, pad in zip(windows, sizes, padding, strict=True)]
    else:
        lengths = [w.inside.sum(1) for w in windows]
    return mean_over(input, windows, lengths)


def _lengths(windows: Windows, end: int) -> np.ndarray:
    """How much of each window lies before the end of the pads."""
    return (windows.at < end).sum(1)


_POOLED = {n: operation(f"AvgPool{max(n, 2)}DBackward0")(_pooled) for n in (1, 2, 3)}
