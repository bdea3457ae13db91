"""An epoch as one compiled program."""

from collections.abc import Callable
from typing import Any

import jax

from jaxgrad._core.errors import explain
from jaxgrad._core.types import Batch, Metrics
from jaxgrad.train.state import TrainState
from jaxgrad.train.step import TrainStep


def make_epoch(step: Callable[..., Any], *, indexed: bool = False, donate: bool = True) -> TrainStep:
    """``(state, batches) -> (state, metrics)``: the step over stacked batches, in one ``jax.lax.scan``.

    Worth it where a step is small and the call of it is not: nothing returns to Python between steps. Arrays in
    ``batches`` have a leading axis of steps, and so have the metrics. On CPU, XLA runs convolutions several times
    slower inside a scan than outside; there, call the step from a Python loop.

    Args:
        step: from ``make_train_step``, or any function of that form.
        indexed: the epoch takes ``(data, order)`` in the place of the batches: whole arrays, which stay on the device
            from epoch to epoch, and the rows of each step, (steps, B) or (steps, K, B) integers. Torch's order is
            what a loader of the rows' numbers gives: ``DataLoader(range(n), B, shuffle=True).epoch(state)``.
        donate: as in ``make_train_step``.

    >>> import jax.numpy as jnp
    >>> from jaxgrad import optim, train
    >>> tx = optim.SGD(0.25)
    >>> step = train.make_train_step(lambda params, x: jnp.sum((params["w"] - x) ** 2), tx)
    >>> state, metrics = train.make_epoch(step)(train.init_state({"w": jnp.zeros(2)}, tx), jnp.ones((3, 2)))
    >>> metrics["loss"].tolist()
    [2.0, 0.5, 0.125]
    >>> epoch = train.make_epoch(step, indexed=True)
    >>> data, order = jnp.array([[0.0, 0.0], [1.0, 1.0]]), jnp.array([1, 0])
    >>> epoch(train.init_state({"w": jnp.zeros(2)}, tx), (data, order))[1]["loss"].tolist()
    [2.0, 0.5]
    """

    def epoch(state: TrainState, batches: Batch, lr: Any = None) -> tuple[TrainState, Metrics]:
        if lr is not None:
            raise TypeError(explain("an epoch takes no lr", remedy="give init_state and make_train_step a schedule"))
        after: tuple[TrainState, Metrics]
        if not indexed:
            after = jax.lax.scan(step, state, batches)
            return after
        data, order = batches

        def of_rows(state: TrainState, rows: Any) -> tuple[TrainState, Metrics]:
            found: tuple[TrainState, Metrics] = step(state, jax.tree.map(lambda array: array[rows], data))
            return found

        after = jax.lax.scan(of_rows, state, order)
        return after

    return TrainStep(epoch, f"epoch of the {getattr(step, '__name__', 'step')}", donate)
