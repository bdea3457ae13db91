"""What a comparison found, in small frozen values: a distance, the first divergence, its cause, the random streams.

``kind`` says how a tensor of the candidate stands to the reference's:

- ``equal``: the same bits, or the same numbers
- ``within``: different, by no more than the reference's own rounding allows
- ``differs``: further than that
- ``missing``, ``extra``: only the reference, or only the candidate, has it
- ``shape``, ``dtype``: it is of another kind
- ``nonfinite``: nan or an infinity where the other has none
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

KINDS = ("equal", "within", "differs", "missing", "extra", "shape", "dtype", "nonfinite")

Value: TypeAlias = float | int | bool | complex | str | None
"""One element of a tensor; or a text where there is none to show (``float32[3,5]`` of a wrong shape)."""


@dataclass(frozen=True)
class TensorDistance:
    """How far one tensor of one phase of one step is from the reference's.

    Args:
        step: counted from 0.
        phase: where in the step, one of ``PHASES``.
        tensor: its name.
        kind: one of ``KINDS``.
        absolute: the largest difference of an element.
        relative: norm of the difference over norm of the reference.
        displacement: norm of the difference over the distance that the reference moved from where the run began.
        ulp: the largest difference in units of the last place.
        noise: the reference's own rounding, in the norm of ``ratio``.
        ratio: the candidate's distance in units of that noise.
        element: index of the worst element, or of the first one that tells (nan, infinity).
        reference: the reference there.
        candidate: the candidate there.

    >>> TensorDistance(8, "loss", "loss", "within", relative=1e-8, ratio=1.2).ok
    True
    """

    step: int
    phase: str
    tensor: str
    kind: str
    absolute: float | None = None
    relative: float | None = None
    displacement: float | None = None
    ulp: int | None = None
    noise: float | None = None
    ratio: float | None = None
    element: tuple[int, ...] | None = None
    reference: Value = None
    candidate: Value = None

    @property
    def ok(self) -> bool:
        """Whether the candidate is the reference, but for rounding."""
        return self.kind in ("equal", "within")


@dataclass(frozen=True)
class Divergence:
    """The first place where the two runs part: it got the reference's inputs and gave another output.

    Args:
        step: counted from 0.
        phase: where in the step.
        tensor: its name.
        kind: one of ``KINDS``.
        element: index of the worst element.
        reference: the reference there.
        candidate: the candidate there.
        ratio: distance in units of the reference's own rounding.
        module: path of the module to blame, where one can be.
        operation: the operation to blame, where a traced graph is at hand.
        reference_source: ``file.py:12 the line of code`` that makes the reference's value.
        candidate_source: the same of the candidate.
        agreeing: names right before it, in the order of the step, that still agree.

    >>> Divergence(8, "params", "fc.weight", "differs", agreeing=("optimizer.exp_avg['fc.weight']",)).step
    8
    """

    step: int
    phase: str
    tensor: str
    kind: str
    element: tuple[int, ...] | None = None
    reference: Value = None
    candidate: Value = None
    ratio: float | None = None
    module: str | None = None
    operation: str | None = None
    reference_source: str | None = None
    candidate_source: str | None = None
    agreeing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cause:
    """A known deviation that, applied to the reference's values, gives the candidate's.

    Args:
        name: the rule, as ``eps_inside_root``.
        sentence: what goes on after "because": ``eps is inside the root``.
        remaining: relative distance that is left when the deviation is applied to the reference, the counterfactual.
        explained: how much of the distance is explained, 0 to 1.
        tensor: where it was tested.
        parameters: what was fitted, as ``{"eps": "inside the root"}``.
        reference_source: the line of the reference that does it right.

    >>> Cause("eps_inside_root", "eps is inside the root", remaining=3e-16, explained=1.0).name
    'eps_inside_root'
    """

    name: str
    sentence: str
    remaining: float | None = None
    explained: float | None = None
    tensor: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    reference_source: str | None = None


@dataclass(frozen=True)
class Draws:
    """What both sides drew from their random stream in one step.

    Args:
        step: counted from 0.
        reference: position of the reference's stream after the step, in words; None where it is not known.
        candidate: the candidate's.
        reference_sites: the lines that drew, in order, as ``file.py:12 the line of code``.
        candidate_sites: the candidate's.

    >>> Draws(0, reference=640, candidate=641).ok
    False
    """

    step: int
    reference: int | None = None
    candidate: int | None = None
    reference_sites: tuple[str, ...] = ()
    candidate_sites: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether both stand at the same place, as far as is known."""
        return self.reference is None or self.candidate is None or self.reference == self.candidate
