"""What a person sees in the terminal while experiments run."""

from collections.abc import Iterable, Iterator, Sized
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from experiments.common.answer import agreement
from experiments.common.display import short
from experiments.common.experiment import Experiment, Results


def listing(experiments: Iterable[Experiment]) -> Table:
    """All experiments with their questions, and about how long they take."""
    table = Table("#", "experiment", "question", "time", header_style="bold", box=None, pad_edge=False)
    for each in experiments:
        table.add_row(str(each.number), each.name, each.question, f"{each.seconds} s")
    return table


def verdict(results: Results) -> str:
    """One line: the mark, the name, the time, how it stands to torch."""
    mark = "[green]✓[/]" if results.ok else "[bold red]✗[/]"
    words = f"{agreement(results)} {_stand_in(results)}".rstrip()
    return f"{mark} [bold]{results.experiment.name}[/] ({results.seconds:.0f} s): {escape(words)}"


def _stand_in(results: Results) -> str:
    """Which data were taken for want of those asked for."""
    source = str(results.ours.get("data", ""))
    return f"On {source}, since FashionMNIST is not here." if "digits" in source else ""


def results_table(results: Results) -> Table:
    """Both columns and their distance."""
    experiment = results.experiment
    with_torch = results.reference is not None
    table = Table(
        title=f"{experiment.number}. {experiment.name}: {experiment.question}",
        title_justify="left",
        title_style="bold",
        header_style="bold",
        box=box.SIMPLE_HEAD,
    )
    table.add_column("result", overflow="fold")
    table.add_column("jaxgrad", justify="right", overflow="fold")
    if with_torch:
        table.add_column("torch", justify="right", overflow="fold")
        table.add_column("distance", justify="right", overflow="fold")
        table.add_column("")
    for row in results.rows:
        cells = [row.name, short(row.ours)]
        if with_torch:
            words = "" if row.verdict is None else row.verdict.words
            mark = "" if row.verdict is None or not words else "[green]✓" if row.verdict.ok else "[bold red]✗"
            cells += [short(row.theirs), words, mark]
        table.add_row(*cells)
    return table


class ProgressDisplay:
    """A progress line for each loop that an experiment tracks; silent when the output is not a terminal."""

    def __init__(self, console: Console):
        self.progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> "ProgressDisplay":
        self.progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.progress.stop()

    def track(self, items: Iterable[Any], description: str) -> Iterator[Any]:
        """``items``, with a line that says how far it is."""
        total = len(items) if isinstance(items, Sized) else None
        task = self.progress.add_task(description, total=total)
        try:
            for item in items:
                yield item
                self.progress.advance(task)
        finally:
            self.progress.remove_task(task)
