"""The form of an experiment: a question, two halves, what is claimed of their distance, and what was found."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from jaxgrad.parity.claim import Claim, Noise, Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Record: TypeAlias = dict[str, Any]
"""Named results of one side, in the order in which they are shown: arrays, numbers, or text."""


@dataclass(frozen=True)
class Settings:
    """What the command line sets.

    Attributes:
        seed: of the random stream.
        data: a directory with data sets, or None for the usual places.
        quick: a smaller run of the same kind, for tests.
        track: ``track(iterable, description)`` shows progress over an iterable.
    """

    seed: int = 0
    data: Path | None = None
    quick: bool = False
    track: Callable[[Iterable[Any], str], Iterable[Any]] = lambda items, description: items


@dataclass(frozen=True)
class Experiment:
    """One question.

    Attributes:
        name: the name of its file.
        number: its place in the list.
        question: what it asks, in a sentence.
        ours: runs the JAX side; must not need torch.
        reference: runs the torch side in "float32" or "float64"; imports torch itself. Results that do not depend
            on the precision may be the same in both.
        figure: draws what was found; the torch side may be missing.
        claims: pattern of result names -> what is claimed of them, the first that fits; without one, ``Noise()``.
        seed: the one used when none is given.
        expected: what is to be seen, in a sentence or two.
        together: runs both sides, for timings in turn or work in common, and returns ours, the reference, and that in
            float64 or None; takes the place of ``ours`` and ``reference`` where torch is.
        compares_float64: whether ``reference`` is run in float64 too, as the truth for ``Noise``.
        seconds: about how long it takes with torch on two cores; the short ones run first.
        answer: what was found, in a sentence with results in braces, ``"the loss is {loss 1}"``, or a function
            that writes it.
    """

    name: str
    number: int
    question: str
    ours: Callable[[Settings], Record]
    reference: Callable[[Settings, str], Record]
    figure: Callable[["Figure", "Results"], None]
    claims: Mapping[str, Claim] = field(default_factory=dict)
    seed: int = 0
    expected: str = ""
    together: Callable[[Settings], tuple[Record, Record, Record | None]] | None = None
    compares_float64: bool = True
    seconds: int = 5
    answer: "str | Callable[[Results], str]" = ""

    def claim_of(self, result: str) -> Claim:
        """What is claimed of the result of this name."""
        return next((claim for pattern, claim in self.claims.items() if fnmatchcase(result, pattern)), Noise())


@dataclass(frozen=True)
class Row:
    """One result: its name, both values (None where a side does not have it), and the verdict if both are there."""

    name: str
    ours: Any
    theirs: Any
    verdict: Verdict | None


@dataclass(frozen=True)
class Results:
    """Everything one run of an experiment found."""

    experiment: Experiment
    settings: Settings
    ours: Record
    reference: Record | None
    truth: Record | None
    rows: list[Row]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether no distance is out of bounds."""
        return all(row.verdict is None or row.verdict.ok for row in self.rows)
