"""Everything a training step remembers, as one value."""

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxgrad._core.errors import check_differentiable
from jaxgrad._core.types import Array, Buffers, Metrics, Params, ParamsLike, PyTree
from jaxgrad.random import Generator


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class TrainState:
    """What torch keeps in the model, the optimizer and the global generator.

    Attributes:
        params: what is trained.
        opt_state: what the optimizer remembers (``optimizer.state`` and ``param_groups`` in torch).
        buffers: what the model remembers without training it.
        generator: the random stream that the loss function draws from, or None.
        step: how many steps have been made, int32.
    """

    params: Params
    opt_state: PyTree
    buffers: Buffers
    generator: Generator | None
    step: Array

    def replace(self, **changes: Any) -> "TrainState":
        """A state with some fields changed."""
        return replace(self, **changes)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Aux:
    """What a loss function returns beside the loss: ``return loss, Aux(...)``.

    Attributes:
        buffers: the buffers after the forward pass; None leaves those of the state.
        generator: the stream after the forward pass; None leaves that of the state.
        metrics: further numbers to report.
    """

    buffers: Buffers | None = None
    generator: Generator | None = None
    metrics: Metrics | None = None


def init_state(
    params: ParamsLike,
    tx: optax.GradientTransformation,
    *,
    buffers: Buffers | None = None,
    generator: Generator | None = None,
) -> TrainState:
    """The state before the first step.

    Arrays are copied: a step takes over the memory of the state it is given, and what the caller holds stays whole.

    Args:
        params: from ``func.extract``.
        tx: an optimizer, or any optax transformation.
        buffers: from ``func.extract``.
        generator: for a loss function that draws random numbers.

    Raises:
        RuntimeError: a parameter is not floating point or complex.

    >>> from jaxgrad import optim
    >>> state = init_state({"w": jnp.ones(2)}, optim.SGD(0.1))
    >>> int(state.step), list(state.params)
    (0, ['w'])
    """
    check_differentiable(dict(params))
    own, remembered, stream = jax.tree.map(
        lambda leaf: jnp.array(leaf, copy=True), (dict(params), dict(buffers or {}), generator)
    )
    return TrainState(own, tx.init(own), remembered, stream, jnp.zeros((), jnp.int32))
