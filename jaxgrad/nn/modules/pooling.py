"""Pooling layers: the functions of ``nn.functional`` with everything but the input fixed."""

from collections.abc import Sequence
from typing import Any, ClassVar

import jax.numpy as jnp

from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F
from jaxgrad.nn.functional.sizes import Sizes, integers
from jaxgrad.nn.modules.module import Module
from jaxgrad.nn.parameter import Buffer


class PoolNd(Module):
    """Every pool knows its number of axes and the function that it calls."""

    n: ClassVar[int]

    def _each(self, value: Any, name: str) -> Sizes:
        given = integers(value, name, type(self).__name__)
        return given if isinstance(value, list | tuple) else given * self.n

    def _function(self, name: str) -> Any:
        return getattr(F, f"{name}{self.n}d")


class _MaxPool(PoolNd):
    def __init__(
        self,
        kernel_size: int | Sizes,
        stride: int | Sizes | None = None,
        padding: int | Sizes = 0,
        dilation: int | Sizes = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ):
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: Array) -> Any:
        r"""(N, C, \*spatial) -> (N, C, \*windows), with the indices if they were asked for."""
        return self._function("max_pool")(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )

    def extra_repr(self) -> str:
        """Torch's."""
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class _MaxUnpool(PoolNd):
    def __init__(self, kernel_size: int | Sizes, stride: int | Sizes | None = None, padding: int | Sizes = 0):
        self.kernel_size = self._each(kernel_size, "kernel_size")
        self.stride = self._each(kernel_size if stride is None else stride, "stride")
        self.padding = self._each(padding, "padding")

    def forward(self, input: Array, indices: Array, output_size: Sequence[int] | None = None) -> Array:
        r"""(N, C, \*windows) and where they lay -> (N, C, \*spatial)."""
        unpool = self._function("max_unpool")
        unpooled: Array = unpool(input, indices, self.kernel_size, self.stride, self.padding, output_size)
        return unpooled

    def extra_repr(self) -> str:
        """Torch's."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _AdaptiveMaxPool(PoolNd):
    def __init__(self, output_size: int | Sequence[int | None], return_indices: bool = False):
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, input: Array) -> Any:
        r"""(N, C, \*spatial) -> (N, C, \*output_size), with the indices if they were asked for."""
        return self._function("adaptive_max_pool")(input, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        """Torch's."""
        return f"output_size={self.output_size}"


class _FractionalMaxPool(PoolNd):
    def __init__(
        self,
        kernel_size: int | Sizes,
        output_size: int | Sizes | None = None,
        output_ratio: float | Sequence[float] | None = None,
        return_indices: bool = False,
        _random_samples: Array | None = None,
    ):
        name = type(self).__name__
        if self.n == 3 and min(integers(kernel_size, "kernel_size", name)) <= 0:
            raise ValueError(f"kernel_size must be greater than 0, but got {kernel_size}")
        if output_size is None and output_ratio is None:
            raise ValueError(f"{name} requires specifying either an output size, or a pooling ratio")
        if output_size is not None and output_ratio is not None:
            raise ValueError("only one of output_size and output_ratio may be specified")
        self.kernel_size = self._each(kernel_size, "kernel_size")
        self.return_indices = return_indices
        self._random_samples = None if _random_samples is None else Buffer(jnp.asarray(_random_samples))
        self.output_size = None if output_size is None else self._each(output_size, "output_size")
        self.output_ratio: tuple[float, ...] | None = None
        if output_ratio is not None:
            one = isinstance(output_ratio, int | float)
            ratios: tuple[float, ...] = (output_ratio,) * self.n if one else tuple(output_ratio)  # type: ignore
            self.output_ratio = ratios
            if not all(0 < ratio < 1 for ratio in ratios):
                raise ValueError(f"output_ratio must be between 0 and 1 (got {output_ratio})")

    def forward(self, input: Array) -> Any:
        r"""(N, C, \*spatial) -> (N, C, \*windows), with the indices if they were asked for."""
        pool = self._function("fractional_max_pool")
        fixed = (self.kernel_size, self.output_size, self.output_ratio, self.return_indices)
        if self._random_samples is None:
            return self.draw(pool, input, *fixed)
        return pool(input, *fixed, self._random_samples.get_value())


class MaxPool1d(_MaxPool):
    """Mirror of ``torch.nn.MaxPool1d``: ``F.max_pool1d``.

    Args:
        kernel_size: of the windows.
        stride: distance between windows, ``kernel_size`` by default.
        padding: minus infinity on both sides.
        dilation: distance between the elements of a window.
        return_indices: whether to return too where the elements lay; it comes before ``ceil_mode``, as in torch.
        ceil_mode: whether a last window may hang over.

    >>> MaxPool1d(2)(jnp.ones((1, 3, 8))).shape
    (1, 3, 4)

    Source: torch/nn/modules/pooling.py.
    """

    n = 1


class MaxPool2d(_MaxPool):
    """Mirror of ``torch.nn.MaxPool2d``: ``F.max_pool2d``.

    Arguments as :class:`MaxPool1d`.

    >>> MaxPool2d(2)(jnp.ones((1, 3, 8, 8))).shape
    (1, 3, 4, 4)

    Source: torch/nn/modules/pooling.py.
    """

    n = 2


class MaxPool3d(_MaxPool):
    """Mirror of ``torch.nn.MaxPool3d``: ``F.max_pool3d``.

    Arguments as :class:`MaxPool1d`.

    >>> MaxPool3d(2)(jnp.ones((1, 3, 8, 8, 8))).shape
    (1, 3, 4, 4, 4)

    Source: torch/nn/modules/pooling.py.
    """

    n = 3


class MaxUnpool1d(_MaxUnpool):
    """Mirror of ``torch.nn.MaxUnpool1d``: ``F.max_unpool1d``.

    Args:
        kernel_size: of the pool that is undone.
        stride: of that pool.
        padding: of that pool.

    >>> x = jnp.arange(4.0).reshape(1, 1, 4)
    >>> MaxUnpool1d(2)(*MaxPool1d(2, return_indices=True)(x)).shape
    (1, 1, 4)

    Source: torch/nn/modules/pooling.py.
    """

    n = 1


class MaxUnpool2d(_MaxUnpool):
    """Mirror of ``torch.nn.MaxUnpool2d``: ``F.max_unpool2d``.

    Arguments as :class:`MaxUnpool1d`.

    >>> x = jnp.arange(16.0).reshape(1, 1, 4, 4)
    >>> MaxUnpool2d(2)(*MaxPool2d(2, return_indices=True)(x)).shape
    (1, 1, 4, 4)

    Source: torch/nn/modules/pooling.py.
    """

    n = 2


class MaxUnpool3d(_MaxUnpool):
    """Mirror of ``torch.nn.MaxUnpool3d``: ``F.max_unpool3d``.

    Arguments as :class:`MaxUnpool1d`.

    >>> x = jnp.arange(64.0).reshape(1, 1, 4, 4, 4)
    >>> MaxUnpool3d(2)(*MaxPool3d(2, return_indices=True)(x)).shape
    (1, 1, 4, 4, 4)

    Source: torch/nn/modules/pooling.py.
    """

    n = 3


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """Mirror of ``torch.nn.AdaptiveMaxPool1d``: ``F.adaptive_max_pool1d``.

    Args:
        output_size: one number, or one for each axis; None keeps an axis as it is (two axes and more).
        return_indices: whether to return too where the elements lay.

    >>> AdaptiveMaxPool1d(4)(jnp.ones((1, 3, 8))).shape
    (1, 3, 4)

    Source: torch/nn/modules/pooling.py.
    """

    n = 1


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """Mirror of ``torch.nn.AdaptiveMaxPool2d``: ``F.adaptive_max_pool2d``.

    Arguments as :class:`AdaptiveMaxPool1d`.

    >>> AdaptiveMaxPool2d(4)(jnp.ones((1, 3, 8, 8))).shape
    (1, 3, 4, 4)

    Source: torch/nn/modules/pooling.py.
    """

    n = 2


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """Mirror of ``torch.nn.AdaptiveMaxPool3d``: ``F.adaptive_max_pool3d``.

    Arguments as :class:`AdaptiveMaxPool1d`.

    >>> AdaptiveMaxPool3d(4)(jnp.ones((1, 3, 8, 8, 8))).shape
    (1, 3, 4, 4, 4)

    Source: torch/nn/modules/pooling.py.
    """

    n = 3


class FractionalMaxPool2d(_FractionalMaxPool):
    """Mirror of ``torch.nn.FractionalMaxPool2d``: ``F.fractional_max_pool2d``, drawing from the call.

    Args:
        kernel_size: of the windows.
        output_size: of the output; or else
        output_ratio: its part of the input, between 0 and 1.
        return_indices: whether to return too where the elements lay.
        _random_samples: (N, C, 2), numbers in [0, 1) that take the place of drawn ones.

    Raises:
        TypeError: called without a generator.
        ValueError: neither a size nor a ratio, or both.

    >>> from jaxgrad import func, nn, random
    >>> call = dict(generator=random.manual_seed(0), has_aux=True)
    >>> out, aux = func.functional_call(nn.FractionalMaxPool2d(2, output_size=4), {}, jnp.ones((1, 3, 8, 8)), **call)
    >>> out.shape
    (1, 3, 4, 4)

    Source: torch/nn/modules/pooling.py.
    """

    n = 2


class FractionalMaxPool3d(_FractionalMaxPool):
    """Mirror of ``torch.nn.FractionalMaxPool3d``: ``F.fractional_max_pool3d``, drawing from the call.

    Arguments as :class:`FractionalMaxPool2d`.

    >>> from jaxgrad import func, nn, random
    >>> call = dict(generator=random.manual_seed(0), has_aux=True)
    >>> out, aux = func.functional_call(nn.FractionalMaxPool3d(2, output_size=4), {}, jnp.ones((1, 3, 8, 8, 8)), **call)
    >>> out.shape
    (1, 3, 4, 4, 4)

    Source: torch/nn/modules/pooling.py.
    """

    n = 3
