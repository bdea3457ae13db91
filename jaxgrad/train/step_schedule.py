"""A step of the schedule between steps of training."""

from typing import Any

from jaxgrad._core.errors import explain
from jaxgrad.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from jaxgrad.train.schedule import advance_schedule, check_schedule
from jaxgrad.train.state import TrainState


def step_schedule(state: TrainState, schedule: LRScheduler, metrics: Any = None) -> TrainState:
    """``scheduler.step()``, or ``scheduler.step(metrics)``, on a train state: the lr of the optimizer from now on.

    For a schedule that steps once an epoch; one that is given to ``make_train_step`` steps at every step.

    Args:
        state: made by ``init_state(..., schedule=schedule)``.
        schedule: of ``optim.lr_scheduler``.
        metrics: what ``ReduceLROnPlateau`` judges by.

    Returns:
        A state with the schedule's next state, and with the lr in the optimizer's.

    Raises:
        ValueError: the state has no schedule.
        TypeError: ``ReduceLROnPlateau`` without ``metrics``, or another schedule with.

    >>> import jax.numpy as jnp
    >>> from jaxgrad import optim, train
    >>> tx, schedule = optim.SGD(0.1), optim.lr_scheduler.ExponentialLR(0.1, gamma=0.5)
    >>> state = train.init_state({"w": jnp.ones(2)}, tx, schedule=schedule)
    >>> optim.get_lr(train.step_schedule(state, schedule))
    [0.05]
    """
    check_schedule(schedule)
    judged = isinstance(schedule, ReduceLROnPlateau)
    if judged and metrics is None:
        raise TypeError("ReduceLROnPlateau.step() missing 1 required positional argument: 'metrics'")
    if metrics is not None and not judged:
        raise TypeError(explain(f"{type(schedule).__name__} takes no metrics", got=f"metrics={metrics}"))
    if state.schedule is None:
        raise ValueError(explain("the state has no schedule", remedy="train.init_state(params, tx, schedule=schedule)"))
    kept, opt_state = advance_schedule(schedule, state.schedule, state.opt_state, metrics)
    return state.replace(schedule=kept, opt_state=opt_state)
