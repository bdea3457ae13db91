"""What all schedulers share: a schedule is an immutable value, its state a pytree, its step a pure function.

torch's scheduler writes into the optimizer's ``param_groups`` and reads back what it wrote the last time. Here the
entries that it reads and writes (``lr``, ``initial_lr``, ``momentum``) are fields of a state that goes into ``step``
and comes out of it:

    schedule = StepLR(0.1, step_size=30)
    state = schedule.init()                 # what torch's constructor does
    state = schedule.step(state)            # scheduler.step()
    lr = schedule.get_last_lr(state)        # 0.1; a list when the first argument was a list, one per group

A schedule can be read in three ways.

* **On the host** (``init``, ``step``, ``get_last_lr`` on plain numbers) it is torch's own recursion, in Python
  doubles and in torch's order of operations: the numbers are equal to torch's, not close to them.
* **Inside jit**, ``schedule.value_at(count)`` is the lr after ``count`` steps as a function of a traced integer, in
  JAX's default float dtype; ``schedule`` itself is callable, so that it is an optax schedule. ``step`` and
  ``get_last_lr`` take a state of arrays as well, so that a scan can carry it. In float32 these are within 1e-6 relative
  of torch's double (5e-7 was the most seen, over random arguments), and the table form within half a unit in the last
  place.
* ``schedule.tabulate(n)`` runs the host form once and looks its numbers up inside jit: for whatever has no closed
  form, and where a float32 must be torch's double correctly rounded.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.errors import explain
from jaxgrad.optim.lr_scheduler.arguments import Taken, changed, from_file, own_arguments
from jaxgrad.optim.lr_scheduler.groups import Number, as_groups, as_host_numbers, lookup, normalize_lr, per_group
from jaxgrad.optim.lr_scheduler.kinds import check_fields
from jaxgrad.optim.lr_scheduler.state import Memory, State


class LRScheduler:
    """Mirror of ``torch.optim.lr_scheduler.LRScheduler``: one group's rule, lifted to groups and to a pure state.

    A subclass is a frozen dataclass whose first field ``lr`` stands where torch has the optimizer, followed by torch's
    arguments. It defines ``_get_lr`` (torch's ``get_lr`` for one group), and where they exist ``_closed_form_lr``
    (torch's ``_get_closed_form_lr``) and ``_graph_lr`` (the lr as a function of a traced count).

    >>> from jaxgrad.optim.lr_scheduler import StepLR
    >>> schedule = StepLR(0.1, step_size=1)
    >>> isinstance(schedule, LRScheduler), schedule.get_last_lr(schedule.init())
    (True, 0.1)
    """

    lr: Any
    last_epoch: int

    # Whether every step multiplies the lr by a factor of the step alone: such schedulers can be chained inside jit.
    _multiplicative = False
    # Whether a restart in SequentialLR begins at base_lr, and not at the lr that it finds.
    _restarts_at_base = True

    def __post_init__(self) -> None:
        self._set(lr=normalize_lr(self.lr))
        check_fields(self)
        self._validate()

    # --- the host form: torch's own recursion in doubles ---

    def init(self, lr: Any = None) -> State:
        """What torch's constructor does: the state whose ``get_last_lr`` is the lr of the first epoch.

        Args:
            lr: only with ``last_epoch >= 0``: the lr that stands in the optimizer at that moment (``group["lr"]``
                beside ``group["initial_lr"]``), one per group; without it, the base lr.

        Raises:
            ValueError: ``lr`` was given for a schedule that begins at its base lr.
        """
        groups = as_groups(self.lr)
        if self.last_epoch == -1:
            if lr is not None:
                raise ValueError(
                    explain(
                        "a schedule with last_epoch=-1 begins at its base lr",
                        got=f"lr={lr}",
                        remedy=f"{type(self).__name__}(lr, ..., last_epoch=e).init(lr), or give lr as the base lr",
                    )
                )
            return self._construct(State(groups, (), (), None))
        return self._construct(State(per_group("lr", lr, len(groups)) if lr is not None else groups, groups, (), None))

    def step(self, state: State, epoch: Any = None) -> State:
        """The state after ``scheduler.step()``, or after ``scheduler.step(epoch)``.

        Args:
            state: from ``init`` or ``step``. Plain numbers give torch's doubles; a state of JAX arrays, also inside
                jit and scan, gives the in-graph form.
            epoch: sets ``last_epoch`` and uses torch's closed form where torch has one. (torch calls the argument
                deprecated, except where it can be fractional: ``CosineAnnealingWarmRestarts``.)
        """
        if state.taken is not None:
            return state.taken.schedule.step(state._replace(taken=None), epoch)._replace(taken=state.taken)
        if isinstance(self._epoch(state.memory), jax.Array) or isinstance(epoch, jax.Array):
            self._require_fresh()
            return self._graph_step(state, epoch)
        return self._step(as_host_numbers(state), epoch)

    def get_last_lr(self, state: State) -> Any:
        """The lr of the state: one number for a single base lr, a list for a list of groups."""
        return self._ungroup(state.lr)

    def get_last_momentum(self, state: State) -> Any:
        """The momentum (for an optimizer with betas: beta1) that a cycling schedule has set.

        Raises:
            ValueError: this schedule leaves the momentum alone.
        """
        if not state.momentum:
            raise ValueError(
                explain(
                    f"{type(self).__name__} does not change the momentum",
                    remedy="CyclicLR and OneCycleLR with cycle_momentum=True do",
                )
            )
        return self._ungroup(state.momentum)

    def state_at(self, count: int) -> State:
        """The host state after ``count`` steps; makes a state again of a counter that a jitted step has carried."""
        state = self.init()
        for _ in range(int(count)):
            state = self._step(state)
        return state

    # --- the in-graph form ---

    def value_at(self, count: Any) -> Any:
        """The lr after ``count`` steps, for a traced or concrete integer: an array, or a list with one per group.

        Raises:
            NotImplementedError: the schedule is not a function of the step alone, or has no closed form.
        """
        self._require_fresh()
        return self._ungroup(self._graph_lrs(jnp.asarray(count), self.init()))

    def momentum_at(self, count: Any) -> Any:
        """The momentum after ``count`` steps; see ``value_at``."""
        self._require_fresh()
        init = self.init()
        self.get_last_momentum(init)
        return self._ungroup(self._graph_momentums(jnp.asarray(count), init))

    def __call__(self, count: Any) -> Any:
        """``value_at(count)``: the schedule as optax's (``optax.sgd(StepLR(0.1, step_size=30))``)."""
        return self.value_at(count)

    def tabulate(self, num_steps: int) -> "TabulatedLR":
        """This schedule for ``num_steps`` calls of ``step``, its numbers looked up instead of computed.

        >>> from jaxgrad.optim.lr_scheduler import MultiplicativeLR
        >>> table = MultiplicativeLR(1.0, lambda epoch: 0.5 if epoch < 3 else 1.0).tabulate(4)
        >>> [float(jax.jit(table.value_at)(count)) for count in range(5)]
        [1.0, 0.5, 0.25, 0.25, 0.25]
        """
        states = [self.init()]
        for _ in range(num_steps):
            states.append(self._step(states[-1]))
        return TabulatedLR(self.lr, tuple(s.lr for s in states), tuple(s.momentum for s in states))

    # --- torch's state_dict ---

    def state_dict(self, state: State) -> dict[str, Any]:
        """The state under the names of ``torch``'s ``scheduler.state_dict()``, the constructor's arguments included.

        Args:
            state: from ``init``, ``step`` or ``load_state_dict``.

        Returns:
            A dictionary of numbers, texts and lists. As in torch a function is not in it, but the attributes of a
            callable object are, and what torch keeps in the optimizer's groups is not (``swa_lr``, the bounds of
            OneCycleLR).
        """
        if state.taken is not None:
            return state.taken.schedule.state_dict(state._replace(taken=None))
        memory = {**self._arguments(), **self._memory_dict(state), **self._stored_functions()}
        dictionary = {**memory, "_last_lr": list(state.lr)}
        if state.momentum:
            dictionary["_last_momentum"] = list(state.momentum)
        return dictionary

    def load_state_dict(self, state_dict: dict[str, Any]) -> State:
        """The state that ``state_dict`` describes, from here or from ``torch``'s scheduler.

        As in torch the arguments in the dictionary are taken over: ``step`` of the loaded state goes on with the gamma,
        the milestones ... that were saved, whatever this schedule was made with. ``value_at`` and ``state_at``, which
        take no state, are this schedule's.

        torch keeps the momentum with the optimizer; where the dictionary lacks it, it is that of the same step.

        Args:
            state_dict: of a scheduler of the same class; arguments that it lacks are this schedule's.

        Raises:
            ValueError: the arguments cannot be told from the dictionary, and are not those of this schedule
                (OneCycleLR).
        """
        saved = self._taking_over(state_dict)
        state = saved._loaded(state_dict)
        return state if saved is self else state._replace(taken=Taken(saved))

    def _loaded(self, state_dict: dict[str, Any]) -> State:
        memory = self._load_memory(state_dict)
        state = self.init()._replace(lr=tuple(state_dict["_last_lr"]), memory=memory)
        if "_last_momentum" in state_dict:
            return state._replace(momentum=tuple(state_dict["_last_momentum"]))
        if state.momentum:
            count = self._epoch(memory) - self._epoch(self.init().memory)
            return state._replace(momentum=self.state_at(count).momentum)
        return state

    def _arguments(self) -> dict[str, Any]:
        """torch's attributes that hold the constructor's arguments."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in own_arguments(self).items()}

    def _taking_over(self, state_dict: dict[str, Any]) -> Any:
        """The schedule with the arguments in the dictionary."""
        return changed(self, {name: from_file(state_dict[name]) for name in own_arguments(self) if name in state_dict})

    # --- what subclasses define ---

    def _validate(self) -> None:
        """Raise torch's errors for invalid arguments; bring arguments into the form that the rule wants."""

    def _get_lr(self, memory: Any, lr: Number, group: int, initial: bool) -> Number:
        """torch's ``get_lr`` for one group: the lr at ``memory.last_epoch`` from the one before."""
        raise NotImplementedError(f"{type(self).__name__} cannot be restarted, in torch as here")

    def _closed_form_lr(self, memory: Any, lr: Number, group: int) -> Number:
        """torch's ``_get_closed_form_lr``; where torch has none it takes ``get_lr``."""
        return self._get_lr(memory, lr, group, initial=False)

    def _graph_lr(self, count: jax.Array, base_lr: Number, group: int) -> jax.Array:
        """The lr after ``count`` steps from the base lr, of a traced count."""
        raise NotImplementedError(
            explain(
                f"{type(self).__name__} is not a closed form of the step",
                remedy="schedule.tabulate(num_steps), which can be used wherever the schedule can",
            )
        )

    def _get_momentum(self, memory: Any, group: int) -> Number:
        raise NotImplementedError

    # --- torch's mechanism: __init__, _initial_step, step, _update_lr, SequentialLR's recursive_undo ---

    def _construct(self, state: State) -> State:
        initial_lr = state.initial_lr or state.lr
        return self._initial_step(state._replace(initial_lr=initial_lr, memory=Memory(self.last_epoch, 0, initial_lr)))

    def _initial_step(self, state: State) -> State:
        return self._step(state._replace(memory=state.memory._replace(step_count=0)), initial=True)

    def _step(self, state: State, epoch: Any = None, initial: bool = False) -> State:
        memory = state.memory._replace(step_count=state.memory.step_count + 1)
        return self._update_lr(state._replace(memory=memory), epoch, initial)

    def _update_lr(self, state: State, epoch: Any = None, initial: bool = False) -> State:
        if epoch is None:
            memory = state.memory._replace(last_epoch=state.memory.last_epoch + 1)
            lrs = tuple(self._get_lr(memory, lr, i, initial) for i, lr in enumerate(state.lr))
        else:
            memory = state.memory._replace(last_epoch=epoch)
            lrs = tuple(self._closed_form_lr(memory, lr, i) for i, lr in enumerate(state.lr))
        return State(lrs, state.initial_lr, self._momentums(memory, state.momentum), memory)

    def _undo(self, memory: Any) -> Any:
        return memory._replace(last_epoch=memory.last_epoch - 1)

    def _momentums(self, memory: Any, momentum: tuple[Number, ...]) -> tuple[Number, ...]:
        del memory
        return momentum

    # --- the mechanism inside jit ---

    def _graph_step(self, state: State, epoch: Any) -> State:
        memory = self._graph_memory(state.memory, epoch)
        count = self._epoch(memory)
        init = self.init()
        return State(self._graph_lrs(count, init), state.initial_lr, self._graph_momentums(count, init), memory)

    def _graph_memory(self, memory: Any, epoch: Any = None) -> Any:
        last_epoch = memory.last_epoch + 1 if epoch is None else epoch
        return memory._replace(last_epoch=last_epoch, step_count=memory.step_count + 1)

    def _graph_restart(self, memory: Any) -> Any:
        """What SequentialLR does to a part at its milestone: ``_update_lr(0)``."""
        return memory._replace(last_epoch=0)

    def _graph_lrs(self, count: jax.Array, init: State) -> tuple[jax.Array, ...]:
        bases = init.memory.base_lrs
        return tuple(jnp.asarray(self._graph_lr(count, base, i), float) for i, base in enumerate(bases))

    def _graph_momentums(self, count: jax.Array, init: State) -> tuple[jax.Array, ...]:
        del count
        return init.momentum

    def _require_fresh(self) -> None:
        if getattr(self, "last_epoch", -1) != -1:
            raise NotImplementedError(
                explain(
                    f"{type(self).__name__} with last_epoch={self.last_epoch} continues from an lr, not from a count",
                    remedy="schedule.tabulate(num_steps), or last_epoch=-1 and a count that goes on",
                )
            )

    # --- shared small things ---

    def _set(self, **fields: Any) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def _epoch(self, memory: Any) -> Any:
        return memory.last_epoch

    def _ungroup(self, values: tuple[Number, ...]) -> Any:
        return list(values) if isinstance(self.lr, tuple) else values[0]

    def _memory_dict(self, state: State) -> dict[str, Any]:
        fields = state.memory._asdict()
        return {_torch_name(name): list(v) if isinstance(v, tuple) else v for name, v in fields.items()}

    def _stored_functions(self) -> dict[str, Any]:
        """The entries in which torch keeps the state of callable objects; functions here have none."""
        return {}

    def _load_memory(self, state_dict: dict[str, Any]) -> Any:
        template = self.init().memory
        given = {name: state_dict[_torch_name(name)] for name in template._fields}
        return type(template)(**{name: tuple(v) if isinstance(v, list) else v for name, v in given.items()})


@dataclasses.dataclass(frozen=True)
class TabulatedLR(LRScheduler):
    """A schedule whose numbers were computed on the host once; made by ``schedule.tabulate(num_steps)``.

    Inside jit a number is torch's double rounded to the float dtype; a count past the table gives nan, since nothing
    can raise there and no other number would be noticed.

    Args:
        lr: the base lr of the schedule.
        lrs: for every step the lr of each group.
        momentums: for every step the momentum of each group, empty tuples where nothing cycles it.

    >>> from jaxgrad.optim.lr_scheduler import StepLR
    >>> float(StepLR(1.0, step_size=1, gamma=0.5).tabulate(4)(jnp.array(2)))
    0.25
    """

    lr: Any
    lrs: tuple[tuple[float, ...], ...] = dataclasses.field(repr=False)
    momentums: tuple[tuple[float, ...], ...] = dataclasses.field(repr=False)
    last_epoch: int = -1

    def _get_lr(self, memory: Any, lr: Number, group: int, initial: bool) -> Number:
        del lr, initial
        self._check(memory.last_epoch)
        return self.lrs[memory.last_epoch][group]

    def _momentums(self, memory: Any, momentum: tuple[Number, ...]) -> tuple[Number, ...]:
        del momentum
        return self.momentums[memory.last_epoch]

    def _graph_lrs(self, count: jax.Array, init: State) -> tuple[jax.Array, ...]:
        del init
        return tuple(lookup(column, count) for column in zip(*self.lrs, strict=True))

    def _graph_momentums(self, count: jax.Array, init: State) -> tuple[jax.Array, ...]:
        del init
        return tuple(lookup(column, count) for column in zip(*self.momentums, strict=True))

    def _check(self, epoch: int) -> None:
        total = len(self.lrs) - 1
        if not 0 <= epoch <= total:
            raise ValueError(f"Tried to step {epoch} times. The specified number of total steps is {total}")


def _torch_name(name: str) -> str:
    return "_step_count" if name == "step_count" else name
