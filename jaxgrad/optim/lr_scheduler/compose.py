"""Schedulers made of schedulers: one after the other, and several at once on the same lr.

In torch the parts share one optimizer and read each other's lr from it. Here the entries of its groups are threaded
through the parts in the order in which they are listed, which is the order in which a script constructs them.
"""

import dataclasses
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.arguments import as_list, wrong_kind
from jaxgrad._core.errors import explain
from jaxgrad.optim.lr_scheduler.arguments import changed, from_file
from jaxgrad.optim.lr_scheduler.cyclic import CyclicLR
from jaxgrad.optim.lr_scheduler.groups import as_groups, lookup, normalize_lr
from jaxgrad.optim.lr_scheduler.one_cycle import OneCycleLR
from jaxgrad.optim.lr_scheduler.plateau import ReduceLROnPlateau
from jaxgrad.optim.lr_scheduler.scheduler import LRScheduler
from jaxgrad.optim.lr_scheduler.state import State


class _SequentialMemory(NamedTuple):
    last_epoch: Any
    schedulers: tuple[Any, ...]


class _ChainedMemory(NamedTuple):
    schedulers: tuple[Any, ...]


class _Composite(LRScheduler):
    schedulers: Sequence[LRScheduler]

    def _validate_schedulers(self, purpose: str) -> None:
        name, schedulers = type(self).__name__, self.schedulers
        if len(schedulers) < 1:
            raise ValueError(f"{name} expects at least one scheduler{purpose}, but got no scheduler.")
        for index, scheduler in enumerate(schedulers):
            if not isinstance(scheduler, LRScheduler):
                raise TypeError(
                    explain(
                        f"{name} at index {index} should have `optimizer` as its attribute.",
                        got=type(scheduler).__name__,
                        expected="a scheduler of jaxgrad.optim.lr_scheduler",
                    )
                )
            if isinstance(scheduler, ReduceLROnPlateau):
                raise ValueError(
                    f"{name} does not support `ReduceLROnPlateau` scheduler as it requires additional kwargs to be "
                    f"specified when calling `step`, but got one at index {index} in the given schedulers sequence."
                )
            if not _same_lr(scheduler.lr, self.lr):
                raise ValueError(
                    explain(
                        f"{name} expects all schedulers to belong to the same optimizer, but got scheduler "
                        f"{type(scheduler).__name__} at index {index} has {scheduler.lr}, "
                        f"which is different from {self.lr}.",
                        remedy="give every scheduler the same first argument, the lr of the optimizer",
                    )
                )

        self._refuse_overwritten_entries()

    def _refuse_overwritten_entries(self) -> None:
        """In torch a OneCycleLR keeps its numbers in the groups, where a later part may overwrite them."""
        leaves = list(_leaves(self))
        for i, one in enumerate(leaves):
            for later in leaves[i + 1 :] if isinstance(one, OneCycleLR) else ():
                both_cycle = getattr(one, "cycle_momentum", False) and getattr(later, "cycle_momentum", False)
                momentum = isinstance(later, CyclicLR) and both_cycle
                if isinstance(later, OneCycleLR) or momentum:
                    raise ValueError(
                        explain(
                            f"{type(self).__name__}: the {type(later).__name__} overwrites the entries of the "
                            "parameter groups from which an earlier OneCycleLR reads its bounds",
                            remedy="torch computes the first cycle with the bounds of the second; use one OneCycleLR, "
                            "or LambdaLR for the shape that is wanted",
                        )
                    )

    def _construct_schedulers(self, state: State) -> tuple[State, list[Any]]:
        memories = []
        for scheduler in self.schedulers:
            state = scheduler._construct(state)
            memories.append(state.memory)
        return state, memories

    def _update_lr(self, state: State, epoch: Any = None, initial: bool = False) -> State:
        raise NotImplementedError(
            f"a {type(self).__name__} cannot be restarted inside a SequentialLR, in torch as here"
        )

    def _memory_dict(self, state: State) -> dict[str, Any]:
        parts = zip(self.schedulers, state.memory.schedulers, strict=True)
        return {"_schedulers": [part.state_dict(state._replace(memory=memory)) for part, memory in parts]}

    def _arguments(self) -> dict[str, Any]:
        return {}

    def _taking_over(self, state_dict: dict[str, Any]) -> Any:
        parts = zip(self.schedulers, state_dict["_schedulers"], strict=True)
        schedulers = tuple(part._taking_over(given) for part, given in parts)
        same = all(part is old for part, old in zip(schedulers, self.schedulers, strict=True))
        given: dict[str, Any] = {} if same else {"schedulers": schedulers}
        if "_milestones" in state_dict:
            given["milestones"] = from_file(state_dict["_milestones"])
        return changed(self, given)

    def _load_schedulers(self, state_dict: dict[str, Any]) -> tuple[Any, ...]:
        parts = zip(self.schedulers, state_dict["_schedulers"], strict=True)
        return tuple(part._load_memory(given) for part, given in parts)


@dataclasses.dataclass(frozen=True)
class ChainedScheduler(_Composite):
    """Mirror of ``torch.optim.lr_scheduler.ChainedScheduler``: every step is a step of each, on the lr of the last.

    Inside jit ``value_at`` is the product of the factors, where every part only multiplies the lr (Exponential, Step,
    MultiStep, Constant, Linear, Polynomial, Multiplicative); for the others (a cosine adds) it raises, and
    ``schedule.tabulate(num_steps)`` does it.

    Args:
        schedulers: the parts, made with the same base lr.
        lr: stands for torch's optional ``optimizer``: the base lr; left out, it is that of the parts.

    Raises:
        ValueError: no scheduler, a ReduceLROnPlateau, or parts with different base lrs (torch's sentences); a
            OneCycleLR whose bounds a later part would overwrite in torch.
        TypeError: a part is not a scheduler.

    >>> from jaxgrad.optim.lr_scheduler import ConstantLR, ExponentialLR
    >>> warmup, decay = ConstantLR(1.0, factor=0.5, total_iters=2), ExponentialLR(1.0, gamma=0.5)
    >>> schedule = ChainedScheduler([warmup, decay])
    >>> [schedule.get_last_lr(schedule.state_at(t)) for t in range(4)]
    [0.5, 0.25, 0.25, 0.125]
    """

    schedulers: Sequence[LRScheduler]
    lr: Any = None

    last_epoch = -1

    def __post_init__(self) -> None:
        self._set(schedulers=tuple(as_list(self.schedulers, "schedulers", "ChainedScheduler", "list of schedulers")))
        if self.lr is None and self.schedulers:
            self._set(lr=getattr(self.schedulers[0], "lr", None))
        elif self.lr is not None:
            self._set(lr=normalize_lr(self.lr))
        self._validate_schedulers(" to be chained")

    def _construct(self, state: State) -> State:
        state, memories = self._construct_schedulers(state)
        return state._replace(memory=_ChainedMemory(tuple(memories)))

    def _initial_step(self, state: State) -> State:
        return self._step(state)

    def _step(self, state: State, epoch: Any = None, initial: bool = False) -> State:
        _refuse_epoch(self, epoch)
        memories = []
        for scheduler, memory in zip(self.schedulers, state.memory.schedulers, strict=True):
            state = scheduler._step(state._replace(memory=memory))
            memories.append(state.memory)
        return state._replace(memory=_ChainedMemory(tuple(memories)))

    def _undo(self, memory: _ChainedMemory) -> _ChainedMemory:
        parts = zip(self.schedulers, memory.schedulers, strict=True)
        return _ChainedMemory(tuple(part._undo(each) for part, each in parts))

    def _epoch(self, memory: _ChainedMemory) -> Any:
        return self.schedulers[0]._epoch(memory.schedulers[0])

    def _load_memory(self, state_dict: dict[str, Any]) -> _ChainedMemory:
        return _ChainedMemory(self._load_schedulers(state_dict))

    def _require_fresh(self) -> None:
        for scheduler in self.schedulers:
            scheduler._require_fresh()

    def _graph_lr(self, count: jax.Array, base_lr: Any, group: int) -> jax.Array:
        lr = base_lr
        for scheduler in self.schedulers:
            if not scheduler._multiplicative:
                raise NotImplementedError(
                    explain(
                        f"{type(scheduler).__name__} in a ChainedScheduler is not a factor of the step alone",
                        remedy="schedule.tabulate(num_steps), which can be used wherever the schedule can",
                    )
                )
            lr = lr * scheduler._graph_lr(count, 1.0, group)
        return lr

    def _graph_lrs(self, count: jax.Array, init: State) -> tuple[jax.Array, ...]:
        return tuple(jnp.asarray(self._graph_lr(count, lr, i), float) for i, lr in enumerate(as_groups(self.lr)))

    def _graph_memory(self, memory: _ChainedMemory, epoch: Any = None) -> _ChainedMemory:
        _refuse_epoch(self, epoch)
        parts = zip(self.schedulers, memory.schedulers, strict=True)
        return _ChainedMemory(tuple(part._graph_memory(each) for part, each in parts))


@dataclasses.dataclass(frozen=True, init=False)
class SequentialLR(_Composite):
    """Mirror of ``torch.optim.lr_scheduler.SequentialLR``: part ``i`` from milestone ``i - 1`` to milestone ``i``.

    At its milestone a part restarts at its step 0: from the base lr where it has a closed form, from the lr that it
    finds where it has none (MultiplicativeLR, SWALR). A composite restarts only as the first part, in torch as here.

    Inside jit the lr is looked up up to the last milestone in a table that the host has computed, and is that of the
    last part from there on.

    Args:
        lr: stands where torch has the optimizer: the base lr. It may be left out
            (``SequentialLR([warmup, decay], milestones=[5])``), since the parts hold it.
        schedulers: the parts, made with the same base lr.
        milestones: the steps at which the next part takes over, one fewer than parts.
        last_epoch: the index of the last epoch.

    Raises:
        ValueError: no scheduler, a ReduceLROnPlateau, parts with different base lrs, or a number of milestones that
            does not fit (torch's sentences); a OneCycleLR whose bounds a later part would overwrite in torch.
        TypeError: a part is not a scheduler.

    >>> from jaxgrad.optim.lr_scheduler import ConstantLR, ExponentialLR
    >>> schedule = SequentialLR(1.0, [ConstantLR(1.0, factor=0.5), ExponentialLR(1.0, gamma=0.5)], milestones=[2])
    >>> [schedule.get_last_lr(schedule.state_at(t)) for t in range(5)]
    [0.5, 0.5, 1.0, 0.5, 0.25]
    """

    lr: Any
    schedulers: Sequence[LRScheduler]
    milestones: Sequence[int]
    last_epoch: int = -1

    def __init__(self, lr: Any = None, schedulers: Any = None, milestones: Any = None, last_epoch: int = -1) -> None:
        if isinstance(lr, (list, tuple)) and all(isinstance(each, LRScheduler) for each in lr):
            milestones = schedulers if milestones is None else milestones
            lr, schedulers = None, lr
        if schedulers is None or milestones is None:
            missing = "schedulers" if schedulers is None else "milestones"
            raise TypeError(f"SequentialLR.__init__() missing 1 required positional argument: '{missing}'")
        schedulers = tuple(as_list(schedulers, "schedulers", "SequentialLR", "list of schedulers"))
        milestones = as_list(milestones, "milestones", "SequentialLR", "list of ints")
        if not all(isinstance(each, (int, np.integer)) for each in milestones):
            raise wrong_kind(milestones, "milestones", "SequentialLR", "list of ints")
        if lr is None and schedulers:
            lr = getattr(schedulers[0], "lr", None)
        self._set(
            lr=normalize_lr(lr) if lr is not None else None,
            schedulers=schedulers,
            milestones=tuple(milestones),
            last_epoch=last_epoch,
        )
        self._validate_schedulers("")
        if len(self.milestones) != len(self.schedulers) - 1:
            raise ValueError(
                "Sequential Schedulers expects number of schedulers provided to be one more than the number of "
                f"milestone points, but got number of schedulers {len(self.schedulers)} and the number of milestones "
                f"to be equal to {len(self.milestones)}"
            )

    def init(self, lr: Any = None) -> State:
        """The state of the first epoch; a sequence always begins at the base lr, so ``lr`` is refused."""
        if lr is not None:
            raise ValueError(explain("SequentialLR begins at its base lr", got=f"lr={lr}"))
        return self._construct(State(as_groups(self.lr), (), (), None))

    def _construct(self, state: State) -> State:
        # As torch's constructor: the parts have made their first steps, which are undone, and the lr set back.
        state, memories = self._construct_schedulers(state)
        state = state._replace(lr=state.initial_lr)
        memories = [part._undo(memory) for part, memory in zip(self.schedulers, memories, strict=True)]
        active = bisect_right(self.milestones, 0)
        state = self.schedulers[active]._initial_step(state._replace(memory=memories[active]))
        memories[active] = state.memory
        return state._replace(memory=_SequentialMemory(self.last_epoch + 1, tuple(memories)))

    def _initial_step(self, state: State) -> State:
        return self._step(state)

    def _step(self, state: State, epoch: Any = None, initial: bool = False) -> State:
        _refuse_epoch(self, epoch)
        last_epoch, memories = state.memory.last_epoch + 1, list(state.memory.schedulers)
        active = bisect_right(self.milestones, last_epoch)
        scheduler, part = self.schedulers[active], state._replace(memory=memories[active])
        restarts = active > 0 and self.milestones[active - 1] == last_epoch
        state = scheduler._update_lr(part, 0) if restarts else scheduler._step(part)
        memories[active] = state.memory
        return state._replace(memory=_SequentialMemory(last_epoch, tuple(memories)))

    def _undo(self, memory: _SequentialMemory) -> _SequentialMemory:
        parts = zip(self.schedulers, memory.schedulers, strict=True)
        return memory._replace(schedulers=tuple(part._undo(each) for part, each in parts))

    def _memory_dict(self, state: State) -> dict[str, Any]:
        own = {"last_epoch": state.memory.last_epoch, "_milestones": list(self.milestones)}
        return {**own, **super()._memory_dict(state)}

    def _load_memory(self, state_dict: dict[str, Any]) -> _SequentialMemory:
        return _SequentialMemory(state_dict["last_epoch"], self._load_schedulers(state_dict))

    # --- inside jit ---

    def _graph_lrs(self, count: jax.Array, init: State) -> tuple[jax.Array, ...]:
        return self._spliced(count, "lr")

    def _graph_momentums(self, count: jax.Array, init: State) -> tuple[jax.Array, ...]:
        return self._spliced(count, "momentum") if init.momentum else ()

    def _spliced(self, count: jax.Array, field: str) -> tuple[jax.Array, ...]:
        """A table up to the last milestone, from there on the last part with a count of its own."""
        if isinstance(self.schedulers[-1], _Composite):
            raise NotImplementedError(
                explain(
                    "a SequentialLR whose last part is itself composed has no closed form",
                    remedy="schedule.tabulate(num_steps), which can be used wherever the schedule can",
                )
            )
        start = max(self.milestones[-1], 0) if self.milestones else 0
        states = [self.init()]
        for _ in range(start):
            states.append(self._step(states[-1]))
        last, begin = self.schedulers[-1], states[-1]
        begin = begin._replace(memory=begin.memory.schedulers[-1])
        begin = begin._replace(memory=begin.memory._replace(base_lrs=self._effective_bases(last, begin)))
        late = jnp.maximum(count - start, 0)
        tail = last._graph_lrs(late, begin) if field == "lr" else last._graph_momentums(late, begin)
        columns = zip(*(getattr(state, field) for state in states), strict=True)
        pairs = zip(columns, tail, strict=True)
        return tuple(jnp.where(count < start, lookup(column, count), after) for column, after in pairs)

    @staticmethod
    def _effective_bases(last: LRScheduler, begin: State) -> tuple[Any, ...]:
        """The base lrs from which a fresh ``last`` gives what this one gives after its restart."""
        if not last._restarts_at_base:
            return begin.lr
        if not last._multiplicative:
            return begin.memory.base_lrs
        # A restart takes torch's closed form, which for a few arguments (total_iters=0) is not where it begins afresh.
        bases = begin.memory.base_lrs
        fresh = last._construct(State(bases, bases, (), None)).lr
        triples = zip(bases, begin.lr, fresh, strict=True)
        return tuple(base if lr is first or first == 0 else base * (lr / first) for base, lr, first in triples)

    def _graph_memory(self, memory: _SequentialMemory, epoch: Any = None) -> _SequentialMemory:
        _refuse_epoch(self, epoch)
        last_epoch = memory.last_epoch + 1
        milestones = jnp.asarray(self.milestones, jnp.int32)
        active = jnp.searchsorted(milestones, last_epoch, side="right")
        memories = []
        for i, (part, old) in enumerate(zip(self.schedulers, memory.schedulers, strict=True)):
            stepped = part._graph_memory(old)
            if i > 0:
                restarts = last_epoch == self.milestones[i - 1]
                stepped = _where(restarts, part._graph_restart(old), stepped)
            memories.append(_where(active == i, stepped, old))
        return _SequentialMemory(last_epoch, tuple(memories))


def _leaves(scheduler: LRScheduler) -> Iterator[LRScheduler]:
    if not isinstance(scheduler, _Composite):
        yield scheduler
        return
    for part in scheduler.schedulers:
        yield from _leaves(part)


def _where(condition: jax.Array, yes: Any, no: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)


def _same_lr(one: Any, other: Any) -> bool:
    if len(as_groups(one)) != len(as_groups(other)):
        return False
    return all(a is b or bool(a == b) for a, b in zip(as_groups(one), as_groups(other), strict=True))


def _refuse_epoch(scheduler: LRScheduler, epoch: Any) -> None:
    if epoch is not None:
        raise TypeError(
            explain(
                f"{type(scheduler).__name__}.step() takes no epoch",
                remedy="state_at(count) gives the state after any number of steps",
            )
        )
