"""The one-cycle schedule: up, down, and far below the start, in a number of steps that is fixed beforehand."""

import dataclasses
import math
from typing import Any, NamedTuple

import jax

from jaxgrad._core.errors import explain
from jaxgrad.optim.lr_scheduler.arguments import from_file
from jaxgrad.optim.lr_scheduler.groups import Number, as_groups, lookup, per_group
from jaxgrad.optim.lr_scheduler.scheduler import LRScheduler
from jaxgrad.optim.lr_scheduler.state import Memory, State


class _Phase(NamedTuple):
    """Where a phase ends, and what the lr and the momentum go from and to, by the names of the arguments."""

    end_step: float
    start_lr: str
    end_lr: str
    start_momentum: str
    end_momentum: str


@dataclasses.dataclass(frozen=True)
class OneCycleLR(LRScheduler):
    """Mirror of ``torch.optim.lr_scheduler.OneCycleLR``.

    The lr goes from ``initial = max_lr / div_factor`` to ``max_lr`` in the first ``pct_start total_steps - 1`` steps,
    and to ``initial / final_div_factor`` at step ``total_steps - 1``; the momentum goes the other way. optax's
    schedules of that name end their phases at other steps (0.04 to 0.16 of the peak apart).

    Inside jit the numbers are looked up in a table of ``total_steps`` that the host has computed; past it, where torch
    raises, they are nan.

    Args:
        lr: stands where torch has the optimizer: one number, or a list with one per parameter group. The schedule
            does not use the number, as in torch, unless ``max_lr`` is left out.
        max_lr: the highest lr, one number or one per group; left out, it is ``lr``.
        total_steps: the number of steps; instead of it ``epochs`` and ``steps_per_epoch`` can be given.
        epochs: the number of epochs.
        steps_per_epoch: the steps of an epoch.
        pct_start: the part of the steps in which the lr rises, a float in [0, 1].
        anneal_strategy: "cos" or "linear".
        cycle_momentum: whether ``get_last_momentum`` runs against the lr. The number is the ``momentum`` of the
            optimizer, or the first of its ``betas``.
        base_momentum: the lowest momentum, at the highest lr; one number or one per group.
        max_momentum: the highest momentum; one number or one per group.
        div_factor: the highest lr over the initial one.
        final_div_factor: the initial lr over the last one.
        three_phase: whether the lr comes back to the initial one as steeply as it rose before it goes below.
        last_epoch: the index of the last step; -1 begins at the initial lr.

    Raises:
        ValueError: ``You must define either total_steps OR (epochs AND steps_per_epoch)``, ``Expected positive integer
            ...``, ``Expected float between 0 and 1 pct_start, but got ...``, ``anneal_strategy must be one of 'cos' or
            'linear', instead got ...``; from ``step``: ``Tried to step ... times. The specified number of total steps
            is ...``.

    Source: Smith and Topin, Super-Convergence, 2018.

    >>> schedule = OneCycleLR(0.1, max_lr=1.0, total_steps=10, anneal_strategy="linear", div_factor=10.0)
    >>> [round(schedule.get_last_lr(schedule.state_at(t)), 4) for t in (0, 1, 2, 9)]
    [0.1, 0.55, 1.0, 0.0]
    >>> round(schedule.get_last_momentum(schedule.state_at(2)), 4)
    0.85
    """

    lr: Any
    max_lr: Any = None
    total_steps: int | None = None
    epochs: int | None = None
    steps_per_epoch: int | None = None
    pct_start: float = 0.3
    anneal_strategy: str = "cos"
    cycle_momentum: bool = True
    base_momentum: Any = 0.85
    max_momentum: Any = 0.95
    div_factor: float = 25.0
    final_div_factor: float = 1e4
    three_phase: bool = False
    last_epoch: int = -1

    def _validate(self) -> None:
        self._set(total_steps=self._checked_total_steps())
        if self.pct_start < 0 or self.pct_start > 1 or not isinstance(self.pct_start, float):
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {self.pct_start}")
        if self.anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {self.anneal_strategy}")
        groups = len(as_groups(self.lr))
        self._set(max_lr=per_group("max_lr", self.lr if self.max_lr is None else self.max_lr, groups))
        if self.cycle_momentum:
            self._set(
                max_momentum=per_group("max_momentum", self.max_momentum, groups),
                base_momentum=per_group("base_momentum", self.base_momentum, groups),
            )

    def _checked_total_steps(self) -> int:
        if self.total_steps is not None:
            return _positive_integer("total_steps", self.total_steps)
        if self.epochs is not None and self.steps_per_epoch is not None:
            epochs = _positive_integer("epochs", self.epochs)
            return epochs * _positive_integer("steps_per_epoch", self.steps_per_epoch)
        raise ValueError(
            explain(
                "You must define either total_steps OR (epochs AND steps_per_epoch)",
                got=f"total_steps=None, epochs={self.epochs}, steps_per_epoch={self.steps_per_epoch}",
            )
        )

    def _construct(self, state: State) -> State:
        initial_lr = tuple(self._lr_named("initial_lr", i) for i in range(len(self.max_lr)))
        memory = Memory(self.last_epoch, 0, initial_lr)
        return self._initial_step(state._replace(initial_lr=initial_lr, memory=memory))

    def _get_lr(self, memory: Memory, lr: Number, group: int, initial: bool) -> Number:
        phase, pct = self._phase_at(memory.last_epoch)
        return self._anneal(self._lr_named(phase.start_lr, group), self._lr_named(phase.end_lr, group), pct)

    def _momentums(self, memory: Memory, momentum: tuple[Number, ...]) -> tuple[Number, ...]:
        if not self.cycle_momentum:
            return momentum
        phase, pct = self._phase_at(memory.last_epoch)
        starts, ends = getattr(self, phase.start_momentum), getattr(self, phase.end_momentum)
        return tuple(self._anneal(start, end, pct) for start, end in zip(starts, ends, strict=True))

    def _lr_named(self, name: str, group: int) -> Number:
        """torch's entries of the parameter group."""
        max_lr = self.max_lr[group]
        if name == "max_lr":
            return max_lr
        initial_lr = max_lr / self.div_factor
        return initial_lr if name == "initial_lr" else initial_lr / self.final_div_factor

    def _arguments(self) -> dict[str, Any]:
        return {
            "total_steps": self._total,
            "_schedule_phases": [phase._asdict() for phase in self._phases()],
            "_anneal_func_type": self.anneal_strategy,
            "cycle_momentum": self.cycle_momentum,
        }

    def _taking_over(self, state_dict: dict[str, Any]) -> Any:
        """Its own arguments, or none: the bounds are in torch's optimizer, and pct_start in no dictionary."""
        mine = self._arguments()
        names = ("end_step", "start_lr", "end_lr")
        phases = [tuple(phase[name] for name in names) for phase in state_dict.get("_schedule_phases", ())]
        for name, value in mine.items():
            if name != "_schedule_phases" and name in state_dict and from_file(state_dict[name]) != value:
                raise ValueError(_other_arguments(name, state_dict[name], value))
        if phases and phases != [phase[:3] for phase in self._phases()]:
            raise ValueError(_other_arguments("pct_start or three_phase", phases, [p[:3] for p in self._phases()]))
        theirs = [float(from_file(lr)) for lr in state_dict.get("base_lrs", ())]  # max_lr / div_factor
        bases = [float(self._lr_named("initial_lr", group)) for group in range(len(self.max_lr))]
        if theirs and not (len(theirs) == len(bases) and all(map(_alike, theirs, bases))):
            raise ValueError(_other_arguments("max_lr or div_factor", f"base_lrs {theirs}", bases))
        return self

    def _phases(self) -> list[_Phase]:
        total, rise = self._total, float(self.pct_start * self._total) - 1
        up = _Phase(rise, "initial_lr", "max_lr", "max_momentum", "base_momentum")
        if not self.three_phase:
            return [up, _Phase(total - 1, "max_lr", "min_lr", "base_momentum", "max_momentum")]
        fall = float(2 * self.pct_start * total) - 2
        return [
            up,
            _Phase(fall, "max_lr", "initial_lr", "base_momentum", "max_momentum"),
            _Phase(total - 1, "initial_lr", "min_lr", "max_momentum", "max_momentum"),
        ]

    def _phase_at(self, step: Any) -> tuple[_Phase, float]:
        """The phase of a step and how far through it the step is."""
        if step > self._total:
            raise ValueError(f"Tried to step {step} times. The specified number of total steps is {self._total}")
        start_step = 0.0
        *earlier, last = self._phases()
        for phase in earlier:
            if step <= phase.end_step:
                return phase, (step - start_step) / (phase.end_step - start_step)
            start_step = phase.end_step
        return last, (step - start_step) / (last.end_step - start_step)

    def _anneal(self, start: Number, end: Number, pct: float) -> Number:
        if self.anneal_strategy == "linear":
            return (end - start) * pct + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * pct) + 1)

    def _graph_lrs(self, count: jax.Array, init: State) -> tuple[jax.Array, ...]:
        del init
        return tuple(lookup(column, count) for column in zip(*(s.lr for s in self._states()), strict=True))

    def _graph_momentums(self, count: jax.Array, init: State) -> tuple[jax.Array, ...]:
        if not self.cycle_momentum:
            return init.momentum
        return tuple(lookup(column, count) for column in zip(*(s.momentum for s in self._states()), strict=True))

    def _states(self) -> list[State]:
        """All states up to the last step that torch takes; with pct_start=1.0 the last one divides by zero."""
        states = [self.init()]
        for _ in range(self._total):
            try:
                states.append(self._step(states[-1]))
            except ZeroDivisionError:
                break
        return states

    @property
    def _total(self) -> int:
        assert self.total_steps is not None
        return self.total_steps


def _positive_integer(name: str, value: Any) -> int:
    if value <= 0 or not isinstance(value, int):
        raise ValueError(f"Expected positive integer {name}, but got {value}")
    return value


def _alike(one: float, other: float) -> bool:
    """Whether two numbers are one, even if torch kept it as a tensor of float32."""
    return math.isclose(one, other, rel_tol=1e-6)


def _other_arguments(name: str, theirs: Any, mine: Any) -> str:
    return explain(
        f"the state_dict is of a OneCycleLR with another {name}",
        got=theirs,
        expected=mine,
        remedy="construct this one with the arguments of the one that was saved: a dictionary does not hold them all",
    )
