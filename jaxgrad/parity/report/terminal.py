"""The report in a terminal: with tables where rich is installed, otherwise in plain text."""

import importlib.util
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jaxgrad.parity.report import card, grid
from jaxgrad.parity.report.parts import TensorDistance
from jaxgrad.parity.report.words import full_name, happened, number, who

if TYPE_CHECKING:
    from jaxgrad.parity.report.model import Report

_LOOKS = {"equal": "green", "within": "dim", "differs": "bold red", "none": ""}
_SHOWN = 12


def show(report: "Report", console: Any = None) -> None:
    """Print the report.

    Args:
        report: what to show.
        console: of rich; its own where None.

    >>> from jaxgrad.parity.report import Report
    >>> show(Report(ok=True, steps=3))
    ✓ Equal through all 3 steps
    """
    if importlib.util.find_spec("rich") is None:
        print(plain(report))
        print("(tables: pip install 'jaxgrad[report]')")
        return
    from rich.console import Console

    for part in _parts(report):
        (console or Console()).print(part)


def plain(report: "Report") -> str:
    """The card and the grid without anything but letters.

    >>> from jaxgrad.parity.report import Report, TensorDistance
    >>> print(plain(Report(ok=True, steps=2, distances=[TensorDistance(i, "loss", "loss", "equal") for i in range(2)])))
    ✓ Equal through all 2 steps
      steps  loss
        0-1     =
    """
    mark = "✓" if report.ok else "✗"
    lines = [f"{mark} {card.text(report)}"]
    columns, rows = grid.phases(report.distances), grid.rows(report.distances)
    if rows:
        width = max(5, *(len(row.label) for row in rows))
        lines.append("  " + "  ".join([f"{'steps':>{width}}", *columns]))
        for row in rows:
            cells = (f"{cell.sign:>{len(cell.phase)}}" for cell in row.cells)
            lines.append("  " + "  ".join([f"{row.label:>{width}}", *cells]).rstrip())
    return "\n".join(lines)


def _parts(report: "Report") -> list[Any]:
    from rich.padding import Padding
    from rich.syntax import Syntax
    from rich.text import Text

    mark, style = ("✓", "bold green") if report.ok else ("✗", "bold red")
    parts: list[Any] = [Text.assemble((f"{mark} ", style), (report.sentence, "bold"))]
    if facts := card.lines(report):
        parts.append(Padding(_facts(facts), (0, 0, 1, 2)))
    if rows := grid.rows(report.distances):
        parts.append(_grid(rows, grid.phases(report.distances)))
        parts.append(Text(f"  = equal   · within {who(report)}'s own rounding   ✗ differs\n", style="dim"))
    if wrong := sorted((each for each in report.distances if not each.ok), key=lambda each: each.step):
        parts.append(_furthest(wrong[:_SHOWN], who(report)))
        parts += [Text(f"  and {len(wrong) - _SHOWN} more\n", style="dim")] if len(wrong) > _SHOWN else []
    if report.reproduction and not report.ok:
        code = Syntax(report.reproduction, "python", word_wrap=True)
        parts += [Text("  to see it again", style="dim"), Padding(code, (0, 0, 0, 2))]
    return parts


def _facts(facts: Sequence[tuple[str, str]]) -> Any:
    """The card."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, words in facts:
        table.add_row(Text(label), Text(words))
    return table


def _grid(rows: Sequence[grid.Row], phases: Sequence[str]) -> Any:
    """Steps against phases."""
    from rich.text import Text

    table = _table()
    table.add_column("steps", justify="right")
    for phase in phases:
        table.add_column(phase, justify="center")
    for row in rows:
        table.add_row(row.label, *(Text(cell.sign, _LOOKS[cell.look]) for cell in row.cells))
    return table


def _furthest(wrong: Sequence[TensorDistance], reference_name: str) -> Any:
    """The first tensors that differ, with their distances."""
    from rich.text import Text

    table = _table()
    for name in ("step", "tensor", "rounding ×", "relative", "ulp"):
        table.add_column(name, justify="left" if name == "tensor" else "right", overflow="fold")
    for each in wrong:
        words = "" if each.kind == "differs" else f" {happened(each, reference_name)}"
        said = Text(full_name(each.phase, each.tensor) + words)
        table.add_row(str(each.step), said, number(each.ratio), number(each.relative), number(each.ulp))
    return table


def _table() -> Any:
    from rich import box
    from rich.table import Table

    return Table(box=box.SIMPLE_HEAD, padding=(0, 1), header_style="dim")
