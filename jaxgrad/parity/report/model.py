"""The report of a comparison: the verdict, where the runs part and why, all distances; a value, with JSON both ways."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jaxgrad.parity.report import card, page, terminal, words
from jaxgrad.parity.report.parts import KINDS, Cause, Divergence, Draws, TensorDistance, Value
from jaxgrad.parity.report.plain import dumps, from_plain

__all__ = ["KINDS", "Cause", "Divergence", "Draws", "Report", "TensorDistance", "Value"]


@dataclass(frozen=True)
class Report:
    """What ``parity.compare`` found.

    Args:
        ok: whether the candidate is the reference, but for rounding.
        mode: ``free`` (both run on by themselves) or ``single`` (each step starts from the reference's values) or
            ``bisect`` (the modules of one step).
        steps: how many were compared.
        first: the first divergence; None where there is none.
        cause: what explains it; None where nothing known does.
        distances: of every tensor that was judged, in the order of the run.
        noise: how it was judged, as JSON: ``bound`` (the largest ratio that is no divergence), ``false_alarms`` (their
            rate per comparison), ``members`` (runs in the ensemble), ``floor``, and what else there is to say.
        environment: versions and devices, as JSON; the sides' own under ``reference`` and ``candidate``.
        reproduction: a few lines of Python that make the first divergence again.
        meta: of the recordings, as JSON.
        draws: positions of the random streams, step by step.

    >>> report = Report(ok=True, steps=100)
    >>> report.sentence, Report.from_json(report.to_json()) == report
    ('Equal through all 100 steps', True)
    >>> report.assert_ok()
    """

    ok: bool
    mode: str = "free"
    steps: int = 0
    first: Divergence | None = None
    cause: Cause | None = None
    distances: tuple[TensorDistance, ...] = ()
    noise: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    reproduction: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)
    draws: tuple[Draws, ...] = ()

    @property
    def sentence(self) -> str:
        """The verdict in one sentence."""
        return words.sentence(self)

    def __str__(self) -> str:
        return card.text(self)

    def assert_ok(self) -> None:
        """Do nothing if all is equal.

        Raises:
            AssertionError: it is not; the text is the card that ``str`` gives.
        """
        if not self.ok:
            raise AssertionError(str(self))

    def save_html(self, path: str | os.PathLike[str]) -> None:
        """Write the report as one HTML page that needs nothing else; needs the extra ``report``."""
        page.save(self, path)

    def print(self) -> None:
        """Print the report with its tables; without the extra ``report`` in plain text."""
        terminal.show(self)

    def to_json(self) -> str:
        """All of it as one JSON text; numbers that JSON has not are ``{"number": "nan"}``."""
        return dumps(self)

    @classmethod
    def from_json(cls, text: str | bytes | Mapping[str, Any]) -> "Report":
        """The report that ``to_json`` wrote."""
        return from_plain(cls, text if isinstance(text, Mapping) else json.loads(text))
