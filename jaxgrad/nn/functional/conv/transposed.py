r"""Transposed convolutions: the map that carries a convolution's gradient back to its input, as a layer.

.. math:: y_{n o p} = b_o + \sum_{c, i, q:\; s i + d q - \mathrm{padding} = p} x_{n c i} \; w_{c o q}

The input is spread by the stride and met by the kernel turned round. Weights are (in, out / groups, \*kernel), as in
torch; JAX's ``conv_transpose`` neither turns the kernel round nor pads alike.
"""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Num

from jaxgrad._core.arguments import as_integer, wrong_kind
from jaxgrad._core.castable import castable
from jaxgrad._core.operations import operation
from jaxgrad._core.over_positions import over_positions
from jaxgrad._core.types import Array
from jaxgrad.nn.functional.conv import bilinear, checks
from jaxgrad.nn.functional.conv.columns import Window
from jaxgrad.nn.functional.conv.convolve import spread_and_convolve
from jaxgrad.nn.functional.sizes import Sizes


@castable("conv_transpose1d")
@operation("ConvolutionBackward0")
def conv_transpose1d(
    input: Num[Array, "*batch in_channels length"],
    weight: Num[Array, "in_channels channels_of_group kernel"],
    bias: Num[Array, " out_channels"] | None = None,
    stride: int | Sizes = 1,
    padding: int | Sizes = 0,
    output_padding: int | Sizes = 0,
    groups: int = 1,
    dilation: int | Sizes = 1,
) -> Num[Array, "*batch channels_out length_out"]:
    r"""Mirror of ``torch.nn.functional.conv_transpose1d`` (the formula is in the module's docstring).

    Args:
        input: (N, C, L), or (C, L).
        weight: (C, out / groups, kernel).
        bias: (out,), or None.
        stride: step of the convolution that this one goes back over.
        padding: that convolution's padding: so much is cut off on both sides.
        output_padding: makes the output longer at its end; below stride or dilation.
        groups: number of blocks of channels that do not meet. It comes before ``dilation``, as in torch.
        dilation: distance between the elements of the kernel.

    Returns:
        (N, out, L'), with :math:`L' = (L - 1) s - 2 p + d (k - 1) + \mathrm{output\_padding} + 1`.

    Raises:
        RuntimeError: shapes, dtypes or numbers that do not fit, in torch's words.

    >>> conv_transpose1d(jnp.array([[[1.0, 2.0]]]), jnp.array([[[1.0, 10.0]]]), stride=2).tolist()
    [[[1.0, 10.0, 2.0, 20.0]]]

    Source: torch/nn/functional.py, ``conv_transpose1d``; Zeiler et al., 2010.
    """
    return _conv_transpose(1, input, weight, bias, stride, padding, output_padding, groups, dilation)


@castable("conv_transpose2d")
@operation("ConvolutionBackward0")
def conv_transpose2d(
    input: Num[Array, "*batch in_channels height width"],
    weight: Num[Array, "in_channels channels_of_group kernel_h kernel_w"],
    bias: Num[Array, " out_channels"] | None = None,
    stride: int | Sizes = 1,
    padding: int | Sizes = 0,
    output_padding: int | Sizes = 0,
    groups: int = 1,
    dilation: int | Sizes = 1,
) -> Num[Array, "*batch channels_out height_out width_out"]:
    """Mirror of ``torch.nn.functional.conv_transpose2d``; arguments as :func:`conv_transpose1d`.

    >>> conv_transpose2d(jnp.ones((1, 3, 4, 4)), jnp.ones((3, 2, 2, 2)), stride=2).shape
    (1, 2, 8, 8)

    Source: torch/nn/functional.py, ``conv_transpose2d``.
    """
    return _conv_transpose(2, input, weight, bias, stride, padding, output_padding, groups, dilation)


@castable("conv_transpose3d")
@operation("ConvolutionBackward0")
def conv_transpose3d(
    input: Num[Array, "*batch in_channels depth height width"],
    weight: Num[Array, "in_channels channels_of_group kernel_d kernel_h kernel_w"],
    bias: Num[Array, " out_channels"] | None = None,
    stride: int | Sizes = 1,
    padding: int | Sizes = 0,
    output_padding: int | Sizes = 0,
    groups: int = 1,
    dilation: int | Sizes = 1,
) -> Num[Array, "*batch channels_out depth_out height_out width_out"]:
    """Mirror of ``torch.nn.functional.conv_transpose3d``; arguments as :func:`conv_transpose1d`.

    >>> conv_transpose3d(jnp.ones((3, 4, 4, 4)), jnp.ones((3, 2, 2, 2, 2))).shape
    (2, 5, 5, 5)

    Source: torch/nn/functional.py, ``conv_transpose3d``.
    """
    return _conv_transpose(3, input, weight, bias, stride, padding, output_padding, groups, dilation)


def _conv_transpose(
    n: int,
    input: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: Any,
    dilation: Any,
) -> Array:
    function = f"conv_transpose{n}d"
    input, weight = jnp.asarray(input), jnp.asarray(weight)
    bias = None if bias is None else jnp.asarray(bias)
    groups = as_integer(groups, "groups", function)
    if isinstance(padding, str):
        raise wrong_kind(padding, "padding", function, "tuple of ints")
    x, was_batched = checks.batched(input, n, function)
    checks.check_bias_dtype(x, bias)
    checks.check_weight(weight, groups)
    dims = weight.ndim - 2
    stride = checks.per_axis(stride, dims, n, "stride", function)
    padding = checks.per_axis(padding, dims, n, "padding", function)
    dilation = checks.per_axis(dilation, dims, n, "dilation", function)
    output_padding = checks.per_axis(output_padding, dims, n, "output_padding", function)
    checks.check_numbers(stride, padding, dilation, output_padding)
    checks.check_transposed_shapes(x, weight, bias, groups)
    checks.check_transposed_sizes(x, weight, stride, padding, dilation, output_padding)
    checks.check_weight_dtype(x, weight)

    if (y := _by_convolution(x, weight, stride, padding, output_padding, dilation, groups)) is not None:
        y = y if bias is None else y + over_positions(bias, 1, y.shape)
        return y if was_batched else y[0]
    reach = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
    pads = tuple((r - p, r - p + o) for r, p, o in zip(reach, padding, output_padding, strict=True))
    y = spread_and_convolve(x, turned(weight, groups), (1,) * n, pads, stride, dilation, groups)
    if bias is not None:
        y = y + over_positions(bias, 1, y.shape)
    return y if was_batched else y[0]


def _by_convolution(
    x: Array, weight: Array, stride: Sizes, padding: Sizes, output_padding: Sizes, dilation: Sizes, groups: int
) -> Array | None:
    """The transpose of the convolution whose output has the size of ``x``, if there is one."""
    each = zip(x.shape[2:], stride, padding, dilation, weight.shape[2:], output_padding, strict=True)
    out = tuple((size - 1) * s - 2 * p + d * (k - 1) + o + 1 for size, s, p, d, k, o in each)
    window = Window(out, weight.shape[2:], stride, tuple((p, p) for p in padding), dilation, groups)
    if weight.size and window.out() == x.shape[2:] and bilinear.has_program(x, window):
        return bilinear.conv_input(x, weight, window)
    return None


def turned(weight: Array, groups: int) -> Array:
    """(in, out / groups, *kernel) -> (out, in / groups, *kernel), the kernel turned round.

    >>> turned(jnp.arange(4.0).reshape(1, 2, 2), 1).tolist()
    [[[1.0, 0.0]], [[3.0, 2.0]]]
    """
    channels, out, *kernel = weight.shape
    blocks = weight.reshape(groups, channels // groups, out, *kernel)
    swapped = jnp.swapaxes(blocks, 1, 2).reshape(groups * out, channels // groups, *kernel)
    return jnp.flip(swapped, tuple(range(2, weight.ndim)))
