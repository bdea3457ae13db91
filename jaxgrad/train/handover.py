"""What a compiled step takes over from a state, what it only reads, and what it hands back.

A call of a compiled function pays for every array that goes in or comes out, a microsecond or so, and a state has many
that a step leaves as they are: an optimizer's options, a generator that nothing draws from. These are read. What a step
did not change of them does not come back, the next state has the same arrays.
"""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

import jax

from jaxgrad.train.state import TrainState

Leaves = tuple[Any, ...]


class Handover:
    """How the leaves of states of one structure are parted.

    Args:
        state: one of them.
    """

    def __init__(self, state: TrainState) -> None:
        named, self.structure = state.tree_flatten_with_keys()
        reads = [_is_read(key.name) for key, _ in named]
        self.read = tuple(i for i, only_read in enumerate(reads) if only_read)
        self.taken = tuple(i for i, only_read in enumerate(reads) if not only_read)
        self._picks = _pick(self.taken), _pick(self.read)
        self._join = _pick(sorted(range(len(reads)), key=(*self.taken, *self.read).__getitem__))

    def part(self, leaves: Leaves) -> tuple["Taken", Leaves]:
        """The leaves to take over, and those to read."""
        taken, read = self._picks
        return Taken(taken(leaves), self), read(leaves)

    def join(self, taken: Leaves, read: Leaves) -> TrainState:
        """The state that ``part`` parted."""
        return TrainState.tree_unflatten(self.structure, self._join((*taken, *read)))

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Handover) and self.structure == other.structure)

    def __hash__(self) -> int:
        return hash(self.structure)


@jax.tree_util.register_pytree_node_class
class Taken:
    """The leaves whose memory a step takes over, and how the state is put together again."""

    def __init__(self, leaves: Leaves, handover: Handover) -> None:
        self.leaves, self.handover = leaves, handover

    def tree_flatten(self) -> tuple[Leaves, Handover]:
        """The leaves."""
        return self.leaves, self.handover

    @classmethod
    def tree_unflatten(cls, handover: Handover, leaves: Sequence[Any]) -> "Taken":
        """The same of other leaves."""
        return cls(tuple(leaves), handover)


@jax.tree_util.register_pytree_node_class
class Returned:
    """The leaves of a state after a step, without those that were only read and have not changed.

    Args:
        leaves: what has changed.
        plan: structure of the state, and where each of its leaves is found among the changed and the read ones.
    """

    def __init__(self, leaves: Leaves, plan: tuple[Any, Callable[[Leaves], Leaves]]) -> None:
        self.leaves, self.plan = leaves, plan

    @classmethod
    def of(cls, after: TrainState, read: Leaves) -> "Returned":
        """What is to be returned of a state, the arrays in ``read`` being with the caller already."""
        leaves, structure = after.tree_flatten()
        known = {id(leaf): place for place, leaf in enumerate(read)}
        changed = tuple(leaf for leaf in leaves if id(leaf) not in known)
        new = iter(range(len(changed)))
        places = [len(changed) + known[id(leaf)] if id(leaf) in known else next(new) for leaf in leaves]
        return cls(changed, (structure, _pick(places)))

    def state(self, read: Leaves) -> TrainState:
        """The state, with what the caller has of it."""
        structure, pick = self.plan
        return TrainState.tree_unflatten(structure, pick((*self.leaves, *read)))

    def tree_flatten(self) -> tuple[Leaves, Any]:
        """The leaves."""
        return self.leaves, self.plan

    @classmethod
    def tree_unflatten(cls, plan: Any, leaves: Sequence[Any]) -> "Returned":
        """The same of other leaves."""
        return cls(tuple(leaves), plan)


def _is_read(name: str) -> bool:
    """Whether a leaf is no parameter-sized array but a number, an option, a generator."""
    part, *inside = name.split(".")
    if part in ("generator", "schedule", "scaler"):
        return True
    return part == "opt_state" and ("param_groups" in inside or "hyperparams" in inside)


def _pick(places: Sequence[int]) -> Callable[[Leaves], Leaves]:
    """The entries at these places, as a tuple; comparable, since a pytree's structure has to be."""
    return _Pick(tuple(places))


class _Pick:
    __slots__ = ("_get", "places")

    def __init__(self, places: tuple[int, ...]) -> None:
        self.places = places
        self._get = itemgetter(*places) if len(places) > 1 else None

    def __call__(self, leaves: Leaves) -> Leaves:
        return self._get(leaves) if self._get else tuple(leaves[i] for i in self.places)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Pick) and self.places == other.places

    def __hash__(self) -> int:
        return hash(self.places)
