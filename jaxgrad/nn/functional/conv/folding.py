r"""Sliding blocks of an image as columns, and columns added up to an image.

``unfold`` of (N, C, H, W) is (N, C * kH * kW, L): column l holds the block that starts at the l-th place, row by row.
``fold`` is its adjoint: elements that blocks share are added. A convolution is ``weight @ unfold(input)``.
"""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Shaped

from jaxgrad._core.dtype_names import torch_name
from jaxgrad._core.errors import explain
from jaxgrad._core.operations import operation
from jaxgrad._core.types import Array
from jaxgrad.nn.functional.sizes import Sizes, integers
from jaxgrad.nn.functional.windows import count, overlay, slide


@operation("Im2ColBackward0")
def unfold(
    input: Shaped[Array, "*batch channels height width"],
    kernel_size: int | Sizes,
    dilation: int | Sizes = 1,
    padding: int | Sizes = 0,
    stride: int | Sizes = 1,
) -> Shaped[Array, "*batch channels_x_kernel blocks"]:
    r"""Mirror of ``torch.nn.functional.unfold``: the blocks of an image as columns.

    Args:
        input: (N, C, H, W), or (C, H, W).
        kernel_size: of a block.
        dilation: distance between the elements of a block.
        padding: zeros on both sides.
        stride: distance between blocks.

    Returns:
        (N, C * kH * kW, L), L the number of blocks.

    Raises:
        RuntimeError: numbers that do not fit, in torch's words.

    >>> unfold(jnp.arange(6.0).reshape(1, 1, 2, 3), (2, 2)).tolist()
    [[[0.0, 1.0], [1.0, 2.0], [3.0, 4.0], [4.0, 5.0]]]

    Source: torch/nn/functional.py, ``unfold``.
    """
    input = jnp.asarray(input)
    kernel, spread, pads, steps = _numbers(kernel_size, dilation, padding, stride, "unfold")
    if input.ndim < 3:
        raise IndexError(
            explain(
                f"Dimension out of range (expected to be in range of [{-input.ndim}, {input.ndim - 1}], but got 2)",
                got=f"input {input.shape}",
                expected="(batch, channels, height, width)",
            )
        )
    if input.ndim > 4 or 0 in input.shape[-3:]:
        raise RuntimeError(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for input, "
            f"but got: {list(input.shape)}"
        )
    blocks = [count(*numbers) for numbers in zip(input.shape[-2:], kernel, steps, pads, spread, strict=True)]
    if min(blocks) < 1:
        raise RuntimeError(
            f"Given input with spatial size {input.shape[-2:]}, kernel_size={kernel}, dilation={spread}, "
            f"padding={pads}, calculated shape of the array of sliding blocks as {tuple(blocks)}, "
            "but its components must be at least one."
        )
    if jnp.issubdtype(input.dtype, jnp.integer):
        raise NotImplementedError(f"\"im2col_out_cpu\" not implemented for '{torch_name(input.dtype)}'")
    x = input if input.ndim == 4 else input[None]
    x = jnp.pad(x, ((0, 0), (0, 0), *((p, p) for p in pads)))
    x = slide(x, 2, kernel[0], steps[0], spread[0])
    x = slide(x, 4, kernel[1], steps[1], spread[1])  # (N, C, kH, H', kW, W')
    columns = jnp.swapaxes(x, 3, 4).reshape(x.shape[0], x.shape[1] * kernel[0] * kernel[1], blocks[0] * blocks[1])
    return columns if input.ndim == 4 else columns[0]


@operation("Col2ImBackward0")
def fold(
    input: Shaped[Array, "*batch channels_x_kernel blocks"],
    output_size: int | Sizes,
    kernel_size: int | Sizes,
    dilation: int | Sizes = 1,
    padding: int | Sizes = 0,
    stride: int | Sizes = 1,
) -> Shaped[Array, "*batch channels height width"]:
    """Mirror of ``torch.nn.functional.fold``: blocks added up to an image.

    Args:
        input: (N, C * kH * kW, L), or without the batch.
        output_size: (H, W) of the image.
        kernel_size: as in :func:`unfold`, with the other three.
        dilation: as in :func:`unfold`.
        padding: as in :func:`unfold`.
        stride: as in :func:`unfold`.

    Returns:
        (N, C, H, W).

    Raises:
        RuntimeError: numbers that do not fit, in torch's words.

    >>> fold(jnp.ones((1, 4, 2)), (2, 3), (2, 2)).tolist()
    [[[[1.0, 2.0, 1.0], [1.0, 2.0, 1.0]]]]

    Source: torch/nn/functional.py, ``fold``.
    """
    input = jnp.asarray(input)
    size = _pair(output_size, "output_size", "fold")
    kernel, spread, pads, steps = _numbers(kernel_size, dilation, padding, stride, "fold")
    if input.ndim not in (2, 3) or 0 in input.shape[-2:]:
        raise RuntimeError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero dimensions for "
            f"input, but got: {list(input.shape)}"
        )
    at = input.ndim - 2
    area = kernel[0] * kernel[1]
    if input.shape[at] % area:
        raise RuntimeError(
            f"Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got "
            f"input.size(1)={input.shape[at]} and kernel_size={kernel}."
        )
    h, w = (count(*numbers) for numbers in zip(size, kernel, steps, pads, spread, strict=True))
    given = f"Given output_size={size}, kernel_size={kernel}, dilation={spread}, padding={pads}, stride={steps}, "
    if input.shape[-1] != h * w:
        raise RuntimeError(
            f"{given}expected size of input's dimension 2 to match the calculated number of sliding blocks "
            f"{h} * {w} = {h * w}, but got input.size(2)={input.shape[-1]}."
        )
    if min(h, w) < 1:
        raise RuntimeError(
            f"{given}calculated shape of the array of sliding blocks as ({h}, {w}), which is too small (non-positive)"
        )
    x = input if input.ndim == 3 else input[None]
    x = x.reshape(x.shape[0], x.shape[1] // area, *kernel, h, w)
    x = jnp.swapaxes(x, 3, 4)
    padded = [n + 2 * p for n, p in zip(size, pads, strict=True)]
    x = overlay(x, 4, padded[1], steps[1], spread[1])
    x = overlay(x, 2, padded[0], steps[0], spread[0])
    x = x[:, :, pads[0] : pads[0] + size[0], pads[1] : pads[1] + size[1]]
    return x if input.ndim == 3 else x[0]


def _pair(value: Any, name: str, function: str) -> tuple[int, int]:
    numbers = integers(value, name, function)
    if len(numbers) == 1 and not isinstance(value, list | tuple):
        numbers = numbers * 2
    if len(numbers) != 2:
        raise RuntimeError(f"It is expected {name} equals to 2, but got size {len(numbers)}")
    return numbers[0], numbers[1]


def _numbers(kernel_size: Any, dilation: Any, padding: Any, stride: Any, function: str) -> tuple[Any, Any, Any, Any]:
    kernel = _pair(kernel_size, "kernel_size", function)
    dilation = _pair(dilation, "dilation", function)
    padding = _pair(padding, "padding", function)
    stride = _pair(stride, "stride", function)
    if min(kernel) <= 0:
        raise RuntimeError(
            f"kernel size should be greater than zero, but got kernel_height: {kernel[0]} kernel_width: {kernel[1]}"
        )
    for name, (height, width) in (("dilation", dilation), ("stride", stride)):
        if min(height, width) <= 0:
            raise RuntimeError(
                f"{name} should be greater than zero, but got {name}_height: {height} {name}_width: {width}"
            )
    if min(padding) < 0:
        raise RuntimeError(f"padding should be non-negative, but got pad_height: {padding[0]} pad_width: {padding[1]}")
    return kernel, dilation, padding, stride
