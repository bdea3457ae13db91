"""Activations as modules: what each computes is said at the function of the same name in ``nn.functional``."""

import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from jaxgrad._core.arguments import refuse_inplace
from jaxgrad._core.dtypes import keep_dtype
from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F
from jaxgrad.nn.modules.module import Module
from jaxgrad.nn.parameter import Parameter


class _Plain(Module):
    """A function of the input alone."""

    _function: ClassVar[Callable[..., Array]]

    def forward(self, input: Array) -> Array:
        """Any shape that the function of the same name takes."""
        return type(self)._function(input)


class _Inplace(_Plain):
    """A function of the input that torch can also write over it."""

    def __init__(self, inplace: bool = False):
        refuse_inplace(inplace)
        self.inplace = inplace


class ReLU(_Inplace):
    r"""Mirror of ``torch.nn.ReLU``: :math:`\max(x, 0)`.

    Args:
        inplace: must be False, since arrays are values.

    Raises:
        ValueError: ``inplace=True``.

    >>> ReLU()(jnp.array([-1.0, 2.0])).tolist()
    [0.0, 2.0]

    Source: torch/nn/modules/activation.py.
    """

    _function = staticmethod(F.relu)


class SELU(_Inplace):
    r"""Mirror of ``torch.nn.SELU``. Arguments as :class:`ReLU`.

    >>> SELU()
    SELU()

    Source: Klambauer et al., 2017.
    """

    _function = staticmethod(F.selu)


class SiLU(_Inplace):
    r"""Mirror of ``torch.nn.SiLU``: :math:`x\,\sigma(x)`. Arguments as :class:`ReLU`.

    >>> SiLU()(jnp.array([0.0])).tolist()
    [0.0]

    Source: Hendrycks and Gimpel, 2016.
    """

    _function = staticmethod(F.silu)


class Mish(_Inplace):
    r"""Mirror of ``torch.nn.Mish``: :math:`x \tanh(\log(1 + e^x))`. Arguments as :class:`ReLU`.

    >>> Mish()
    Mish()

    Source: Misra, 2019.
    """

    _function = staticmethod(F.mish)


class Hardswish(_Inplace):
    r"""Mirror of ``torch.nn.Hardswish``: :math:`x \min(\max(x + 3, 0), 6) / 6`. Arguments as :class:`ReLU`.

    >>> Hardswish()(jnp.array([4.0])).tolist()
    [4.0]

    Source: Howard et al., 2019.
    """

    _function = staticmethod(F.hardswish)


class Hardsigmoid(_Inplace):
    r"""Mirror of ``torch.nn.Hardsigmoid``: :math:`\min(\max(x + 3, 0), 6) / 6`. Arguments as :class:`ReLU`.

    >>> Hardsigmoid()(jnp.array([0.0])).tolist()
    [0.5]

    Source: Howard et al., 2019.
    """

    _function = staticmethod(F.hardsigmoid)


class Sigmoid(_Plain):
    r"""Mirror of ``torch.nn.Sigmoid``: :math:`1 / (1 + e^{-x})`.

    >>> Sigmoid()(jnp.array([0.0])).tolist()
    [0.5]
    """

    _function = staticmethod(F.sigmoid)


class Tanh(_Plain):
    """Mirror of ``torch.nn.Tanh``.

    >>> Tanh()(jnp.array([0.0])).tolist()
    [0.0]
    """

    _function = staticmethod(F.tanh)


class LogSigmoid(_Plain):
    r"""Mirror of ``torch.nn.LogSigmoid``: :math:`\log \sigma(x)`.

    >>> LogSigmoid()
    LogSigmoid()
    """

    _function = staticmethod(F.logsigmoid)


class Softsign(_Plain):
    r"""Mirror of ``torch.nn.Softsign``: :math:`x / (1 + |x|)`.

    >>> Softsign()(jnp.array([1.0])).tolist()
    [0.5]
    """

    _function = staticmethod(F.softsign)


class Tanhshrink(_Plain):
    r"""Mirror of ``torch.nn.Tanhshrink``: :math:`x - \tanh x`.

    >>> Tanhshrink()(jnp.array([0.0])).tolist()
    [0.0]
    """

    _function = staticmethod(F.tanhshrink)


class Threshold(Module):
    """Mirror of ``torch.nn.Threshold``: x where x > threshold, ``value`` elsewhere.

    Args:
        threshold: up to and including it the input is replaced.
        value: what it is replaced by.
        inplace: must be False, since arrays are values.

    >>> Threshold(0.1, 20)
    Threshold(threshold=0.1, value=20)
    """

    def __init__(self, threshold: float, value: float, inplace: bool = False):
        refuse_inplace(inplace)
        self.threshold = threshold
        self.value = value
        self.inplace = inplace

    def forward(self, input: Array) -> Array:
        """Any shape."""
        return F.threshold(input, self.threshold, self.value)

    def extra_repr(self) -> str:
        """Torch's."""
        return f"threshold={self.threshold}, value={self.value}"


class RReLU(Module):
    """Mirror of ``torch.nn.RReLU``: a leaky rectifier whose slopes are drawn in training.

    Args:
        lower: least slope.
        upper: greatest slope.
        inplace: must be False, since arrays are values.

    Raises:
        RuntimeError: called, and the call does not say ``training=``.
        TypeError: called in training, and the call has no generator.

    >>> RReLU(0.1, 0.3)
    RReLU(lower=0.1, upper=0.3)

    Source: Xu et al., 2015.
    """

    def __init__(self, lower: float = 1.0 / 8, upper: float = 1.0 / 3, inplace: bool = False):
        refuse_inplace(inplace)
        self.lower = lower
        self.upper = upper
        self.inplace = inplace

    def forward(self, input: Array) -> Array:
        """Any shape."""
        if self.training:
            drawn: Array = self.draw(F.rrelu, input, self.lower, self.upper, True)
            return drawn
        output: Array = F.rrelu(input, self.lower, self.upper)
        return output

    def extra_repr(self) -> str:
        """Torch's."""
        return f"lower={self.lower}, upper={self.upper}"


class Hardtanh(Module):
    """Mirror of ``torch.nn.Hardtanh``: the input between two bounds.

    Args:
        min_val: lower bound.
        max_val: upper bound.
        inplace: must be False, since arrays are values.
        min_value: deprecated in torch for ``min_val``, with torch's warning.
        max_value: deprecated in torch for ``max_val``, with torch's warning.

    Raises:
        AssertionError: ``max_val (-1.0) must be greater than min_val (1.0)``.

    >>> Hardtanh(-2.0, 2.0)
    Hardtanh(min_val=-2.0, max_val=2.0)
    """

    def __init__(
        self,
        min_val: float = -1.0,
        max_val: float = 1.0,
        inplace: bool = False,
        min_value: float | None = None,
        max_value: float | None = None,
    ):
        refuse_inplace(inplace)
        if min_value is not None:
            _warn_of_old_name("min_value", "min_val")
            min_val = min_value
        if max_value is not None:
            _warn_of_old_name("max_value", "max_val")
            max_val = max_value
        if max_val <= min_val:
            raise AssertionError(f"max_val ({max_val}) must be greater than min_val ({min_val})")
        self.min_val = min_val
        self.max_val = max_val
        self.inplace = inplace

    def forward(self, input: Array) -> Array:
        """Any shape."""
        return F.hardtanh(input, self.min_val, self.max_val)

    def extra_repr(self) -> str:
        """Torch's."""
        return f"min_val={self.min_val}, max_val={self.max_val}"


class ReLU6(Hardtanh):
    r"""Mirror of ``torch.nn.ReLU6``: :math:`\min(\max(x, 0), 6)`. Arguments as :class:`ReLU`.

    >>> ReLU6()(jnp.array([7.0])).tolist()
    [6.0]
    """

    def __init__(self, inplace: bool = False):
        super().__init__(0.0, 6.0, inplace)

    def extra_repr(self) -> str:
        """Torch's: nothing."""
        return ""


class ELU(Module):
    r"""Mirror of ``torch.nn.ELU``: x where x > 0, :math:`\alpha (e^x - 1)` elsewhere.

    Args:
        alpha: minus the limit at minus infinity.
        inplace: must be False, since arrays are values.

    >>> ELU()
    ELU(alpha=1.0)

    Source: Clevert et al., 2016.
    """

    _function: ClassVar[Callable[..., Array]] = staticmethod(F.elu)

    def __init__(self, alpha: float = 1.0, inplace: bool = False):
        refuse_inplace(inplace)
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input: Array) -> Array:
        """Any shape."""
        return type(self)._function(input, self.alpha)

    def extra_repr(self) -> str:
        """Torch's."""
        return f"alpha={self.alpha}"


class CELU(ELU):
    r"""Mirror of ``torch.nn.CELU``: x where x > 0, :math:`\alpha (e^{x/\alpha} - 1)` elsewhere.

    Arguments as :class:`ELU`.

    >>> CELU(2.0)
    CELU(alpha=2.0)

    Source: Barron, 2017.
    """

    _function = staticmethod(F.celu)


class LeakyReLU(Module):
    """Mirror of ``torch.nn.LeakyReLU``: x where x > 0, ``negative_slope * x`` elsewhere.

    Args:
        negative_slope: the slope for x <= 0.
        inplace: must be False, since arrays are values.

    >>> LeakyReLU(0.2)
    LeakyReLU(negative_slope=0.2)

    Source: Maas et al., 2013.
    """

    def __init__(self, negative_slope: float = 1e-2, inplace: bool = False):
        refuse_inplace(inplace)
        self.negative_slope = negative_slope
        self.inplace = inplace

    def forward(self, input: Array) -> Array:
        """Any shape."""
        return F.leaky_relu(input, self.negative_slope)

    def extra_repr(self) -> str:
        """Torch's."""
        return f"negative_slope={self.negative_slope}"


class PReLU(Module):
    """Mirror of ``torch.nn.PReLU``: a leaky rectifier whose slopes are parameters.

    Args:
        num_parameters: 1, or the number of channels (axis 1 of the input).
        init: the slopes at first.
        device: a JAX device to put the slopes on.
        dtype: of the slopes, float32 by default.

    Attributes:
        weight: (num_parameters,).

    >>> PReLU()
    PReLU(num_parameters=1)

    Source: He et al., 2015.
    """

    def __init__(
        self, num_parameters: int = 1, init: float = 0.25, device: jax.Device | None = None, dtype: Any = None
    ):
        dtype = keep_dtype(jnp.float32 if dtype is None else dtype)
        self.num_parameters = num_parameters
        self.init = init
        self.weight = Parameter(jax.device_put(jnp.full(num_parameters, init, dtype), device))

    def forward(self, input: Array) -> Array:
        """(N, C, ...), or any shape with one slope."""
        return F.prelu(input, self.weight.get_value())

    def extra_repr(self) -> str:
        """Torch's."""
        return f"num_parameters={self.num_parameters}"


def _warn_of_old_name(old: str, new: str) -> None:
    warnings.warn(f"keyword argument `{old}` is deprecated and renamed to `{new}`", FutureWarning, stacklevel=3)
