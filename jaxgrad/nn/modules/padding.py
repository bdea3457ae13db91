"""Padding layers: ``F.pad`` with everything but the input fixed."""

from typing import ClassVar

import jax.numpy as jnp

from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F
from jaxgrad.nn.functional.sizes import Sizes, integers
from jaxgrad.nn.modules.module import Module


class _Pad(Module):
    n: ClassVar[int]
    mode: ClassVar[str]

    def __init__(self, padding: int | Sizes):
        given = integers(padding, "padding", type(self).__name__)
        self.padding = given if isinstance(padding, list | tuple) else given * (2 * self.n)

    def forward(self, input: Array) -> Array:
        r"""(N, C, \*spatial) -> the same, larger; the batch may be missing."""
        return F.pad(jnp.asarray(input), self.padding, self.mode)

    def extra_repr(self) -> str:
        """Torch's."""
        return f"{self.padding}"


class _ConstantPad(_Pad):
    mode = "constant"

    def __init__(self, padding: int | Sizes, value: float):
        super().__init__(padding)
        self.value = value

    def forward(self, input: Array) -> Array:
        """Any shape, padded along its last axes."""
        return F.pad(jnp.asarray(input), self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        """Torch's."""
        return f"padding={self.padding}, value={self.value}"


class _ZeroPad(_ConstantPad):
    def __init__(self, padding: int | Sizes):
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        """Torch's."""
        return f"{self.padding}"


class _CircularPad(_Pad):
    mode = "circular"

    def forward(self, input: Array) -> Array:
        r"""(N, C, \*spatial) -> the same, larger; the batch may be missing."""
        input = jnp.asarray(input)
        if input.ndim not in (self.n + 1, self.n + 2):
            raise ValueError(f"expected {self.n + 1}D or {self.n + 2}D input (got {input.ndim}D input)")
        return F.pad(input, self.padding, self.mode)


class ZeroPad1d(_ZeroPad):
    """Mirror of ``torch.nn.ZeroPad1d``: zeros around the last axis.

    Args:
        padding: one size for all sides, or two for each axis, the last axis first; negative ones crop.

    >>> ZeroPad1d((1, 2))(jnp.ones((1, 2, 4))).shape
    (1, 2, 7)

    Source: torch/nn/modules/padding.py.
    """

    n = 1


class ZeroPad2d(_ZeroPad):
    """Mirror of ``torch.nn.ZeroPad2d``: zeros around the last two axes.

    Arguments as :class:`ZeroPad1d`.

    >>> ZeroPad2d((1, 2, 0, 1))(jnp.ones((1, 2, 4, 4))).shape
    (1, 2, 5, 7)

    Source: torch/nn/modules/padding.py.
    """

    n = 2


class ZeroPad3d(_ZeroPad):
    """Mirror of ``torch.nn.ZeroPad3d``: zeros around the last three axes.

    Arguments as :class:`ZeroPad1d`.

    >>> ZeroPad3d((1, 2, 0, 1, 0, 0))(jnp.ones((1, 2, 4, 4, 4))).shape
    (1, 2, 4, 5, 7)

    Source: torch/nn/modules/padding.py.
    """

    n = 3


class ConstantPad1d(_ConstantPad):
    """Mirror of ``torch.nn.ConstantPad1d``: a constant around the last axis.

    Args:
        padding: one size for all sides, or two for each axis, the last axis first; negative ones crop.
        value: the constant.

    >>> ConstantPad1d((1, 2), 0.5)(jnp.ones((1, 2, 4))).shape
    (1, 2, 7)

    Source: torch/nn/modules/padding.py.
    """

    n = 1


class ConstantPad2d(_ConstantPad):
    """Mirror of ``torch.nn.ConstantPad2d``: a constant around the last two axes.

    Arguments as :class:`ConstantPad1d`.

    >>> ConstantPad2d((1, 2, 0, 1), 0.5)(jnp.ones((1, 2, 4, 4))).shape
    (1, 2, 5, 7)

    Source: torch/nn/modules/padding.py.
    """

    n = 2


class ConstantPad3d(_ConstantPad):
    """Mirror of ``torch.nn.ConstantPad3d``: a constant around the last three axes.

    Arguments as :class:`ConstantPad1d`.

    >>> ConstantPad3d((1, 2, 0, 1, 0, 0), 0.5)(jnp.ones((1, 2, 4, 4, 4))).shape
    (1, 2, 4, 5, 7)

    Source: torch/nn/modules/padding.py.
    """

    n = 3


class ReflectionPad1d(_Pad):
    """Mirror of ``torch.nn.ReflectionPad1d``: mirror images of the last axis, the edges themselves not repeated.

    Args:
        padding: one size for all sides, or two for each axis, the last axis first; negative ones crop.

    >>> ReflectionPad1d((1, 2))(jnp.ones((1, 2, 4))).shape
    (1, 2, 7)

    Source: torch/nn/modules/padding.py.
    """

    n = 1
    mode = "reflect"


class ReflectionPad2d(_Pad):
    """Mirror of ``torch.nn.ReflectionPad2d``: mirror images of the last two axes, the edges themselves not repeated.

    Arguments as :class:`ReflectionPad1d`.

    >>> ReflectionPad2d((1, 2, 0, 1))(jnp.ones((1, 2, 4, 4))).shape
    (1, 2, 5, 7)

    Source: torch/nn/modules/padding.py.
    """

    n = 2
    mode = "reflect"


class ReflectionPad3d(_Pad):
    """Mirror of ``torch.nn.ReflectionPad3d``: mirror images of the last three axes, the edges themselves not repeated.

    Arguments as :class:`ReflectionPad1d`.

    >>> ReflectionPad3d((1, 2, 0, 1, 0, 0))(jnp.ones((1, 2, 4, 4, 4))).shape
    (1, 2, 4, 5, 7)

    Source: torch/nn/modules/padding.py.
    """

    n = 3
    mode = "reflect"


class ReplicationPad1d(_Pad):
    """Mirror of ``torch.nn.ReplicationPad1d``: the edges of the last axis, repeated.

    Args:
        padding: one size for all sides, or two for each axis, the last axis first; negative ones crop.

    >>> ReplicationPad1d((1, 2))(jnp.ones((1, 2, 4))).shape
    (1, 2, 7)

    Source: torch/nn/modules/padding.py.
    """

    n = 1
    mode = "replicate"


class ReplicationPad2d(_Pad):
    """Mirror of ``torch.nn.ReplicationPad2d``: the edges of the last two axes, repeated.

    Arguments as :class:`ReplicationPad1d`.

    >>> ReplicationPad2d((1, 2, 0, 1))(jnp.ones((1, 2, 4, 4))).shape
    (1, 2, 5, 7)

    Source: torch/nn/modules/padding.py.
    """

    n = 2
    mode = "replicate"


class ReplicationPad3d(_Pad):
    """Mirror of ``torch.nn.ReplicationPad3d``: the edges of the last three axes, repeated.

    Arguments as :class:`ReplicationPad1d`.

    >>> ReplicationPad3d((1, 2, 0, 1, 0, 0))(jnp.ones((1, 2, 4, 4, 4))).shape
    (1, 2, 4, 5, 7)

    Source: torch/nn/modules/padding.py.
    """

    n = 3
    mode = "replicate"


class CircularPad1d(_CircularPad):
    """Mirror of ``torch.nn.CircularPad1d``: the last axis go on at their other end.

    Args:
        padding: one size for all sides, or two for each axis, the last axis first; negative ones crop.

    >>> CircularPad1d((1, 2))(jnp.ones((1, 2, 4))).shape
    (1, 2, 7)

    Source: torch/nn/modules/padding.py.
    """

    n = 1


class CircularPad2d(_CircularPad):
    """Mirror of ``torch.nn.CircularPad2d``: the last two axes go on at their other end.

    Arguments as :class:`CircularPad1d`.

    >>> CircularPad2d((1, 2, 0, 1))(jnp.ones((1, 2, 4, 4))).shape
    (1, 2, 5, 7)

    Source: torch/nn/modules/padding.py.
    """

    n = 2


class CircularPad3d(_CircularPad):
    """Mirror of ``torch.nn.CircularPad3d``: the last three axes go on at their other end.

    Arguments as :class:`CircularPad1d`.

    >>> CircularPad3d((1, 2, 0, 1, 0, 0))(jnp.ones((1, 2, 4, 4, 4))).shape
    (1, 2, 4, 5, 7)

    Source: torch/nn/modules/padding.py.
    """

    n = 3
