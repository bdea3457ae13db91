"""Pooling layers that take means and norms; those that take maxima are in ``pooling``."""

from collections.abc import Sequence

from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F
from jaxgrad.nn.functional.sizes import Sizes
from jaxgrad.nn.modules.pooling import PoolNd


class _AvgPool(PoolNd):
    def __init__(
        self,
        kernel_size: int | Sizes,
        stride: int | Sizes | None = None,
        padding: int | Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ):
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Array) -> Array:
        r"""(N, C, \*spatial) -> (N, C, \*windows)."""
        pool = F.avg_pool2d if self.n == 2 else F.avg_pool3d
        return pool(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )

    def extra_repr(self) -> str:
        """Torch's."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _LPPool(PoolNd):
    def __init__(
        self,
        norm_type: float,
        kernel_size: int | Sizes,
        stride: int | Sizes | None = None,
        ceil_mode: bool = False,
    ):
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def forward(self, input: Array) -> Array:
        r"""(N, C, \*spatial) -> (N, C, \*windows)."""
        pool = self._function("lp_pool")
        pooled: Array = pool(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)
        return pooled

    def extra_repr(self) -> str:
        """Torch's."""
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class _AdaptiveAvgPool(PoolNd):
    def __init__(self, output_size: int | Sequence[int | None]):
        self.output_size = output_size

    def forward(self, input: Array) -> Array:
        r"""(N, C, \*spatial) -> (N, C, \*output_size)."""
        pooled: Array = self._function("adaptive_avg_pool")(input, self.output_size)
        return pooled

    def extra_repr(self) -> str:
        """Torch's."""
        return f"output_size={self.output_size}"


class AvgPool1d(_AvgPool):
    """Mirror of ``torch.nn.AvgPool1d``: ``F.avg_pool1d``.

    Args:
        kernel_size: of the windows.
        stride: distance between windows, ``kernel_size`` by default.
        padding: zeros on both sides.
        ceil_mode: whether a last window may hang over.
        count_include_pad: whether pads count among the elements that the sum is divided by.

    >>> import jax.numpy as jnp
    >>> AvgPool1d(2)(jnp.ones((1, 3, 8))).shape
    (1, 3, 4)

    Source: torch/nn/modules/pooling.py.
    """

    n = 1

    def __init__(
        self,
        kernel_size: int | Sizes,
        stride: int | Sizes | None = None,
        padding: int | Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ):
        super().__init__(kernel_size, stride, padding, ceil_mode, count_include_pad)
        self.kernel_size = self._each(self.kernel_size, "kernel_size")
        self.stride = self._each(self.stride, "stride")
        self.padding = self._each(self.padding, "padding")

    def forward(self, input: Array) -> Array:
        """(N, C, L) -> (N, C, L')."""
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)


class AvgPool2d(_AvgPool):
    """Mirror of ``torch.nn.AvgPool2d``: ``F.avg_pool2d``.

    Arguments as :class:`AvgPool1d`, and ``divisor_override``, what the sum is divided by.

    >>> import jax.numpy as jnp
    >>> AvgPool2d(2)(jnp.ones((1, 3, 8, 8))).shape
    (1, 3, 4, 4)

    Source: torch/nn/modules/pooling.py.
    """

    n = 2


class AvgPool3d(_AvgPool):
    """Mirror of ``torch.nn.AvgPool3d``: ``F.avg_pool3d``.

    Arguments as :class:`AvgPool1d`, and ``divisor_override``, what the sum is divided by.

    >>> import jax.numpy as jnp
    >>> AvgPool3d(2)(jnp.ones((1, 3, 8, 8, 8))).shape
    (1, 3, 4, 4, 4)

    Source: torch/nn/modules/pooling.py.
    """

    n = 3


class LPPool1d(_LPPool):
    """Mirror of ``torch.nn.LPPool1d``: ``F.lp_pool1d``.

    Args:
        norm_type: p of the norm.
        kernel_size: of the windows.
        stride: distance between windows, ``kernel_size`` by default.
        ceil_mode: whether a last window may hang over.

    >>> import jax.numpy as jnp
    >>> LPPool1d(2, 2)(jnp.ones((1, 3, 8))).shape
    (1, 3, 4)

    Source: torch/nn/modules/pooling.py.
    """

    n = 1


class LPPool2d(_LPPool):
    """Mirror of ``torch.nn.LPPool2d``: ``F.lp_pool2d``.

    Arguments as :class:`LPPool1d`.

    >>> import jax.numpy as jnp
    >>> LPPool2d(2, 2)(jnp.ones((1, 3, 8, 8))).shape
    (1, 3, 4, 4)

    Source: torch/nn/modules/pooling.py.
    """

    n = 2


class LPPool3d(_LPPool):
    """Mirror of ``torch.nn.LPPool3d``: ``F.lp_pool3d``.

    Arguments as :class:`LPPool1d`.

    >>> import jax.numpy as jnp
    >>> LPPool3d(2, 2)(jnp.ones((1, 3, 8, 8, 8))).shape
    (1, 3, 4, 4, 4)

    Source: torch/nn/modules/pooling.py.
    """

    n = 3


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """Mirror of ``torch.nn.AdaptiveAvgPool1d``: ``F.adaptive_avg_pool1d``.

    Args:
        output_size: one number, or one for each axis; None keeps an axis as it is (two axes and more).

    >>> import jax.numpy as jnp
    >>> AdaptiveAvgPool1d(4)(jnp.ones((1, 3, 8))).shape
    (1, 3, 4)

    Source: torch/nn/modules/pooling.py.
    """

    n = 1


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """Mirror of ``torch.nn.AdaptiveAvgPool2d``: ``F.adaptive_avg_pool2d``.

    Arguments as :class:`AdaptiveAvgPool1d`.

    >>> import jax.numpy as jnp
    >>> AdaptiveAvgPool2d(4)(jnp.ones((1, 3, 8, 8))).shape
    (1, 3, 4, 4)

    Source: torch/nn/modules/pooling.py.
    """

    n = 2


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """Mirror of ``torch.nn.AdaptiveAvgPool3d``: ``F.adaptive_avg_pool3d``.

    Arguments as :class:`AdaptiveAvgPool1d`.

    >>> import jax.numpy as jnp
    >>> AdaptiveAvgPool3d(4)(jnp.ones((1, 3, 8, 8, 8))).shape
    (1, 3, 4, 4, 4)

    Source: torch/nn/modules/pooling.py.
    """

    n = 3
