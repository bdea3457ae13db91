"""The learning-rate schedule inside a train state: torch's ``scheduler.step()``, which writes into the optimizer."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad import optim
from jaxgrad._core.errors import explain, is_traced
from jaxgrad.optim._rule.precision import double_precision, widen
from jaxgrad.optim.hyperparams import find_states
from jaxgrad.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from jaxgrad.train.doubles import Doubles


def advance_schedule(schedule: LRScheduler, kept: Doubles, opt_state: Any, metrics: Any = None) -> tuple[Doubles, Any]:
    """``scheduler.step()``: the schedule's next state, and the optimizer's with the lr from now on.

    On the host this is torch's own recursion; inside a program its form for traced counts, in doubles.
    """
    judged = (metrics,) if isinstance(schedule, ReduceLROnPlateau) else ()
    step: Any = schedule.step
    if not is_traced(kept, *judged):
        after = step(kept.numbers(), *map(float, judged))
    else:
        with double_precision():
            after = jax.tree.map(_double, step(kept.widened(), *map(_double, judged)))
    return Doubles.of(after), with_numbers_of(after, opt_state)


def start_schedule(schedule: LRScheduler, opt_state: Any) -> tuple[Doubles, Any]:
    """What torch's constructor of a scheduler does: its state, and the optimizer's with the first lr."""
    check_schedule(schedule)
    first = schedule.init()
    return Doubles.of(first), with_numbers_of(first, opt_state)


def with_numbers_of(schedule_state: Any, opt_state: Any) -> Any:
    """The optimizer's state with the lr (and the momentum) that a schedule has set.

    Raises:
        ValueError: no optimizer of this package, or one with another number of groups.
    """
    groups = [group for found in find_states(opt_state) for group in found.param_groups]
    lrs = _per_group(schedule_state.lr, len(groups))
    opt_state = optim.set_hyperparams(opt_state, lr=lrs)
    if not schedule_state.momentum:
        return opt_state
    momentums = _per_group(schedule_state.momentum, len(groups))
    if "betas" not in groups[0].hyperparams:
        return optim.set_hyperparams(opt_state, momentum=momentums)
    with double_precision():
        second = [widen(jnp.asarray(group.hyperparams["betas"][1])) for group in groups]
    return optim.set_hyperparams(opt_state, betas=list(zip(momentums, second, strict=True)))


def check_schedule(schedule: Any) -> None:
    """Raise unless this is a schedule of ``optim.lr_scheduler``."""
    if not isinstance(schedule, LRScheduler):
        raise TypeError(
            explain(
                f"{type(schedule).__name__} is not an LRScheduler",
                expected="a schedule of jaxgrad.optim.lr_scheduler",
                remedy="optax's schedules are given to optax's optimizers",
            )
        )


def _per_group(values: tuple[Any, ...], count: int) -> list[Any]:
    if len(values) not in (1, count):
        raise ValueError(
            explain(f"expected one base lr, or one for each of {count} parameter groups", got=f"{len(values)} of them")
        )
    return list(values) * (count if len(values) == 1 else 1)


def _double(value: Any) -> Any:
    array = jnp.asarray(value)
    return array.astype(jnp.float64) if jnp.issubdtype(array.dtype, jnp.floating) else array
