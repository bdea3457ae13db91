"""Recurrent cells: one step at a time."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.dtypes import keep_dtype
from jaxgrad._core.errors import explain
from jaxgrad._core.types import Array
from jaxgrad.nn import init
from jaxgrad.nn.functional.recurrent import Weights, cell_step
from jaxgrad.nn.modules.module import Module
from jaxgrad.nn.parameter import Parameter, value_of
from jaxgrad.nn.rngs import Rngs


class RNNCellBase(Module):
    """Mirror of ``torch.nn.RNNCellBase``: the parameters of a cell, all from U(-1/sqrt(H), 1/sqrt(H)).

    Args:
        input_size: F.
        hidden_size: H.
        bias: whether to have the two biases.
        num_chunks: the number of gates.
        device: a JAX device to put the parameters on.
        dtype: of the parameters, float32 by default.
        rngs: where initial values are drawn from.

    >>> from jaxgrad import nn, random
    >>> RNNCellBase(3, 4, True, 2, rngs=nn.Rngs(random.manual_seed(0))).weight_hh.get_value().shape
    (8, 4)

    Source: torch/nn/modules/rnn.py.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        num_chunks: int,
        device: jax.Device | None = None,
        dtype: Any = None,
        *,
        rngs: Rngs,
    ):
        dtype = keep_dtype(jnp.float32 if dtype is None else dtype)
        self.input_size = input_size
        self.hidden_size = hidden_size
        bound = 1.0 / math.sqrt(hidden_size) if hidden_size > 0 else 0

        def drawn(*shape: int) -> Parameter:
            return Parameter(jax.device_put(rngs.draw(init.uniform, shape, -bound, bound, dtype=dtype), device))

        gates = num_chunks * hidden_size
        self.weight_ih = drawn(gates, input_size)
        self.weight_hh = drawn(gates, hidden_size)
        self.bias_ih = drawn(gates) if bias else None
        self.bias_hh = drawn(gates) if bias else None
        self.bias = bias

    def _step(self, mode: str, input: Any, state: tuple[Any, ...] | None, names: tuple[str, ...]) -> tuple[Array, ...]:
        """One step of a batch (N, F), or of one sample (F,), from a state or from zeros."""
        x = jnp.asarray(input)
        cell = type(self).__name__
        if x.ndim not in (1, 2):
            raise ValueError(f"{cell}: Expected input to be 1D or 2D, got {x.ndim}D instead")
        given = None if state is None else tuple(jnp.asarray(each) for each in state)
        for name, each in zip(names, given or (), strict=False):
            if each.ndim not in (1, 2):
                raise ValueError(f"{cell}: Expected {name} to be 1D or 2D, got {each.ndim}D instead")
        batched = x.ndim == 2
        x = x if batched else x[None]
        if given is None:
            given = (jnp.zeros((x.shape[0], self.hidden_size), x.dtype),) * len(names)
        elif not batched:
            given = tuple(each[None] for each in given)
        self._check(x, given)
        weights = Weights(*(value_of(each) for each in (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)))
        after = cell_step(mode, weights, x, given)
        return after if batched else tuple(each[0] for each in after)

    def _check(self, x: Array, state: tuple[Array, ...]) -> None:
        if x.shape[1] != self.input_size:
            raise RuntimeError(f"input has inconsistent input_size: got {x.shape[1]} expected {self.input_size}")
        for i, each in enumerate(state):
            if each.ndim != 2 or each.shape[0] != x.shape[0]:
                raise RuntimeError(
                    explain(
                        f"Input batch size {x.shape[0]} doesn't match hidden{i} batch size {each.shape[0]}",
                        got=f"input {x.shape}, hidden {each.shape}",
                    )
                )
            if each.shape[1] != self.hidden_size:
                raise RuntimeError(
                    f"hidden{i} has inconsistent hidden_size: got {each.shape[1]}, expected {self.hidden_size}"
                )

    def extra_repr(self) -> str:
        """Torch's."""
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")


class RNNCell(RNNCellBase):
    r"""Mirror of ``torch.nn.RNNCell``: :math:`h' = \phi(W_{ih} x + b_{ih} + W_{hh} h + b_{hh})`.

    Args:
        input_size: F.
        hidden_size: H.
        bias: whether to have the two biases.
        nonlinearity: 'tanh' or 'relu'.
        device: a JAX device to put the parameters on.
        dtype: of the parameters, float32 by default.
        rngs: where initial values are drawn from.

    >>> from jaxgrad import nn, random
    >>> nn.RNNCell(3, 4, rngs=nn.Rngs(random.manual_seed(0)))(jnp.ones((2, 3))).shape
    (2, 4)

    Source: torch/nn/modules/rnn.py; Elman, 1990.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: jax.Device | None = None,
        dtype: Any = None,
        *,
        rngs: Rngs,
    ):
        super().__init__(input_size, hidden_size, bias, 1, device, dtype, rngs=rngs)
        self.nonlinearity = nonlinearity

    def forward(self, input: Array, hx: Array | None = None) -> Array:
        """(N, F) or (F,), and a state (N, H) or (H,), zeros by default -> the next state."""
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        state = None if hx is None else (hx,)
        return self._step(f"RNN_{self.nonlinearity.upper()}", input, state, ("hidden",))[0]

    def extra_repr(self) -> str:
        """Torch's."""
        return super().extra_repr() + ("" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity}")


class LSTMCell(RNNCellBase):
    """Mirror of ``torch.nn.LSTMCell``; the step is in ``nn.functional.recurrent``. Arguments as :class:`RNNCell`.

    >>> from jaxgrad import nn, random
    >>> h, c = nn.LSTMCell(3, 4, rngs=nn.Rngs(random.manual_seed(0)))(jnp.ones((2, 3)))
    >>> h.shape, c.shape
    ((2, 4), (2, 4))

    Source: torch/nn/modules/rnn.py; Hochreiter and Schmidhuber, 1997.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: jax.Device | None = None,
        dtype: Any = None,
        *,
        rngs: Rngs,
    ):
        super().__init__(input_size, hidden_size, bias, 4, device, dtype, rngs=rngs)

    def forward(self, input: Array, hx: tuple[Array, Array] | None = None) -> tuple[Array, Array]:
        """(N, F) or (F,), and a pair (h, c) of (N, H) or (H,), zeros by default -> the next pair."""
        h, c = self._step("LSTM", input, hx, ("hx[0]", "hx[1]"))
        return h, c


class GRUCell(RNNCellBase):
    """Mirror of ``torch.nn.GRUCell``; the step is in ``nn.functional.recurrent``. Arguments as :class:`RNNCell`.

    >>> from jaxgrad import nn, random
    >>> nn.GRUCell(3, 4, rngs=nn.Rngs(random.manual_seed(0)))(jnp.ones(3)).shape
    (4,)

    Source: torch/nn/modules/rnn.py; Cho et al., 2014.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: jax.Device | None = None,
        dtype: Any = None,
        *,
        rngs: Rngs,
    ):
        super().__init__(input_size, hidden_size, bias, 3, device, dtype, rngs=rngs)

    def forward(self, input: Array, hx: Array | None = None) -> Array:
        """(N, F) or (F,), and a state (N, H) or (H,), zeros by default -> the next state."""
        return self._step("GRU", input, None if hx is None else (hx,), ("hidden",))[0]
