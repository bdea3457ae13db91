r"""Convolutions in torch's layout: channels second, unbatched inputs too.

.. math:: y_{n o p} = b_o + \sum_{c, q} x_{n, c, s p + d q - \mathrm{padding}} \; w_{o c q}

a cross-correlation, as in all of deep learning. ``padding='same'`` puts the odd zero at the end, as torch does.
"""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Num

from jaxgrad._core.arguments import as_integer
from jaxgrad._core.castable import castable
from jaxgrad._core.errors import explain
from jaxgrad._core.operations import operation
from jaxgrad._core.over_positions import over_positions
from jaxgrad._core.types import Array
from jaxgrad.nn.functional.conv import bilinear, checks
from jaxgrad.nn.functional.conv.columns import Window
from jaxgrad.nn.functional.conv.convolve import convolve
from jaxgrad.nn.functional.sizes import Sizes


@castable("conv1d")
@operation("ConvolutionBackward0")
def conv1d(
    input: Num[Array, "*batch in_channels length"],
    weight: Num[Array, "out_channels channels_of_group kernel"],
    bias: Num[Array, " out_channels"] | None = None,
    stride: int | Sizes = 1,
    padding: int | Sizes | str = 0,
    dilation: int | Sizes = 1,
    groups: int = 1,
) -> Num[Array, "*batch channels_out length_out"]:
    r"""Mirror of ``torch.nn.functional.conv1d`` (the formula is in the module's docstring).

    Differs from ``jax.lax.conv``: unbatched inputs, torch's arguments, and dtypes are not promoted, they must agree.
    On accelerators the products have JAX's default precision (``jax.default_matmul_precision``).

    Args:
        input: (N, C, L), or (C, L).
        weight: (out, C / groups, kernel).
        bias: (out,), or None.
        stride: step of the window.
        padding: zeros on both sides, or 'valid' for none, or 'same' for an output as long as the input.
        dilation: distance between the elements of the kernel.
        groups: number of blocks of channels that do not meet.

    Returns:
        (N, out, L'), with :math:`L' = \lfloor (L + 2 p - d (k - 1) - 1) / s \rfloor + 1`.

    Raises:
        RuntimeError: shapes, dtypes or numbers that do not fit, in torch's words.

    >>> conv1d(jnp.array([[[1.0, 2.0, 4.0]]]), jnp.array([[[1.0, -1.0]]])).tolist()
    [[[-1.0, -2.0]]]
    >>> conv1d(jnp.ones((1, 3, 8)), jnp.ones((4, 2, 3)))
    Traceback (most recent call last):
        ...
    RuntimeError: Given groups=1, weight of size [4, 2, 3], expected input[1, 3, 8] to have 2 channels, ...
      got:      input (1, 3, 8), weight (4, 2, 3), groups=1
      expected: input (batch, 2, ...): channels come second, as in torch

    Source: torch/nn/functional.py, ``conv1d``.
    """
    return _conv(1, input, weight, bias, stride, padding, dilation, groups)


@castable("conv2d")
@operation("ConvolutionBackward0")
def conv2d(
    input: Num[Array, "*batch in_channels height width"],
    weight: Num[Array, "out_channels channels_of_group kernel_h kernel_w"],
    bias: Num[Array, " out_channels"] | None = None,
    stride: int | Sizes = 1,
    padding: int | Sizes | str = 0,
    dilation: int | Sizes = 1,
    groups: int = 1,
) -> Num[Array, "*batch channels_out height_out width_out"]:
    """Mirror of ``torch.nn.functional.conv2d``: (N, C, H, W) or (C, H, W); arguments as :func:`conv1d`.

    Args:
        input: (N, C, H, W), or (C, H, W).
        weight: (out, C / groups, kH, kW).
        bias: (out,), or None.
        stride: an integer, or one for each axis; so are padding and dilation.
        padding: as in :func:`conv1d`.
        dilation: as in :func:`conv1d`.
        groups: as in :func:`conv1d`.

    Returns:
        (N, out, H', W').

    >>> conv2d(jnp.ones((1, 3, 8, 8)), jnp.ones((4, 3, 3, 3)), jnp.zeros(4), stride=2, padding=1).shape
    (1, 4, 4, 4)

    Source: torch/nn/functional.py, ``conv2d``.
    """
    return _conv(2, input, weight, bias, stride, padding, dilation, groups)


@castable("conv3d")
@operation("ConvolutionBackward0")
def conv3d(
    input: Num[Array, "*batch in_channels depth height width"],
    weight: Num[Array, "out_channels channels_of_group kernel_d kernel_h kernel_w"],
    bias: Num[Array, " out_channels"] | None = None,
    stride: int | Sizes = 1,
    padding: int | Sizes | str = 0,
    dilation: int | Sizes = 1,
    groups: int = 1,
) -> Num[Array, "*batch channels_out depth_out height_out width_out"]:
    """Mirror of ``torch.nn.functional.conv3d``: (N, C, D, H, W) or (C, D, H, W); arguments as :func:`conv1d`.

    >>> conv3d(jnp.ones((3, 4, 4, 4)), jnp.ones((2, 3, 2, 2, 2))).shape
    (2, 3, 3, 3)

    Source: torch/nn/functional.py, ``conv3d``.
    """
    return _conv(3, input, weight, bias, stride, padding, dilation, groups)


def _conv(n: int, input: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: Any) -> Array:
    function = f"conv{n}d"
    input, weight = jnp.asarray(input), jnp.asarray(weight)
    bias = None if bias is None else jnp.asarray(bias)
    groups = as_integer(groups, "groups", function)
    x, was_batched = checks.batched(input, n, function)
    checks.check_bias_dtype(x, bias)
    checks.check_weight(weight, groups)
    dims = weight.ndim - 2
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise RuntimeError(explain(f"Invalid padding string: '{padding}'", expected="'same', 'valid', or numbers"))
        padding, same = 0, padding == "same"
    else:
        same = False
    if same and x.ndim != weight.ndim:
        checks.check_shapes(x, weight, bias, groups)
    stride = checks.per_axis(stride, dims, n, "stride", function)
    padding = checks.per_axis(padding, dims, n, "padding", function)
    dilation = checks.per_axis(dilation, dims, n, "dilation", function)
    if same and any(step != 1 for step in stride):
        raise RuntimeError("padding='same' is not supported for strided convolutions")
    checks.check_numbers(stride, padding, dilation)
    checks.check_shapes(x, weight, bias, groups)
    pads = tuple((p, p) for p in padding)
    if same:
        totals = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
        pads = tuple((total // 2, total - total // 2) for total in totals)
    else:
        checks.check_kernel_fits(x, weight, padding, dilation)
    checks.check_weight_dtype(x, weight)

    if weight.shape[1] == 0:
        weight = weight[:0]  # torch's answer to no channels is no channels, whatever the weight says
        bias = None
        groups = 1
    window = Window(x.shape[2:], weight.shape[2:], stride, pads, dilation, groups)
    if weight.size and bilinear.has_program(x, window):
        y = bilinear.conv(x, weight, window)
    else:
        y = convolve(x, weight, stride, pads, dilation, groups)
    if bias is not None:
        y = y + over_positions(bias, 1, y.shape)
    return y if was_batched else y[0]
