"""Steps against phases: the worst tensor of each, and runs of steps that look alike in one row."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from jaxgrad.parity.record.model import PHASES
from jaxgrad.parity.report.parts import TensorDistance
from jaxgrad.parity.report.words import full_name, happened, number


@dataclass(frozen=True)
class Cell:
    """One phase of one step, or of several that look alike.

    Args:
        phase: which.
        look: ``equal``, ``within``, ``differs``, or ``none`` where nothing was compared.
        worst: its worst tensor.
        wrong: how many tensors differ.

    >>> Cell("loss", "none").sign
    ''
    """

    phase: str
    look: str
    worst: TensorDistance | None = None
    wrong: int = 0

    @property
    def sign(self) -> str:
        """One character, so that colour is not all that tells: = equal, · within rounding, ✗ differs."""
        return {"equal": "=", "within": "·", "differs": "✗", "none": ""}[self.look]

    @property
    def words(self) -> str:
        """What a reader wants to know of it, in a few words."""
        if self.worst is None:
            return "nothing compared"
        if self.look == "equal":
            return "equal"
        if self.look == "within":
            return (
                f"at most {number(self.worst.ratio)} times the reference's own rounding"
                if self.worst.ratio
                else "equal"
            )
        more = f", and {self.wrong - 1} more" if self.wrong > 1 else ""
        return f"{full_name(self.worst.phase, self.worst.tensor)} {happened(self.worst, 'the reference')}{more}"


@dataclass(frozen=True)
class Row:
    """Steps ``first`` to ``last`` that look alike, with a cell for each phase.

    >>> Row(0, 7, ()).label, Row(8, 8, ()).label
    ('0-7', '8')
    """

    first: int
    last: int
    cells: tuple[Cell, ...]

    @property
    def label(self) -> str:
        """The steps in words."""
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


def phases(distances: Sequence[TensorDistance]) -> tuple[str, ...]:
    """The phases that were compared, in the order of a step.

    >>> phases([TensorDistance(0, "params", "w", "equal"), TensorDistance(0, "loss", "loss", "equal")])
    ('loss', 'params')
    """
    there = {each.phase for each in distances}
    return (*(each for each in PHASES if each in there), *sorted(there - set(PHASES)))


def rows(distances: Sequence[TensorDistance], limit: int = 60) -> list[Row]:
    """The grid: neighbouring steps in one row while every phase looks the same.

    Args:
        distances: of a report.
        limit: the most rows; what comes after them is one row.

    >>> [
    ...     row.label
    ...     for row in rows([TensorDistance(i, "loss", "loss", "within" if i < 3 else "differs") for i in range(5)])
    ... ]
    ['0-2', '3-4']
    """
    columns = phases(distances)
    by_step: dict[int, list[TensorDistance]] = {}
    for each in distances:
        by_step.setdefault(each.step, []).append(each)
    single = [Row(step, step, _cells(found, columns)) for step, found in sorted(by_step.items())]
    together = [_joined(list(run)) for _, run in groupby(single, key=_colours)]
    if len(together) <= limit:
        return together
    kept = together[: limit - 1]
    return [*kept, _joined([row for row in single if row.first > kept[-1].last])]


def worst(distances: Sequence[TensorDistance]) -> TensorDistance | None:
    """The one that a reader should see: first what differs, of these the furthest.

    >>> worst([TensorDistance(0, "loss", "a", "within", ratio=2.0), TensorDistance(0, "loss", "b", "missing")]).tensor
    'b'
    """
    return max(distances, key=badness, default=None)


def badness(each: TensorDistance) -> tuple[bool, float]:
    """What to sort by: whether it differs, then how far; what has no distance is further than any."""
    if each.ratio is not None:
        return not each.ok, each.ratio
    return not each.ok, (each.relative or 0.0) if each.ok else float("inf")


def _colours(row: Row) -> tuple[str, ...]:
    """What must be alike to share a row: equal or within rounding is one colour for that."""
    return tuple("ok" if cell.look in ("equal", "within") else cell.look for cell in row.cells)


def _cells(found: Sequence[TensorDistance], columns: Sequence[str]) -> tuple[Cell, ...]:
    by_phase: dict[str, list[TensorDistance]] = {}
    for each in found:
        by_phase.setdefault(each.phase, []).append(each)
    return tuple(_cell(phase, by_phase.get(phase, [])) for phase in columns)


def _cell(phase: str, found: Sequence[TensorDistance]) -> Cell:
    wrong = sum(not each.ok for each in found)
    look = (
        "differs" if wrong else "none" if not found else "equal" if all(e.kind == "equal" for e in found) else "within"
    )
    return Cell(phase, look, worst(found), wrong)


def _joined(run: list[Row]) -> Row:
    """Several rows as one, each cell the worst of its column."""
    if len(run) == 1:
        return run[0]
    order = ("none", "equal", "within", "differs")
    cells = []
    for column in zip(*(row.cells for row in run), strict=True):
        there = [cell.worst for cell in column if cell.worst is not None]
        look = max((cell.look for cell in column), key=order.index)
        cells.append(Cell(column[0].phase, look, worst(there), max(cell.wrong for cell in column)))
    return Row(run[0].first, run[-1].last, tuple(cells))
