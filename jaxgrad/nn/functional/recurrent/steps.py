r"""One step of a recurrence, from what the input contributes to the gates and the state before.

.. math::
    \text{RNN:}\quad & h' = \phi(a + W_{hh} h + b_{hh}) \\
    \text{LSTM:}\quad & c' = \sigma(f)\, c + \sigma(i) \tanh(g), \quad h' = \sigma(o) \tanh(c'),
                        \quad (i, f, g, o) = a + W_{hh} h + b_{hh} \\
    \text{GRU:}\quad & h' = n + \sigma(z) (h - n), \quad n = \tanh(a_n + \sigma(r)\, (W_{hn} h + b_{hn}))

with :math:`a = W_{ih} x + b_{ih}`. The GRU has the hidden bias inside the reset (flax's lacks it).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgrad._core.types import Array
from jaxgrad.nn.functional.linear import linear

State = tuple[Array, ...]


class Weights(NamedTuple):
    """The parameters of one layer in one direction; gates lie one above the other along the first axis."""

    ih: Array
    hh: Array
    bias_ih: Array | None = None
    bias_hh: Array | None = None
    hr: Array | None = None


def from_input(weights: Weights, x: Array) -> Array:
    """a, for all steps at once."""
    return linear(x, weights.ih, weights.bias_ih)


def rnn_tanh(weights: Weights, a: Array, state: State) -> State:
    """Elman's step with tanh."""
    return (jnp.tanh(a + linear(state[0], weights.hh, weights.bias_hh)),)


def rnn_relu(weights: Weights, a: Array, state: State) -> State:
    """Elman's step with relu."""
    return (jax.nn.relu(a + linear(state[0], weights.hh, weights.bias_hh)),)


def lstm(weights: Weights, a: Array, state: State) -> State:
    """Hochreiter and Schmidhuber's step, 1997, with a forget gate; ``hr`` projects the new hidden state."""
    h, c = state
    i, f, g, o = jnp.split(a + linear(h, weights.hh, weights.bias_hh), 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    h = jax.nn.sigmoid(o) * jnp.tanh(c)
    return (h if weights.hr is None else linear(h, weights.hr)), c


def gru(weights: Weights, a: Array, state: State) -> State:
    """Cho et al.'s step, 2014, in the form whose reset acts behind the product."""
    (h,) = state
    a_r, a_z, a_n = jnp.split(a, 3, axis=-1)
    h_r, h_z, h_n = jnp.split(linear(h, weights.hh, weights.bias_hh), 3, axis=-1)
    n = jnp.tanh(a_n + jax.nn.sigmoid(a_r + h_r) * h_n)
    return (n + jax.nn.sigmoid(a_z + h_z) * (h - n),)


STEPS: dict[str, Callable[[Weights, Array, State], State]] = {
    "RNN_TANH": rnn_tanh,
    "RNN_RELU": rnn_relu,
    "LSTM": lstm,
    "GRU": gru,
}
"""By torch's names of the modes."""


def step(mode: str, weights: Weights, x: Array, state: State) -> State:
    """One step from an input (N, F) and a state of (N, H) arrays."""
    return STEPS[mode](weights, from_input(weights, x), state)
