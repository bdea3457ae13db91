"""Channels turned into pixels and back, and channels dealt out to groups."""

import jax.numpy as jnp
from jaxtyping import Shaped

from jaxgrad._core.arguments import as_integer
from jaxgrad._core.errors import explain
from jaxgrad._core.operations import operation
from jaxgrad._core.types import Array


@operation("PixelShuffleBackward0")
def pixel_shuffle(
    input: Shaped[Array, "*batch channels height width"], upscale_factor: int
) -> Shaped[Array, "*batch channels_out height_out width_out"]:
    r"""Mirror of ``torch.nn.functional.pixel_shuffle``: (\*, C r^2, H, W) -> (\*, C, H r, W r).

    Args:
        input: at least three axes; the third last has C r^2 elements.
        upscale_factor: r.

    Returns:
        (\*, C, H r, W r) for an input of (\*, C r^2, H, W).

    Raises:
        RuntimeError: sizes that do not fit, in torch's words.

    >>> pixel_shuffle(jnp.arange(4).reshape(4, 1, 1), 2).tolist()
    [[[0, 1], [2, 3]]]

    Source: Shi et al., 2016; torch/nn/functional.py, ``pixel_shuffle``.
    """
    input = jnp.asarray(input)
    r = as_integer(upscale_factor, "upscale_factor", "pixel_shuffle")
    _check("pixel_shuffle", "upscale_factor", input, r)
    *batch, channels, height, width = input.shape
    if channels % r**2:
        raise RuntimeError(
            explain(
                f"pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of "
                f"upscale_factor, but input.size(-3)={channels} is not divisible by {r**2}",
                got=f"input {input.shape}",
                expected=f"(..., a multiple of {r**2}, height, width)",
            )
        )
    blocks = input.reshape(*batch, channels // r**2, r, r, height, width)
    n = len(batch)
    order = (*range(n), n, n + 3, n + 1, n + 4, n + 2)
    return blocks.transpose(order).reshape(*batch, channels // r**2, height * r, width * r)


@operation("PixelUnshuffleBackward0")
def pixel_unshuffle(
    input: Shaped[Array, "*batch channels height width"], downscale_factor: int
) -> Shaped[Array, "*batch channels_out height_out width_out"]:
    r"""Mirror of ``torch.nn.functional.pixel_unshuffle``: (\*, C, H r, W r) -> (\*, C r^2, H, W).

    Args:
        input: at least three axes, the last two divisible by r.
        downscale_factor: r.

    Returns:
        (\*, C r^2, H, W) for an input of (\*, C, H r, W r).

    Raises:
        RuntimeError: sizes that do not fit, in torch's words.

    >>> pixel_unshuffle(jnp.array([[[0, 1], [2, 3]]]), 2).ravel().tolist()
    [0, 1, 2, 3]

    Source: torch/nn/functional.py, ``pixel_unshuffle``.
    """
    input = jnp.asarray(input)
    r = as_integer(downscale_factor, "downscale_factor", "pixel_unshuffle")
    _check("pixel_unshuffle", "downscale_factor", input, r)
    *batch, channels, height, width = input.shape
    for name, place, size in (("height", -2, height), ("width", -1, width)):
        if size % r:
            raise RuntimeError(
                f"pixel_unshuffle expects {name} to be divisible by downscale_factor, but input.size({place})={size} "
                f"is not divisible by {r}"
            )
    blocks = input.reshape(*batch, channels, height // r, r, width // r, r)
    n = len(batch)
    order = (*range(n), n, n + 2, n + 4, n + 1, n + 3)
    return blocks.transpose(order).reshape(*batch, channels * r**2, height // r, width // r)


@operation("ChannelShuffleBackward0")
def channel_shuffle(input: Shaped[Array, "batch channels *size"], groups: int) -> Shaped[Array, "batch channels *size"]:
    r"""Mirror of ``torch.nn.functional.channel_shuffle``: channel j of group i goes to place j g + i.

    Args:
        input: (N, C, \*), at least three axes.
        groups: g, a divisor of C.

    Returns:
        The shape and dtype of the input.

    Raises:
        RuntimeError: sizes that do not fit, in torch's words.

    >>> channel_shuffle(jnp.arange(4).reshape(1, 4, 1), 2).ravel().tolist()
    [0, 2, 1, 3]

    Source: Zhang et al., 2018; torch/nn/functional.py, ``channel_shuffle``.
    """
    return _dealt(input, groups, "channel_shuffle")


@operation("NativeChannelShuffleBackward0")
def native_channel_shuffle(
    input: Shaped[Array, "batch channels *size"], groups: int
) -> Shaped[Array, "batch channels *size"]:
    """Mirror of ``torch.nn.functional.native_channel_shuffle``: the same as :func:`channel_shuffle`.

    >>> native_channel_shuffle(jnp.arange(4).reshape(1, 4, 1), 2).ravel().tolist()
    [0, 2, 1, 3]

    Source: torch/nn/functional.py, ``native_channel_shuffle``.
    """
    return _dealt(input, groups, "channel_shuffle")


def _dealt(input: Array, groups: int, function: str) -> Array:
    input, groups = jnp.asarray(input), as_integer(groups, "groups", function)
    if input.ndim < 3:
        raise RuntimeError(
            explain(
                f"{function} expects input with > 2 dims, but got input with sizes {list(input.shape)}",
                got=f"input {input.shape}",
                expected="(batch, channels, ...)",
            )
        )
    if groups <= 0:
        raise RuntimeError(f"Number of groups to divide channels in must be positive. Value of groups:{groups}")
    channels = input.shape[1]
    if channels % groups:
        raise RuntimeError(
            f"Number of channels must be divisible by groups. Got {channels} channels and {groups} groups."
        )
    dealt = input.reshape(input.shape[0], groups, channels // groups, *input.shape[2:])
    return jnp.swapaxes(dealt, 1, 2).reshape(input.shape)


def _check(function: str, name: str, input: Array, factor: int) -> None:
    if input.ndim < 3:
        raise RuntimeError(
            explain(
                f"{function} expects input to have at least 3 dimensions, but got input with {input.ndim} dimension(s)",
                got=f"input {input.shape}",
                expected="(..., channels, height, width)",
            )
        )
    if factor <= 0:
        raise RuntimeError(f"{function} expects a positive {name}, but got {factor}")
