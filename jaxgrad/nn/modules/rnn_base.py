"""What all recurrent layers share: parameters, checks, and the run over padded and packed sequences."""

import math
import numbers
import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.caller import users_level
from jaxgrad._core.dtypes import keep_dtype
from jaxgrad._core.errors import explain
from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F
from jaxgrad.nn import init
from jaxgrad.nn.functional.recurrent import Weights, recurrent
from jaxgrad.nn.modules.module import Module
from jaxgrad.nn.parameter import Parameter, value_of
from jaxgrad.nn.rngs import Rngs
from jaxgrad.nn.utils.rnn import PackedSequence, rows_of, unpacked

State = tuple[Array, ...]

_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


class RNNBase(Module):
    """Mirror of ``torch.nn.RNNBase``: parameters, checks and the run of all recurrent layers.

    Args:
        mode: 'LSTM', 'GRU', 'RNN_TANH' or 'RNN_RELU'.

    The other arguments are those of the layers.

    >>> from jaxgrad import nn, random
    >>> RNNBase("GRU", 3, 4, rngs=nn.Rngs(random.manual_seed(0))).weight_ih_l0.get_value().shape
    (12, 3)

    Source: torch/nn/modules/rnn.py.
    """

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: jax.Device | None = None,
        dtype: Any = None,
        *,
        rngs: Rngs,
    ):
        _check_arguments(mode, input_size, hidden_size, num_layers, bias, batch_first, dropout, proj_size)
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._draw_weights(device, keep_dtype(jnp.float32 if dtype is None else dtype), rngs)

    def _draw_weights(self, device: Any, dtype: Any, rngs: Rngs) -> None:
        """All from U(-1/sqrt(H), 1/sqrt(H)), in the order in which they are listed."""
        gates = _GATES[self.mode] * self.hidden_size
        bound = 1.0 / math.sqrt(self.hidden_size)
        for layer in range(self.num_layers):
            width = self.input_size if layer == 0 else self._output_size() * self._directions()
            for suffix in self._suffixes(layer):
                shapes: dict[str, tuple[int, ...]] = {
                    "weight_ih": (gates, width),
                    "weight_hh": (gates, self._output_size()),
                }
                if self.bias:
                    shapes |= {"bias_ih": (gates,), "bias_hh": (gates,)}
                if self.proj_size:
                    shapes |= {"weight_hr": (self.proj_size, self.hidden_size)}
                for name, shape in shapes.items():
                    drawn = rngs.draw(init.uniform, shape, -bound, bound, dtype=dtype)
                    setattr(self, name + suffix, Parameter(jax.device_put(drawn, device)))

    def flatten_parameters(self) -> None:
        """Nothing: torch's call makes a GPU's weights contiguous, and changes no number."""

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of every layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._weight_names()]

    def _weight_names(self) -> list[list[str]]:
        kinds = ("weight_ih", "weight_hh", *(("bias_ih", "bias_hh") if self.bias else ()))
        kinds += ("weight_hr",) if self.proj_size else ()
        suffixes = [suffix for layer in range(self.num_layers) for suffix in self._suffixes(layer)]
        return [[kind + suffix for kind in kinds] for suffix in suffixes]

    def forward(self, input: Any, hx: Any = None) -> Any:
        r"""A sequence (T, N, F), (N, T, F) with ``batch_first``, (T, F), or packed -> the outputs and the last state.

        Args:
            input: the sequence.
            hx: the first state (layers * directions, N, H), without N if the input has none; zeros by default. For an
                LSTM a pair (h, c).

        Returns:
            Outputs in the form of the input, with H * directions features; the state after the last step.
        """
        weights = self._weights()
        if isinstance(input, PackedSequence):
            return self._run_packed(input, hx, weights)
        x = jnp.asarray(input)
        if x.ndim not in (2, 3):
            tensor = " tensor" if self.mode.startswith("RNN") else ""
            raise ValueError(f"{self._name()}: Expected input to be 2D or 3D, got {x.ndim}D{tensor} instead")
        batched = x.ndim == 3
        state = None if hx is None else self._as_state(hx)
        if state is not None:
            self._check_ranks(state, batched)
        if not batched:
            x = x[None] if self.batch_first else x[:, None]
            state = None if state is None else tuple(each[:, None] for each in state)
        self._check_input(x, 3, weights[0].ih.dtype)
        x = jnp.swapaxes(x, 0, 1) if self.batch_first else x
        state = self._checked_state(state, x.shape[1], x.dtype)
        if x.shape[0] == 0:
            raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
        output, last = recurrent(
            self.mode, x, state, weights, bidirectional=self.bidirectional, between=self._dropping()
        )
        if not batched:
            return output[:, 0], self._as_hx(tuple(each[:, 0] for each in last))
        if not self.batch_first:
            return output, self._as_hx(last)
        output = jnp.swapaxes(output, 0, 1)  # torch hands on a view
        return output if self._call is None else self._call.arrange(output, (1, 0, 2)), self._as_hx(last)

    def _run_packed(self, packed: PackedSequence, hx: Any, weights: list[Weights]) -> Any:
        """Padded, with a mask of what still runs; dropout sees the packed data, as torch's does."""
        data, sizes, order, back = packed
        self._check_input(data, 2, weights[0].ih.dtype)
        state = None if hx is None else self._as_state(hx)
        if state is not None and order is not None:
            state = tuple(jnp.take(each, order, axis=1) for each in state)
        n, steps = int(sizes[0]), len(sizes)
        state = self._checked_state(state, n, data.dtype)
        rows = rows_of(sizes)
        drop = self._dropping()

        def between(padded: Array) -> Array:
            return padded if drop is None else unpacked(drop(padded[rows]), sizes, steps)

        output, last = recurrent(
            self.mode,
            unpacked(data, sizes, steps),
            state,
            weights,
            bidirectional=self.bidirectional,
            between=between,
            running=np.arange(n) < sizes[:, None],
        )
        if back is not None:
            last = tuple(jnp.take(each, back, axis=1) for each in last)
        return PackedSequence(output[rows], sizes, order, back), self._as_hx(last)

    def _dropping(self) -> Any:
        if self.dropout == 0 or self.num_layers == 1 or not self.training:
            return None
        if self.dropout == 1:
            return jnp.zeros_like
        return lambda output: self.draw(F.dropout, output, self.dropout, True)

    def _weights(self) -> list[Weights]:
        """Of every layer and direction, read as often as torch reads them, which ``spectral_norm`` counts.

        Torch looks first whether a weight has changed since the last call, and one that is computed always has; then
        it takes all of them. Each time it asks whether there is such a weight, and what it is.
        """

        def read(name: str) -> Any:
            return getattr(self, name) if hasattr(self, name) else None

        names = self._weight_names()
        any(read(name) is not vars(self).get(name) for each in names for name in each)
        found = []
        for each in names:
            ih, hh, *others = (value_of(read(name)) for name in each)
            biases, hr = (others[:2], others[2:]) if self.bias else ([None, None], others)
            found.append(Weights(ih, hh, *biases, *hr))
        return found

    def _as_state(self, hx: Any) -> State:
        return tuple(jnp.asarray(each) for each in hx) if self.mode == "LSTM" else (jnp.asarray(hx),)

    def _as_hx(self, state: State) -> Any:
        return state if self.mode == "LSTM" else state[0]

    def _check_ranks(self, state: State, batched: bool) -> None:
        kind, rank = ("batched 3-D", 3) if batched else ("unbatched 2-D", 2)
        ranks = [each.ndim for each in state]
        if all(each == rank for each in ranks):
            return
        if self.mode == "LSTM":
            got = ", ".join(f"{each}-D" for each in ranks)
            raise RuntimeError(f"For {kind} input, hx and cx should also be {rank}-D but got ({got}) tensors")
        raise RuntimeError(f"For {kind} input, hx should also be {rank}-D but got {ranks[0]}-D tensor")

    def _check_input(self, x: Array, rank: int, dtype: Any) -> None:
        if x.dtype != dtype:
            ours, theirs = f"torch.{x.dtype}", f"torch.{dtype}"
            raise ValueError(
                explain(
                    f"RNN input dtype ({ours}) does not match weight dtype ({theirs}). Convert input: "
                    f"input.to({theirs}), or convert model: model.to({ours})",
                    got=f"input {x.dtype}",
                    expected=dtype,
                    remedy=f"input.astype(jnp.{dtype})",
                )
            )
        if x.ndim != rank:
            raise RuntimeError(f"input must have {rank} dimensions, got {x.ndim}")
        if x.shape[-1] != self.input_size:
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {x.shape[-1]}"
            )

    def _checked_state(self, state: State | None, n: int, dtype: Any) -> State:
        layers = self.num_layers * self._directions()
        shapes = [(layers, n, self._output_size())]
        if self.mode == "LSTM":
            shapes.append((layers, n, self.hidden_size))
        if state is None:
            return tuple(jnp.zeros(shape, dtype) for shape in shapes)
        for i, (each, shape) in enumerate(zip(state, shapes, strict=True)):
            if each.shape != shape:
                name = f"hidden[{i}]" if self.mode == "LSTM" else "hidden"
                raise RuntimeError(f"Expected {name} size {shape}, got {list(each.shape)}")
        return state

    def _name(self) -> str:
        return self.mode.split("_")[0]

    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    def _output_size(self) -> int:
        return self.proj_size or self.hidden_size

    def _suffixes(self, layer: int) -> list[str]:
        return [f"_l{layer}{suffix}" for suffix in ("", "_reverse")[: self._directions()]]

    def extra_repr(self) -> str:
        """Torch's."""
        text = f"{self.input_size}, {self.hidden_size}"
        text += f", proj_size={self.proj_size}" if self.proj_size else ""
        text += f", num_layers={self.num_layers}" if self.num_layers != 1 else ""
        text += "" if self.bias else ", bias=False"
        text += ", batch_first=True" if self.batch_first else ""
        text += f", dropout={self.dropout}" if self.dropout else ""
        return text + (", bidirectional=True" if self.bidirectional else "")


def _check_arguments(
    mode: Any,
    input_size: Any,
    hidden_size: Any,
    num_layers: Any,
    bias: Any,
    batch_first: Any,
    dropout: Any,
    proj_size: Any,
) -> None:
    if not isinstance(dropout, numbers.Number) or isinstance(dropout, bool) or not 0 <= dropout <= 1:  # type: ignore[operator]
        raise ValueError(
            "dropout should be a number in range [0, 1] representing the probability of an element being zeroed"
        )
    if dropout > 0 and num_layers == 1:  # type: ignore[operator]
        warnings.warn(
            "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers "
            f"greater than 1, but got dropout={dropout} and num_layers={num_layers}",
            stacklevel=users_level(),
        )
    for name, value, kind in (
        ("bias", bias, bool),
        ("batch_first", batch_first, bool),
        ("input_size", input_size, int),
        ("hidden_size", hidden_size, int),
    ):
        if not isinstance(value, kind):
            raise TypeError(f"{name} should be of type {kind.__name__}, got: {type(value).__name__}")
        if kind is int and value <= 0:
            raise ValueError(f"{name} must be greater than zero")
    if num_layers <= 0:
        raise ValueError("num_layers must be greater than zero")
    if proj_size < 0:
        raise ValueError("proj_size should be a positive integer or zero to disable projections")
    if proj_size >= hidden_size:
        raise ValueError("proj_size has to be smaller than hidden_size")
    if mode not in _GATES:
        raise ValueError("Unrecognized RNN mode: " + mode)
