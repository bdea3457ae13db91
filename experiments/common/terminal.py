"""What a person sees in the terminal while experiments run."""

from collections.abc import Iterable, Iterator, Sized
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from experiments.common.display import short
from experiments.common.experiment import Experiment, Results


def listing(experiments: Iterable[Experiment]) -> Table:
    """All experiments with their questions."""
    table = Table("#", "experiment", "question", header_style="bold", box=None, pad_edge=False)
    for each in experiments:
        table.add_row(str(each.number), each.name, each.question)
    return table


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
