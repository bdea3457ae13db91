"""Layers of a recurrence over time, one scan a layer and direction."""

from collections.abc import Callable, Sequence

import jax.numpy as jnp
import numpy as np

from jaxgrad._core.castable import castable
from jaxgrad._core.types import Array
from jaxgrad.nn.functional.recurrent.steps import State, Weights
from jaxgrad.nn.functional.recurrent.through_time import through_time


@castable(lambda mode, *_, **__: mode.lower())
def recurrent(
    mode: str,
    x: Array,
    state: State,
    weights: Sequence[Weights],
    *,
    bidirectional: bool = False,
    between: Callable[[Array], Array] | None = None,
    running: np.ndarray | None = None,
) -> tuple[Array, State]:
    """Run layers one after the other, each over the whole sequence.

    Args:
        mode: a key of ``STEPS``.
        x: (T, N, F).
        state: h, for an LSTM also c, each (layers * directions, N, H).
        weights: of every layer, of its reverse direction after it.
        bidirectional: whether every layer has a reverse direction.
        between: what becomes of a layer's output before the next layer takes it.
        running: (T, N) of booleans, where a sequence still runs; None for all alike. A state does not move where its
            sequence has ended (or, in reverse, not yet begun).

    Returns:
        The last layer's output (T, N, H * directions), and the state after the last step.
    """
    directions = 2 if bidirectional else 1
    layers = len(weights) // directions
    mask = None if running is None else jnp.asarray(running)
    last: list[State] = []
    for layer in range(layers):
        outputs = []
        for direction in range(directions):
            place = layer * directions + direction
            start = tuple(each[place] for each in state)
            output, end = through_time(mode, weights[place], x, start, mask, direction == 1)
            outputs.append(output)
            last.append(end)
        x = outputs[0] if directions == 1 else jnp.concatenate(outputs, axis=-1)
        if between is not None and layer < layers - 1:
            x = between(x)
    return x, tuple(jnp.stack(each) for each in zip(*last, strict=True))
