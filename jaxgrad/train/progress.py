"""How a run looks from outside: a bar on a terminal, a line an epoch elsewhere, or nothing."""

import sys
from typing import Any, Protocol

from jaxgrad._core.optional import require

Record = dict[str, Any]


class Progress(Protocol):
    """What ``fit`` tells, and when."""

    def begin(self, epoch: int, epochs: int, done: int, steps: int | None) -> None:
        """An epoch begins, or goes on after ``done`` of its ``steps``."""

    def step(self, values: Record) -> None:
        """A step has ended; its metrics."""

    def end(self, line: str) -> None:
        """An epoch has ended, or the run has."""

    def close(self) -> None:
        """Nothing more."""


def progress(wanted: bool | None) -> Progress:
    """A bar if stderr is a terminal and rich is there (or if it is ``wanted``); lines otherwise; nothing for False.

    Raises:
        ImportError: a bar is wanted, and rich is not installed.
    """
    if wanted is False:
        return Silence()
    if wanted is None and not sys.stderr.isatty():
        return Lines()
    try:
        return Bar()
    except ImportError:
        if wanted:
            raise
        return Lines()


class Silence:
    """Nothing is shown."""

    def begin(self, epoch: int, epochs: int, done: int, steps: int | None) -> None:
        """Nothing."""

    def step(self, values: Record) -> None:
        """Nothing."""

    def end(self, line: str) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class Lines(Silence):
    """A line an epoch."""

    def end(self, line: str) -> None:
        """The line."""
        print(line, file=sys.stderr, flush=True)


class Bar:
    """A bar an epoch, and the loss of the step before, by rich."""

    def __init__(self) -> None:
        rich = require("rich.progress", extra="progress", purpose="a progress bar")
        console = require("rich.console", extra="progress", purpose="a progress bar").Console(stderr=True)
        self._bar: Any = rich.Progress(
            "{task.description}",
            rich.BarColumn(),
            rich.MofNCompleteColumn(),
            "{task.fields[shown]}",
            rich.TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._task: Any = None
        self._bar.start()

    def begin(self, epoch: int, epochs: int, done: int, steps: int | None) -> None:
        """A fresh bar."""
        self._task = self._bar.add_task(f"epoch {epoch + 1}/{epochs}", total=steps, completed=done, shown="")

    def step(self, values: Record) -> None:
        """One on."""
        self._bar.update(self._task, advance=1, shown=f"loss {values['loss']:.4f}")

    def end(self, line: str) -> None:
        """The bar becomes a line."""
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = None
        self._bar.console.print(line, highlight=False, markup=False)

    def close(self) -> None:
        """Give the terminal back."""
        self._bar.stop()
