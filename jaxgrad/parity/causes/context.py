"""What a rule sees: both recordings, and where they part."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from jaxgrad.parity.record.model import PHASES, Recording
from jaxgrad.parity.report.parts import Divergence

Array = npt.NDArray[Any]
Tensors = Mapping[str, Array]


ELEMENTWISE = ("optimizer", "params")
"""Phases in which one element does not depend on another."""

AT_MOST = 4096
"""So many elements of a tensor are looked at there."""


def thin(array: Array) -> Array:
    """Elements of an array at even distances, at most ``AT_MOST``.

    >>> thin(np.zeros((3, 2))).shape, thin(np.zeros((3000, 10))).shape
    ((3, 2), (3750,))
    """
    size = np.size(array)
    return array if size <= AT_MOST else np.ravel(array)[:: -(-size // AT_MOST)]


@dataclass(frozen=True)
class Context:
    """Two recordings and their first divergence.

    Args:
        reference, candidate: recordings.
        divergence: the first.
        single: whether each step of the candidate starts from the reference's values.
        again: makes the reference's step again with some of torch's functions called otherwise (see
            ``sides.torch_again``); None where that cannot be.

    >>> from jaxgrad.parity.record.model import StepRecord
    >>> run = Recording(steps=[StepRecord(0, {"loss": {"loss": np.array(2.0)}})])
    >>> Context(run, run, Divergence(0, "loss", "loss", "differs")).right("loss")
    {'loss': array(2.)}
    """

    reference: Recording
    candidate: Recording
    divergence: Divergence
    single: bool = False
    again: Any = field(default=None, repr=False)

    @property
    def step(self) -> int:
        """The first step that differs, from 0."""
        return self.divergence.step

    @property
    def phase(self) -> str:
        """The first phase of that step that differs."""
        return self.divergence.phase

    @property
    def tensor(self) -> str:
        """The first tensor of that phase that differs."""
        return self.divergence.tensor

    @cached_property
    def meta(self) -> Mapping[str, Any]:
        """What is known of the reference: optimizer, modules, clip, accumulation."""
        return dict(self.reference.meta)

    def right(self, phase: str, step: int | None = None) -> Tensors:
        """The reference's tensors of one phase, at the divergence's step if none is given."""
        return self._thinned(phase, _tensors(self.reference, self.step if step is None else step, phase))

    def wrong(self, phase: str, step: int | None = None) -> Tensors:
        """The candidate's tensors of one phase, at the divergence's step if none is given."""
        return self._thinned(phase, _tensors(self.candidate, self.step if step is None else step, phase))

    def own(self, phase: str, step: int) -> Tensors:
        """What the candidate had at hand before it went wrong: its own tensors, where it recorded them and they are
        from before the divergence; otherwise the reference's."""
        before = step < self.step or PHASES.index(phase) < PHASES.index(self.phase)
        mine = self.wrong(phase, step) if before else {}
        return {name: mine.get(name, value) for name, value in self.right(phase, step).items()}

    def before(self, phase: str, step: int | None = None) -> Tensors:
        """The reference's ``params``, ``buffers`` or ``optimizer`` as the step found them."""
        step = self.step if step is None else step
        return self._thinned(phase, self.reference.before(step, phase))

    def own_before(self, phase: str, step: int, *, whole: bool = False) -> Tensors:
        """The same of the candidate, where it recorded them and started from its own; ``whole`` beside gradients, which
        are never thinned."""
        right: Tensors = self.reference.before(step, phase)
        if not self.single:
            mine = self.candidate.before(step, phase)
            right = {name: mine.get(name, value) for name, value in right.items()}
        return right if whole else self._thinned(phase, right)

    def _thinned(self, phase: str, tensors: Tensors) -> Tensors:
        """Some numbers of each large tensor, where each goes its own way: in the optimizer."""
        if phase not in ELEMENTWISE or self.phase not in ELEMENTWISE:
            return dict(tensors)
        return {name: thin(value) for name, value in tensors.items()}

    @cached_property
    def shared(self) -> tuple[str, ...]:
        """The tensors of the phase that both have in one shape, the first that differs before the others."""
        right, wrong = self.right(self.phase), self.wrong(self.phase)
        both = [name for name in right if name in wrong and np.shape(right[name]) == np.shape(wrong[name])]
        return tuple(sorted(both, key=lambda name: name != self.tensor))

    def group(self, name: str) -> Mapping[str, Any]:
        """The optimizer's options for a parameter, by torch's names; none where they are not known."""
        groups = self.meta.get("optimizer", {}).get("groups", [])
        return next((group for group in groups if name in group.get("params", ())), {})

    def group_index(self, name: str) -> int:
        """Which group of the optimizer a parameter is in."""
        groups = self.meta.get("optimizer", {}).get("groups", [])
        return next((index for index, group in enumerate(groups) if name in group.get("params", ())), 0)

    @property
    def optimizer(self) -> str:
        """The name of torch's optimizer; empty where it is not known."""
        return str(self.meta.get("optimizer", {}).get("class", ""))

    @cached_property
    def steps(self) -> tuple[int, ...]:
        """The recorded steps of the reference."""
        return tuple(record.step for record in self.reference.steps)

    @cached_property
    def from_start(self) -> bool:
        """Whether what the optimizer remembers can be made again from the gradients of all steps."""
        return not self.single and all(self.reference.at(step) is not None for step in range(self.step))

    def lrs(self, name: str) -> dict[int, float]:
        """The learning rate of a parameter's group at each recorded step."""
        return {step: self._lr(name, step) for step in self.steps}

    def _lr(self, name: str, step: int) -> float:
        values = [value for key, value in sorted(self.right("lr", step).items()) if key.startswith("lr")]
        if not values:
            return float(self.group(name).get("lr", 0.0))
        index = self.group_index(name)
        return float(np.ravel(values[index if index < len(values) else 0])[0])

    def later(self) -> "Context | None":
        """The same a step later, where both recorded it and the candidate's own gradients tell what it went on from."""
        step = self.step + 1
        wrong = self.candidate.at(step)
        if wrong is None or self.reference.at(step) is None or not (wrong["grads"] or wrong["clipped"]):
            return None
        return replace(self, divergence=replace(self.divergence, step=step), again=None)

    @cached_property
    def memo(self) -> dict[str, Any]:
        """What several rules need and one computes."""
        return {}


def _tensors(recording: Recording, step: int, phase: str) -> Tensors:
    record = recording.at(step)
    return {} if record is None else dict(record[phase])


def wide(array: Any) -> Array:
    """In double precision (integers and booleans too)."""
    return np.asarray(array, np.complex128 if np.asarray(array).dtype.kind == "c" else np.float64)
