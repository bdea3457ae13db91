r"""A recurrence over time, with a derivative that makes few and large matrix products.

Differentiated step by step, every step of the backward pass would take the product for its part of
:math:`\partial L / \partial W_{hh}` and add it up. Here a perturbation of :math:`W_{hh}` enters where its product does,

.. math:: \dot g_t = W_{hh} \dot h_{t-1} + u_t, \qquad u_t = \dot W_{hh} h_{t-1} + \dot b_{hh},

and :math:`u` is one product over all steps; so is its transpose, the gradient. What is left of a step are the product
with :math:`W_{hh}` and elementwise operations, whose factors are computed for all steps at once.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.types import Array
from jaxgrad.nn.functional.linear import linear
from jaxgrad.nn.functional.recurrent.steps import STEPS, State, Weights, chosen, from_input, step


def through_time(
    mode: str, weights: Weights, x: Array, start: State, running: Array | None, reverse: bool
) -> tuple[Array, State]:
    """Outputs of every step (T, N, H) and the last state.

    Args:
        mode: a key of ``STEPS``.
        weights: of one layer and direction.
        x: (T, N, F), T > 0.
        start: (N, H) arrays.
        running: (T, N) of booleans, where a sequence still runs; None for everywhere.
        reverse: whether time runs backwards.
    """
    a = from_input(weights, x)
    if weights.hr is not None:
        return _plain(mode, weights, a, start, running, reverse)
    return _run(mode, reverse, a, weights.hh, weights.bias_hh, start, running)


def _plain(
    mode: str, weights: Weights, a: Array, start: State, running: Array | None, reverse: bool
) -> tuple[Array, State]:
    """The same as a scan and nothing else; with a projection."""

    def advance(state: State, inputs: Any) -> tuple[State, Array]:
        a, runs = inputs
        after = chosen(runs, step(mode, weights, a, state), state)
        return after, after[0]

    end, output = jax.lax.scan(advance, start, (a, running), reverse=reverse)
    return output, end


def _states(
    mode: str, reverse: bool, a: Array, hh: Array, bias: Array | None, start: State, running: Array | None
) -> tuple[Array, State]:
    """What the state before contributes to the gates, and the state, of every step."""

    def advance(state: State, inputs: Any) -> tuple[State, tuple[Array, State]]:
        a, runs = inputs
        g = linear(state[0], hh, bias)
        after = chosen(runs, STEPS[mode].value(a, g, state), state)
        return after, (g, after)

    g, states = jax.lax.scan(advance, start, (a, running), reverse=reverse)[1]
    return g, states


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _run(
    mode: str, reverse: bool, a: Array, hh: Array, bias: Array | None, start: State, running: Array | None
) -> tuple[Array, State]:
    weights = Weights(hh, hh, None, bias)
    return _plain(mode, weights, a, start, running, reverse)


@_run.defjvp
def _run_jvp(mode: str, reverse: bool, primals: Any, tangents: Any) -> Any:
    a, hh, bias, start, running = primals
    a_dot, hh_dot, bias_dot, start_dot, _ = tangents
    g, states = _states(mode, reverse, a, hh, bias, start, running)
    before = tuple(_shifted(each, first, reverse) for each, first in zip(states, start, strict=True))
    factors = STEPS[mode].factors(a, g, before)
    entering = STEPS[mode].entering(a_dot, linear(before[0], hh_dot, bias_dot))

    def advance(state_dot: State, inputs: Any) -> tuple[State, Array]:
        factors, entering, runs = inputs
        moved = STEPS[mode].derivative(factors, entering, linear(state_dot[0], hh), state_dot)
        after = chosen(runs, moved, state_dot)
        return after, after[0]

    end_dot, output_dot = jax.lax.scan(advance, start_dot, (factors, entering, running), reverse=reverse)
    end = tuple(each[0 if reverse else -1] for each in states)
    return (states[0], end), (output_dot, end_dot)


def _shifted(states: Array, start: Array, reverse: bool) -> Array:
    """The state before each step."""
    first = start[None]
    return jnp.concatenate([states[1:], first] if reverse else [first, states[:-1]])
