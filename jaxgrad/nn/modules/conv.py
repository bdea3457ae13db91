"""Convolutional layers. Weights and biases are drawn as torch draws them, from ``rngs``, the weight first."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from jaxgrad._core.dtypes import keep_dtype
from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F
from jaxgrad.nn import init
from jaxgrad.nn.functional.sizes import Sizes, integers
from jaxgrad.nn.modules.module import Module
from jaxgrad.nn.parameter import Parameter
from jaxgrad.nn.rngs import Rngs

_MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    """What all six share: parameters, their first values, and their text."""

    n: ClassVar[int]

    def _build(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any,
        padding: Any,
        dilation: Any,
        output_padding: Any,
        groups: int,
        bias: bool,
        padding_mode: str,
        device: jax.Device | None,
        dtype: Any,
        rngs: Rngs,
        *,
        transposed: bool,
    ) -> None:
        self.kernel_size = self._sizes(kernel_size, "kernel_size")
        self.stride = self._sizes(stride, "stride")
        self.padding = padding if isinstance(padding, str) else self._sizes(padding, "padding")
        self.dilation = self._sizes(dilation, "dilation")
        self.output_padding = self._sizes(output_padding, "output_padding")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.padding_mode = padding_mode
        self._check()
        dtype = keep_dtype(jnp.float32 if dtype is None else dtype)
        first, second = (in_channels, out_channels) if transposed else (out_channels, in_channels)
        shape = (first, second // groups, *self.kernel_size)
        weight = rngs.draw(init.kaiming_uniform, shape, a=math.sqrt(5), dtype=dtype)
        self.weight = Parameter(jax.device_put(weight, device))
        self.bias: Parameter | None
        if bias:
            fan_in = math.prod(shape[1:])
            bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0
            drawn = rngs.draw(init.uniform, (out_channels,), -bound, bound, dtype=dtype)
            self.bias = Parameter(jax.device_put(drawn, device))
        else:
            self.bias = None

    def _sizes(self, value: Any, name: str) -> Sizes:
        """One number for each axis; a sequence stays as it is, and the function complains of its length."""
        given = integers(value, name, type(self).__name__)
        return given if isinstance(value, Sequence) else given * self.n

    def _check(self) -> None:
        if self.groups <= 0:
            raise ValueError("groups must be a positive integer")
        if self.in_channels % self.groups != 0:
            raise ValueError("in_channels must be divisible by groups")
        if self.out_channels % self.groups != 0:
            raise ValueError("out_channels must be divisible by groups")
        if isinstance(self.padding, str):
            if self.padding not in ("same", "valid"):
                raise ValueError(f"Invalid padding string {self.padding!r}, should be one of { {'same', 'valid'} }")
            if self.padding == "same" and any(s != 1 for s in self.stride):
                raise ValueError("padding='same' is not supported for strided convolutions")
        if self.padding_mode not in _MODES:
            raise ValueError(f"padding_mode must be one of {set(_MODES)}, but got padding_mode='{self.padding_mode}'")

    def extra_repr(self) -> str:
        """Torch's."""
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        if self.padding != (0,) * len(self.padding):
            text += f", padding={self.padding}"
        if self.dilation != (1,) * len(self.dilation):
            text += f", dilation={self.dilation}"
        if self.output_padding != (0,) * len(self.output_padding):
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


class _Conv(_ConvNd):
    """A convolution, of any number of axes."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sizes,
        stride: int | Sizes = 1,
        padding: int | Sizes | str = 0,
        dilation: int | Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: jax.Device | None = None,
        dtype: Any = None,
        *,
        rngs: Rngs,
    ):
        self._build(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            0,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
            rngs,
            transposed=False,
        )

    def forward(self, input: Array) -> Array:
        r"""(N, in_channels, \*spatial) -> (N, out_channels, \*spatial); the batch may be missing."""
        padding: int | Sizes | str = self.padding
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, self._around(), mode=self.padding_mode), 0
        conv = (F.conv1d, F.conv2d, F.conv3d)[self.n - 1]
        bias = None if self.bias is None else self.bias.get_value()
        return conv(input, self.weight.get_value(), bias, self.stride, padding, self.dilation, self.groups)

    def _around(self) -> Sizes:
        """The padding as ``F.pad`` takes it: the last axis first."""
        if self.padding == "same":
            totals = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
            return tuple(side for total in reversed(totals) for side in (total // 2, total - total // 2))
        sides = (0,) * self.n if isinstance(self.padding, str) else self.padding
        return tuple(side for side in reversed(sides) for _ in range(2))


class Conv1d(_Conv):
    r"""Mirror of ``torch.nn.Conv1d``: ``F.conv1d`` with a weight and a bias of its own.

    The weight is drawn first, from Kaiming's uniform distribution with a = sqrt(5), then the bias from
    :math:`U(-1/\sqrt{f}, 1/\sqrt{f})` with f = in_channels / groups * kernel size: torch's default, number for
    number. Differs from ``nnx.Conv``, whose channels come last and whose bias starts at 0.

    Args:
        in_channels: C of the input (N, C, L) or (C, L).
        out_channels: C of the output.
        kernel_size: of the window.
        stride: step of the window.
        padding: on both sides, or 'valid', or 'same'.
        dilation: distance between the elements of the kernel.
        groups: number of blocks of channels that do not meet.
        bias: whether to add one.
        padding_mode: 'zeros', 'reflect', 'replicate' or 'circular'.
        device: a JAX device to put the parameters on; None leaves them where JAX puts them.
        dtype: of the parameters, float32 by default.
        rngs: where initial values are drawn from.

    Attributes:
        weight: (out_channels, in_channels / groups, kernel_size).
        bias: (out_channels,), or None.

    >>> from jaxgrad import nn, random
    >>> layer = nn.Conv1d(2, 4, 3, padding="same", rngs=nn.Rngs(random.manual_seed(0)))
    >>> layer
    Conv1d(2, 4, kernel_size=(3,), stride=(1,), padding=same)
    >>> layer(jnp.ones((1, 2, 8))).shape
    (1, 4, 8)

    Source: torch/nn/modules/conv.py; He et al., 2015.
    """

    n = 1


class Conv2d(_Conv):
    """Mirror of ``torch.nn.Conv2d``: ``F.conv2d`` with a weight and a bias of its own; arguments as :class:`Conv1d`.

    >>> from jaxgrad import nn, random
    >>> layer = nn.Conv2d(3, 8, 3, padding=1, padding_mode="reflect", rngs=nn.Rngs(random.manual_seed(0)))
    >>> layer(jnp.ones((1, 3, 8, 8))).shape
    (1, 8, 8, 8)

    Source: torch/nn/modules/conv.py.
    """

    n = 2


class Conv3d(_Conv):
    """Mirror of ``torch.nn.Conv3d``: ``F.conv3d`` with a weight and a bias of its own; arguments as :class:`Conv1d`.

    >>> from jaxgrad import nn, random
    >>> nn.Conv3d(3, 8, (1, 2, 2), groups=1, bias=False, rngs=nn.Rngs(random.manual_seed(0)))
    Conv3d(3, 8, kernel_size=(1, 2, 2), stride=(1, 1, 1), bias=False)

    Source: torch/nn/modules/conv.py.
    """

    n = 3


class _ConvTranspose(_ConvNd):
    """A transposed convolution, of any number of axes."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sizes,
        stride: int | Sizes = 1,
        padding: int | Sizes = 0,
        output_padding: int | Sizes = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: int | Sizes = 1,
        padding_mode: str = "zeros",
        device: jax.Device | None = None,
        dtype: Any = None,
        *,
        rngs: Rngs,
    ):
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        self._build(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            output_padding,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
            rngs,
            transposed=True,
        )

    def forward(self, input: Array, output_size: Sequence[int] | None = None) -> Array:
        r"""(N, in_channels, \*spatial) -> (N, out_channels, \*spatial), of ``output_size`` where that is given."""
        input = jnp.asarray(input)
        transpose = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[self.n - 1]
        bias = None if self.bias is None else self.bias.get_value()
        more = self._output_padding(input, output_size)
        weight, padding = self.weight.get_value(), self._numbers()
        return transpose(input, weight, bias, self.stride, padding, more, self.groups, self.dilation)

    def _numbers(self) -> Sizes:
        """The padding, which is never a word here."""
        return self._sizes(self.padding, "padding")

    def _output_padding(self, input: Array, output_size: Sequence[int] | None) -> Sizes:
        if output_size is None:
            return self.output_padding
        leading = 2 if input.ndim == self.n + 2 else 1
        wanted = list(output_size)[leading:] if len(output_size) == leading + self.n else list(output_size)
        if len(wanted) != self.n:
            raise ValueError(
                f"ConvTranspose{self.n}D: for {input.ndim}D input, output_size must have {self.n} "
                f"or {leading + self.n} elements (got {len(output_size)})"
            )
        least = [
            (size - 1) * s - 2 * p + d * (k - 1) + 1
            for size, s, p, d, k in zip(
                input.shape[leading:], self.stride, self._numbers(), self.dilation, self.kernel_size, strict=True
            )
        ]
        most = [size + s - 1 for size, s in zip(least, self.stride, strict=True)]
        if any(not low <= size <= high for low, size, high in zip(least, wanted, most, strict=True)):
            raise ValueError(
                f"requested an output size of {wanted}, but valid sizes range from {least} to {most} "
                f"(for an input of torch.Size({list(input.shape[2:])}))"
            )
        return tuple(size - low for size, low in zip(wanted, least, strict=True))


class ConvTranspose1d(_ConvTranspose):
    r"""Mirror of ``torch.nn.ConvTranspose1d``: ``F.conv_transpose1d`` with a weight and a bias of its own.

    Drawn as :class:`Conv1d`'s; f is out_channels / groups * kernel size here, as in torch.

    Args:
        in_channels: C of the input (N, C, L) or (C, L).
        out_channels: C of the output.
        kernel_size: of the window.
        stride: of the convolution that this one goes back over.
        padding: of that convolution: so much is cut off on both sides.
        output_padding: makes the output longer at its end.
        groups: number of blocks of channels that do not meet.
        bias: whether to add one.
        dilation: distance between the elements of the kernel.
        padding_mode: 'zeros' only, as in torch.
        device: a JAX device to put the parameters on.
        dtype: of the parameters, float32 by default.
        rngs: where initial values are drawn from.

    Attributes:
        weight: (in_channels, out_channels / groups, kernel_size).
        bias: (out_channels,), or None.

    >>> from jaxgrad import nn, random
    >>> layer = nn.ConvTranspose1d(2, 4, 3, stride=2, rngs=nn.Rngs(random.manual_seed(0)))
    >>> layer(jnp.ones((1, 2, 8))).shape, layer(jnp.ones((1, 2, 8)), output_size=(18,)).shape
    ((1, 4, 17), (1, 4, 18))

    Source: torch/nn/modules/conv.py.
    """

    n = 1


class ConvTranspose2d(_ConvTranspose):
    """Mirror of ``torch.nn.ConvTranspose2d``; arguments as :class:`ConvTranspose1d`.

    >>> from jaxgrad import nn, random
    >>> layer = nn.ConvTranspose2d(8, 3, 2, stride=2, rngs=nn.Rngs(random.manual_seed(0)))
    >>> layer(jnp.ones((1, 8, 4, 4))).shape
    (1, 3, 8, 8)

    Source: torch/nn/modules/conv.py.
    """

    n = 2


class ConvTranspose3d(_ConvTranspose):
    """Mirror of ``torch.nn.ConvTranspose3d``; arguments as :class:`ConvTranspose1d`.

    >>> from jaxgrad import nn, random
    >>> nn.ConvTranspose3d(2, 2, 3, output_padding=1, stride=2, rngs=nn.Rngs(random.manual_seed(0)))
    ConvTranspose3d(2, 2, kernel_size=(3, 3, 3), stride=(2, 2, 2), output_padding=(1, 1, 1))

    Source: torch/nn/modules/conv.py.
    """

    n = 3
