"""The loop around a step, for those who would write the same one."""

from collections.abc import Callable
from typing import NamedTuple

import jax

from jaxgrad._core.types import Batch, Metrics
from jaxgrad.train.checkpoint import Checkpoints
from jaxgrad.train.early_stopping import EarlyStopping
from jaxgrad.train.evaluate_all import evaluate
from jaxgrad.train.interrupts import Interrupts
from jaxgrad.train.progress import progress
from jaxgrad.train.run import Log, Place, Record, Run
from jaxgrad.train.state import TrainState
from jaxgrad.utils.data import DataLoader


class Fitted(NamedTuple):
    """What ``fit`` hands back.

    Attributes:
        state: after the last step.
        history: a record of each epoch: ``epoch``, ``step`` (how many were done), the means of the steps' metrics,
            those of the evaluation as ``eval_...``, and ``seconds``.
        step: how many steps were done.
        stopped: why the run ended early, in a sentence; None if it did not.

    >>> fitted = Fitted(state=None, history=[{"epoch": 0, "loss": 0.5}], step=10, stopped=None)
    >>> fitted.history[-1]["loss"]
    0.5
    """

    state: TrainState
    history: list[Record]
    step: int
    stopped: str | None


def fit(
    step: Callable[..., tuple[TrainState, Metrics]],
    state: TrainState,
    loader: DataLoader,
    *,
    epochs: int,
    eval_step: Callable[[TrainState, Batch], Metrics] | None = None,
    eval_loader: DataLoader | None = None,
    after_epoch: Callable[[TrainState, Record], TrainState] | None = None,
    early_stopping: EarlyStopping | None = None,
    checkpoints: Checkpoints | None = None,
    log: Log | None = None,
    show: bool | None = None,
) -> Fitted:
    """Train for some epochs: the loop that one writes around a step, and nothing that one could not write.

    .. code-block:: python

        number = 0
        for epoch in range(epochs):
            batches, state = loader.at_epoch(epoch).epoch(state)
            for batch in batches:
                state, metrics = step(state, batch)
                number += 1
                checkpoints.save(number, state, position=batches.state(), meta={"epoch": epoch})
            batches, state = eval_loader.epoch(state)
            record = train.evaluate(eval_step, state, batches)
            state = after_epoch(state, record)

    The metrics of a step are read when the next one has begun, so that the device never waits. Control-C ends the run
    between two steps, with a state that can be used.

    Args:
        step: from ``make_train_step``.
        state: is taken over if the step takes over its memory.
        loader: of batches for the step; draws from the state's generator, as torch's from the global one.
        epochs: how many, from the first: a run that goes on from a checkpoint does the rest of them.
        eval_step: from ``make_eval_step``; run after each epoch over ``eval_loader``.
        eval_loader: of the evaluation.
        after_epoch: ``state = after_epoch(state, record)``, for a schedule that steps once an epoch:
            ``lambda state, record: train.step_schedule(state, schedule)``, with ``record["eval_loss"]`` for
            ``ReduceLROnPlateau``. It may add to the record.
        early_stopping: ends the run when a metric of the record no longer gets better.
        checkpoints: where to save, at each of its steps and at the end; a run that finds one goes on from there, as if
            nothing had been.
        log: ``log(step, values)``, after each step with ``train/...`` and after each epoch with ``epoch/...``:
            ``train.TensorBoard(folder)``, or any function.
        show: a bar on stderr if that is a terminal (and rich is installed), else a line an epoch; True insists on the
            bar, False shows nothing.

    Returns:
        The state, a record of each epoch, and why it ended.

    Raises:
        TypeError: one of ``eval_step`` and ``eval_loader`` without the other.
        KeyError: the record does not have the metric of ``early_stopping``.

    >>> import jax.numpy as jnp
    >>> from jaxgrad import optim, random, train
    >>> from jaxgrad.utils.data import DataLoader
    >>> tx = optim.SGD(0.25)
    >>> step = train.make_train_step(lambda params, x: jnp.mean((params["w"] - x) ** 2), tx)
    >>> state = train.init_state({"w": jnp.zeros(())}, tx, generator=random.manual_seed(0))
    >>> loader = DataLoader(jnp.ones(6), batch_size=2, shuffle=True)
    >>> fitted = train.fit(step, state, loader, epochs=2, show=False)
    >>> [record["loss"] for record in fitted.history], fitted.step, fitted.stopped
    ([0.4375, 0.0068359375], 6, None)
    """
    if (eval_step is None) != (eval_loader is None):
        raise TypeError("eval_step and eval_loader go together")
    run = Run(step, loader, epochs, checkpoints, log, progress(show))
    try:
        place = run.begin(state)
        with Interrupts() as interrupts:
            try:
                while place.epoch < epochs and not _stops(early_stopping, place):
                    record = run.epoch(place, interrupts)
                    if record is None:
                        run.interrupted(place)
                        break
                    if eval_step is not None and eval_loader is not None:
                        batches, place.state = eval_loader.epoch(place.state)
                        values = evaluate(eval_step, place.state, batches)
                        record |= {f"eval_{name}": value for name, value in values.items()}
                    if after_epoch is not None:
                        place.state = after_epoch(place.state, record)
                    if early_stopping is not None:
                        place.judged = early_stopping.step(place.judged, float(record[early_stopping.metric]))
                    run.end_epoch(place, record)
                run.save(place, force=True)
            except KeyboardInterrupt:  # the second, or not a signal: somewhere within a step, so nothing is saved
                if any(leaf.is_deleted() for leaf in jax.tree.leaves(place.state) if isinstance(leaf, jax.Array)):
                    raise
                run.interrupted(place)
        if checkpoints is not None:
            checkpoints.wait()
        if place.stopped is not None:
            run.show.end(place.stopped)
    finally:
        run.show.close()
    return Fitted(place.state, place.history, place.step, place.stopped)


def _stops(early_stopping: EarlyStopping | None, place: Place) -> bool:
    """Whether it is time, and if so, why."""
    if early_stopping is None or not early_stopping.stops(place.judged):
        return False
    place.stopped = f"{early_stopping.metric} got no better than {place.judged.best} for {place.judged.waited} epochs"
    return True
