"""Max pools: the greatest element of every window.

Where elements are equal, torch's gradient goes to the first, whole; nan is greater than everything. ``flax``'s
``max_pool`` gives the values, but neither indices nor ``ceil_mode`` nor dilation.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Num

from jaxgrad._core.castable import castable
from jaxgrad._core.diagnosis import diagnosed
from jaxgrad._core.operations import operation
from jaxgrad._core.types import Array
from jaxgrad.nn.functional.pooling import arguments
from jaxgrad.nn.functional.pooling.maximum import max_over, regular
from jaxgrad.nn.functional.sizes import Sizes
from jaxgrad.nn.functional.windows import count


@diagnosed
def max_pool1d(
    input: Num[Array, "*batch channels length"],
    kernel_size: int | Sizes,
    stride: int | Sizes | None = None,
    padding: int | Sizes = 0,
    dilation: int | Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    r"""Mirror of ``torch.nn.functional.max_pool1d``: :math:`y_o = \max_q x_{s o + d q - \mathrm{padding}}`.

    Derivative: the whole gradient goes to the first of equal elements, as in torch.

    Args:
        input: (N, C, L), or (C, L).
        kernel_size: number of elements in a window.
        stride: distance between windows, ``kernel_size`` by default.
        padding: minus infinity on both sides, at most half a kernel.
        dilation: distance between the elements of a window.
        ceil_mode: whether a last window that starts inside may hang over.
        return_indices: whether to return too where the elements lay; int32, int64 in JAX's 64-bit mode.

    Returns:
        (N, C, L'), or ``(output, indices)``.

    Raises:
        RuntimeError: sizes that do not fit, in torch's words.
        NotImplementedError: dtypes that torch does not pool.

    >>> max_pool1d(jnp.array([[[1.0, 5.0, 2.0, 7.0, 3.0]]]), 2, ceil_mode=True).tolist()
    [[[5.0, 7.0, 3.0]]]

    Source: torch/nn/functional.py, ``max_pool1d``.
    """
    input = jnp.asarray(input)
    kernel = arguments.numbers(kernel_size, 1, "kernel_size", "max_pool1d")
    steps = arguments.steps(stride, kernel, 1, "max_pool1d")
    pads = arguments.numbers(padding, 1, "padding", "max_pool1d")
    dilated = arguments.numbers(dilation, 1, "dilation", "max_pool1d")
    if return_indices:
        arguments.check_numbers(1, kernel, steps, pads, dilated)  # by way of two axes, as in torch
    arguments.check_max_pool1d(input, kernel[0], steps[0], pads[0], dilated[0], ceil_mode)
    arguments.check_dtype(input, "max_pool1d_impl", integers=False)
    return _POOLED[1](input, kernel, steps, pads, dilated, ceil_mode, return_indices)


@diagnosed
def max_pool2d(
    input: Num[Array, "*batch channels height width"],
    kernel_size: int | Sizes,
    stride: int | Sizes | None = None,
    padding: int | Sizes = 0,
    dilation: int | Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Mirror of ``torch.nn.functional.max_pool2d``; arguments as :func:`max_pool1d`, one number or two.

    Indices count along the flattened (H, W).

    >>> x = jnp.arange(16.0).reshape(1, 1, 4, 4)
    >>> output, indices = max_pool2d(x, 2, return_indices=True)
    >>> output.tolist(), indices.tolist()
    ([[[[5.0, 7.0], [13.0, 15.0]]]], [[[[5, 7], [13, 15]]]])

    Source: torch/nn/functional.py, ``max_pool2d``.
    """
    return _max_pool(2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@diagnosed
@castable("max_pool3d")
def max_pool3d(
    input: Num[Array, "*batch channels depth height width"],
    kernel_size: int | Sizes,
    stride: int | Sizes | None = None,
    padding: int | Sizes = 0,
    dilation: int | Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Mirror of ``torch.nn.functional.max_pool3d``; arguments as :func:`max_pool1d`, one number or three.

    >>> max_pool3d(jnp.ones((1, 4, 4, 4)), (1, 2, 2)).shape
    (1, 4, 2, 2)

    Source: torch/nn/functional.py, ``max_pool3d``.
    """
    return _max_pool(3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def _max_pool(
    n: int,
    input: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
    return_indices: bool,
) -> Any:
    input, function = jnp.asarray(input), f"max_pool{n}d"
    kernel = arguments.numbers(kernel_size, n, "kernel_size", function)
    steps = arguments.steps(stride, kernel, n, function)
    pads = arguments.numbers(padding, n, "padding", function)
    dilated = arguments.numbers(dilation, n, "dilation", function)
    arguments.check_rank(input, n, function)
    arguments.check_numbers(n, kernel, steps, pads, dilated)
    arguments.check_dilation(n, kernel, pads, dilated)
    arguments.check_not_empty(input, n, "max_pool3d_with_indices_out_cpu_template")
    arguments.check_dtype(input, function, integers=True)
    return _POOLED[n](input, kernel, steps, pads, dilated, ceil_mode, return_indices)


def _pooled(input: Array, *numbers: Any) -> Any:
    return _compiled(input, *numbers)


@partial(jax.jit, static_argnums=(1, 2, 3, 4, 5, 6))
def _compiled(
    input: Array, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, ceil_mode: bool, with_index: bool
) -> Any:
    n = len(kernel)
    sizes = input.shape[input.ndim - n :]
    each = list(zip(sizes, kernel, stride, padding, dilation, strict=True))
    arguments.check_room(input, n, kernel, tuple(count(*numbers, ceil_mode) for numbers in each))
    windows = [regular(*numbers, ceil_mode) for numbers in each]
    values, indices = max_over(input, windows, with_index=with_index)
    return (values, indices) if with_index else values


_POOLED = {n: operation(f"MaxPool{max(n, 2)}DWithIndicesBackward0")(_pooled) for n in (1, 2, 3)}
