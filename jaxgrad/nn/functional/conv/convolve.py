r"""The one convolution beneath all: channels second, weights (out, in / groups, \*kernel), in torch's sense.

:math:`y_{n o p} = \sum_{c q} x_{n, c, s p + d q - \mathrm{low}} \, w_{o c q}`, a cross-correlation.
"""

from typing import Any

import jax

from jaxgrad._core.types import Array
from jaxgrad.nn.functional.sizes import Sizes

Pads = tuple[tuple[int, int], ...]

_LAYOUTS = {
    1: ("NCW", "OIW", "NCW"),
    2: ("NCHW", "OIHW", "NCHW"),
    3: ("NCDHW", "OIDHW", "NCDHW"),
}


def convolve(input: Array, weight: Array, stride: Sizes, pads: Pads, dilation: Sizes, groups: int) -> Array:
    """Slide the weight over the input.

    Args:
        input: (N, C, *spatial).
        weight: (out, C / groups, *kernel).
        stride: step of the window along each axis.
        pads: zeros before and after each axis; negative ones crop.
        dilation: distance of the kernel's elements along each axis.
        groups: number of blocks of channels that do not meet.

    Returns:
        (N, out, *spatial).

    >>> import jax.numpy as jnp
    >>> convolve(jnp.ones((1, 2, 4)), jnp.ones((3, 2, 2)), (1,), ((0, 0),), (1,), 1).shape
    (1, 3, 3)
    """
    return spread_and_convolve(input, weight, stride, pads, (1,) * len(stride), dilation, groups)


def spread_and_convolve(
    input: Array, weight: Array, stride: Sizes, pads: Pads, spread: Sizes, dilation: Sizes, groups: int
) -> Array:
    """``convolve`` of an input between whose elements ``spread - 1`` zeros were put: XLA's own convolution.

    >>> import jax.numpy as jnp
    >>> spread_and_convolve(jnp.ones((1, 1, 3)), jnp.ones((1, 1, 1)), (1,), ((0, 0),), (2,), (1,), 1).tolist()
    [[[1.0, 0.0, 1.0, 0.0, 1.0]]]
    """
    layouts: Any = _LAYOUTS[len(stride)]
    return jax.lax.conv_general_dilated(
        input,
        weight,
        window_strides=stride,
        padding=pads,
        lhs_dilation=spread,
        rhs_dilation=dilation,
        dimension_numbers=layouts,
        feature_group_count=groups,
    )
