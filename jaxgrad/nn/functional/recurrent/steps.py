r"""One step of a recurrence, from what the input and what the state before contribute to the gates.

.. math::
    \text{RNN:}\quad & h' = \phi(a + g) \\
    \text{LSTM:}\quad & c' = \sigma(f)\, c + \sigma(i) \tanh(n), \quad h' = \sigma(o) \tanh(c'),
                        \quad (i, f, n, o) = a + g \\
    \text{GRU:}\quad & h' = n + \sigma(z) (h - n), \quad n = \tanh(a_n + \sigma(r)\, g_n), \quad (r, z) = a + g

with :math:`a = W_{ih} x + b_{ih}` and :math:`g = W_{hh} h + b_{hh}`. The GRU has the hidden bias inside the reset
(flax's lacks it). All of it is elementwise, and so are the derivatives, which are written as factors and what is done
with them.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgrad._core.castable import castable
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


class Step(NamedTuple):
    """An elementwise step, the factors of its derivative, and the derivative from them.

    Attributes:
        value: of a, g and the state before.
        factors: of the derivative, from a, g and the state before.
        entering: from the parts of the derivative of a and g that are known before the run, what a step needs.
        derivative: of the state, from the factors, what enters, the rest of the derivative of g, and the derivative
            of the state before.
    """

    value: Callable[[Array, Array, State], State]
    factors: Callable[[Array, Array, State], State]
    entering: Callable[[Array, Array], State]
    derivative: Callable[[State, State, Array, State], State]


def _summed(a_dot: Array, g_dot: Array) -> State:
    return (a_dot + g_dot,)


def _first(factors: State, entering: State, g_dot: Array, state_dot: State) -> State:
    return (factors[0] * (entering[0] + g_dot),)


RNN_TANH = Step(
    lambda a, g, state: (jnp.tanh(a + g),),
    lambda a, g, state: (1 - jnp.tanh(a + g) ** 2,),
    _summed,
    _first,
)
RNN_RELU = Step(
    lambda a, g, state: (jax.nn.relu(a + g),),
    lambda a, g, state: ((a + g > 0).astype(a.dtype),),
    _summed,
    _first,
)


def _lstm_gates(a: Array, g: Array) -> tuple[Array, Array, Array, Array]:
    i, f, n, o = jnp.split(a + g, 4, axis=-1)
    return jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(n), jax.nn.sigmoid(o)


def _lstm(a: Array, g: Array, state: State) -> State:
    i, f, n, o = _lstm_gates(a, g)
    c = f * state[1] + i * n
    return o * jnp.tanh(c), c


def _lstm_factors(a: Array, g: Array, state: State) -> State:
    i, f, n, o = _lstm_gates(a, g)
    seen = jnp.tanh(f * state[1] + i * n)
    return n * i * (1 - i), state[1] * f * (1 - f), i * (1 - n**2), seen * o * (1 - o), f, o * (1 - seen**2)


def _lstm_derivative(factors: State, entering: State, g_dot: Array, state_dot: State) -> State:
    of_i, of_f, of_n, of_o, f, of_c = factors
    i_dot, f_dot, n_dot, o_dot = jnp.split(entering[0] + g_dot, 4, axis=-1)
    c_dot = f * state_dot[1] + (of_i * i_dot + of_f * f_dot + of_n * n_dot)
    return of_o * o_dot + of_c * c_dot, c_dot


LSTM = Step(_lstm, _lstm_factors, _summed, _lstm_derivative)


def _gru_gates(a: Array, g: Array) -> tuple[Array, Array, Array, Array]:
    (a_r, a_z, a_n), (g_r, g_z, g_n) = jnp.split(a, 3, axis=-1), jnp.split(g, 3, axis=-1)
    r = jax.nn.sigmoid(a_r + g_r)
    return r, jax.nn.sigmoid(a_z + g_z), jnp.tanh(a_n + r * g_n), g_n


def _gru(a: Array, g: Array, state: State) -> State:
    _, z, n, _ = _gru_gates(a, g)
    return (n + z * (state[0] - n),)


def _gru_factors(a: Array, g: Array, state: State) -> State:
    r, z, n, g_n = _gru_gates(a, g)
    of_n = (1 - z) * (1 - n**2)
    return of_n * g_n * r * (1 - r), (state[0] - n) * z * (1 - z), of_n, r, z


def _gru_derivative(factors: State, entering: State, g_dot: Array, state_dot: State) -> State:
    of_r, of_z, of_n, r, z = factors
    a_r, a_z, a_n = jnp.split(entering[0], 3, axis=-1)
    g_r, g_z, g_n = jnp.split(entering[1] + g_dot, 3, axis=-1)
    return (of_r * (a_r + g_r) + of_z * (a_z + g_z) + of_n * (a_n + r * g_n) + z * state_dot[0],)


GRU = Step(_gru, _gru_factors, lambda a_dot, g_dot: (a_dot, g_dot), _gru_derivative)

STEPS: dict[str, Step] = {"RNN_TANH": RNN_TANH, "RNN_RELU": RNN_RELU, "LSTM": LSTM, "GRU": GRU}
"""By torch's names of the modes."""


def from_input(weights: Weights, x: Array) -> Array:
    """a, for all steps at once."""
    return linear(x, weights.ih, weights.bias_ih)


def step(mode: str, weights: Weights, a: Array, state: State) -> State:
    """One step from what the input contributes (N, gates * H) and a state of (N, H) arrays."""
    after = STEPS[mode].value(a, linear(state[0], weights.hh, weights.bias_hh), state)
    return after if weights.hr is None else (linear(after[0], weights.hr), *after[1:])


@castable(lambda mode, *_: f"{mode.lower()}_cell")
def cell_step(mode: str, weights: Weights, x: Array, state: State) -> State:
    """One step from an input (N, F)."""
    return step(mode, weights, from_input(weights, x), state)


def chosen(running: Array | None, new: State, old: State) -> State:
    """The new state where a sequence still runs, the old one elsewhere."""
    if running is None:
        return new
    return tuple(jnp.where(running[:, None], n, o) for n, o in zip(new, old, strict=True))
