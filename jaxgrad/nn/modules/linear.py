"""Affine layers."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.dtypes import keep_dtype
from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F
from jaxgrad.nn import init
from jaxgrad.nn.modules.module import Module
from jaxgrad.nn.parameter import Parameter
from jaxgrad.nn.rngs import Rngs


class Linear(Module):
    r"""Mirror of ``torch.nn.Linear``: :math:`y = x A^T + b`.

    The weight is drawn first, from Kaiming's uniform distribution with a = sqrt(5), then the bias from
    :math:`U(-1/\sqrt{\mathrm{in}}, 1/\sqrt{\mathrm{in}})`: torch's default, number for number. Differs from
    ``nnx.Linear``, whose ``kernel`` is (in, out) and whose bias starts at 0.

    Args:
        in_features: size of the last axis of the input.
        out_features: size of the last axis of the output.
        bias: whether to add one.
        device: a JAX device to put the parameters on; None leaves them where JAX puts them.
        dtype: of the parameters, float32 by default.
        rngs: where initial values are drawn from.

    Attributes:
        weight: (out_features, in_features).
        bias: (out_features,), or None.

    >>> from jaxgrad import nn, random
    >>> layer = nn.Linear(3, 4, rngs=nn.Rngs(random.manual_seed(0)))
    >>> layer
    Linear(in_features=3, out_features=4, bias=True)
    >>> layer(jnp.ones((2, 3))).shape
    (2, 4)

    Source: torch/nn/modules/linear.py; He et al., 2015.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: jax.Device | None = None,
        dtype: Any = None,
        *,
        rngs: Rngs,
    ):
        for size in (in_features, out_features):
            if size < 0:
                raise RuntimeError(
                    f"Trying to create tensor with negative dimension {size}: [{out_features}, {in_features}]"
                )
        dtype = keep_dtype(jnp.float32 if dtype is None else dtype)
        self.in_features = in_features
        self.out_features = out_features
        self.bias: Parameter | None
        shape = (out_features, in_features)
        weight = rngs.draw(init.kaiming_uniform, shape, a=math.sqrt(5), dtype=dtype)
        self.weight = Parameter(jax.device_put(weight, device))
        if bias:
            bound = 1 / math.sqrt(in_features) if in_features > 0 else 0
            drawn = rngs.draw(init.uniform, (out_features,), -bound, bound, dtype=dtype)
            self.bias = Parameter(jax.device_put(drawn, device))
        else:
            self.bias = None

    def forward(self, input: Array) -> Array:
        r"""(\*, in_features) -> (\*, out_features)."""
        return F.linear(input, self.weight.get_value(), None if self.bias is None else self.bias.get_value())

    def extra_repr(self) -> str:
        """Torch's."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Bilinear(Module):
    r"""Mirror of ``torch.nn.Bilinear``: :math:`y_k = x_1^T A_k x_2 + b_k`.

    Weight, then bias, are drawn from :math:`U(-1/\sqrt{\mathrm{in1}}, 1/\sqrt{\mathrm{in1}})`.

    Args:
        in1_features: size of the last axis of the first input, > 0.
        in2_features: size of the last axis of the second input.
        out_features: size of the last axis of the output.
        bias: whether to add one.
        device: a JAX device to put the parameters on; None leaves them where JAX puts them.
        dtype: of the parameters, float32 by default.
        rngs: where initial values are drawn from.

    Attributes:
        weight: (out_features, in1_features, in2_features).
        bias: (out_features,), or None.

    Raises:
        ValueError: ``in1_features must be > 0, but got (in1_features=...)``.

    >>> from jaxgrad import nn, random
    >>> layer = nn.Bilinear(3, 4, 5, rngs=nn.Rngs(random.manual_seed(0)))
    >>> layer(jnp.ones((2, 3)), jnp.ones((2, 4))).shape
    (2, 5)

    Source: torch/nn/modules/linear.py.
    """

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: jax.Device | None = None,
        dtype: Any = None,
        *,
        rngs: Rngs,
    ):
        if in1_features <= 0:
            raise ValueError(f"in1_features must be > 0, but got (in1_features={in1_features})")
        dtype = keep_dtype(jnp.float32 if dtype is None else dtype)
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        bound = 1 / math.sqrt(in1_features)

        def drawn(*shape: int) -> Parameter:
            return Parameter(jax.device_put(rngs.draw(init.uniform, shape, -bound, bound, dtype=dtype), device))

        self.weight = drawn(out_features, in1_features, in2_features)
        self.bias = drawn(out_features) if bias else None

    def forward(self, input1: Array, input2: Array) -> Array:
        r"""(\*, in1_features) and (\*, in2_features) -> (\*, out_features)."""
        bias = None if self.bias is None else self.bias.get_value()
        return F.bilinear(input1, input2, self.weight.get_value(), bias)

    def extra_repr(self) -> str:
        """Torch's."""
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )


class Identity(Module):
    """Mirror of ``torch.nn.Identity``: returns its input, and takes any arguments it is given.

    Args:
        args: anything.
        kwargs: anything.

    >>> Identity(54, unused=0.1)(3)
    3

    Source: torch/nn/modules/linear.py.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        del args, kwargs

    def forward(self, input: Array) -> Array:
        """The input."""
        return input
