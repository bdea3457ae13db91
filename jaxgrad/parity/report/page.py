"""The report as one HTML page that needs nothing else: no network, no other file."""

import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jaxgrad._core.pages import filled
from jaxgrad.parity.report import card, drift, grid
from jaxgrad.parity.report.parts import TensorDistance
from jaxgrad.parity.report.words import apart, distance_of, element, full_name, happened, number, who
from jaxgrad.serialization.atomic import replacing

if TYPE_CHECKING:
    from jaxgrad.parity.report.model import Report

_STEPS, _WRONG, _WITHIN = 40, 60, 10
"""How many steps are shown in full, and of each how many tensors that differ and that do not."""


def save(report: "Report", path: str | os.PathLike[str]) -> None:
    """Write the page; whoever looks finds the old file or the new one, never a half.

    Raises:
        ImportError: jinja2 is not installed.
    """
    html = render(report)
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.write(html)


def render(report: "Report") -> str:
    """The page as text.

    Raises:
        ImportError: jinja2 is not installed.
    """
    filters = {"number": number, "element": element, "happened": happened, "breakable": _breakable}
    return filled(__package__, "page.html.j2", _view(report) | {"sentence_html": _with_code}, filters)


def _view(report: "Report") -> dict[str, Any]:
    steps = _steps(report)
    first, bound = report.first, float(report.noise.get("bound", 3.0))
    return {
        "report": report,
        "who": who(report),
        "verdict": _verdict(report),
        "facts": [
            (label, words) for label, words in card.lines(report) if label in ("module", "operation", "distance")
        ],
        "place": full_name(first.phase, first.tensor) if first else "",
        "values": apart(first.reference, first.candidate) if first else ("", ""),
        "sources": _sources(report),
        "found": distance_of(report, first) if first else None,
        "counterfactual": card.counterfactual(report),
        "columns": grid.phases(report.distances),
        "rows": grid.rows(report.distances),
        "figure": drift.figure(report.distances, bound, first.step if first else None),
        "bound": bound,
        "width": drift.WIDTH,
        "height": drift.HEIGHT,
        "plot": (drift.LEFT, drift.TOP, drift.WIDTH - drift.RIGHT, drift.HEIGHT - drift.BOTTOM),
        "steps": steps,
        "shown": {each["step"] for each in steps},
        "steps_left_out": max(0, len({each.step for each in report.distances}) - _STEPS),
        "streams": _streams(report),
        "environment": _environment(report.environment),
        "settings": [(name.replace("_", " "), text) for name, each in report.noise.items() if (text := _written(each))],
        "meta": [(name, _written(value)) for name, value in report.meta.items()],
    }


def _with_code(sentence: str) -> Any:
    """The sentence with what stands in backticks as code; all of it escaped."""
    from markupsafe import Markup, escape  # jinja2's own

    parts = sentence.split("`")
    marked = (Markup("<code>{}</code>").format(_breakable(p)) if i % 2 else escape(p) for i, p in enumerate(parts))
    return Markup("").join(marked)


def _breakable(name: str) -> Any:
    """A name that may be broken after a dot or a bracket, where the line is too short for it.

    >>> str(_breakable("a.b<"))
    'a.<wbr>b&lt;'
    """
    from markupsafe import Markup, escape

    return Markup(re.sub(r"([.\[])", r"\1<wbr>", str(escape(name))))


def _verdict(report: "Report") -> str:
    if report.ok:
        return "equal"
    return "diverged" if report.first is None else f"diverged at step {report.first.step}"


def _sources(report: "Report") -> list[dict[str, str]]:
    """Both source lines, each with its place; none where neither is known."""
    first = report.first
    if first is None or not (first.reference_source or first.candidate_source):
        return []
    sides = ((who(report), first.reference_source), ("candidate", first.candidate_source))
    return [{"side": side, **_place_and_code(text or "")} for side, text in sides]


def _place_and_code(text: str) -> dict[str, str]:
    """``file.py:12 code`` in its parts.

    >>> _place_and_code("a/b.py:12 x = 1")
    {'place': 'a/b.py:12', 'code': 'x = 1'}
    """
    found = re.match(r"(\S.*?:\d+)[:\s]\s*(.*)", text, re.DOTALL)
    return {"place": found[1], "code": found[2]} if found else {"place": "", "code": text}


def _steps(report: "Report") -> list[dict[str, Any]]:
    """The steps that are shown tensor by tensor: those around the first divergence, then from the start."""
    by_step: dict[int, list[TensorDistance]] = {}
    for each in report.distances:
        by_step.setdefault(each.step, []).append(each)
    centre = report.first.step if report.first else 0
    nearest = sorted(by_step, key=lambda step: (abs(step - centre) > 5, step))[:_STEPS]
    return [_step(step, by_step[step], report) for step in sorted(nearest)]


def _step(step: int, found: Sequence[TensorDistance], report: "Report") -> dict[str, Any]:
    wrong = [each for each in found if not each.ok]
    kept = {id(each) for each in sorted(wrong, key=grid.badness)[-_WRONG:]}
    kept |= {id(each) for each in sorted((e for e in found if e.ok), key=grid.badness)[-_WITHIN:]}
    first = report.first
    here = first is not None and first.step == step
    same = [each for each in found if here and first and (each.phase, each.tensor) == (first.phase, first.tensor)]
    rows = [each for each in found if id(each) in kept or each in same]
    return {
        "step": step,
        "wrong": len(wrong),
        "count": len(found),
        "rows": rows,
        "left_out": len(found) - len(rows),
        "is_first": here,
        "first_row": next(iter(same), None),
    }


def _streams(report: "Report") -> dict[str, Any] | None:
    """The random streams: where they first stand apart, or that they do not."""
    if not report.draws:
        return None
    apart_at = next((each for each in report.draws if not each.ok), None)
    known = [each for each in report.draws if each.reference is not None and each.candidate is not None]
    return {"apart": apart_at, "compared": len(known), "shown": apart_at or report.draws[0]}


def _environment(found: Mapping[str, Any]) -> dict[str, Any]:
    """What both sides say of themselves, side by side, and the rest."""
    reference, candidate = (_flat(found.get(side) or {}) for side in ("reference", "candidate"))
    names = list(dict.fromkeys([*reference, *candidate]))
    return {
        "sides": [(name, _written(reference.get(name)), _written(candidate.get(name))) for name in names],
        "rest": [(name, _written(each)) for name, each in found.items() if name not in ("reference", "candidate")],
    }


def _flat(side: Mapping[str, Any]) -> dict[str, Any]:
    """Versions as entries of their own.

    >>> _flat({"versions": {"torch": "2.13.0"}, "device": "cpu"})
    {'torch': '2.13.0', 'device': 'cpu'}
    """
    return {**(side.get("versions") or {}), **{name: each for name, each in side.items() if name != "versions"}}


def _written(value: Any) -> str:
    """A JSON value for a table cell, cut where it is long."""
    if isinstance(value, Mapping):
        text = ", ".join(f"{name}: {inner}" for name, each in value.items() if (inner := _written(each)))
    elif isinstance(value, list | tuple):
        text = ", ".join(map(_written, value))
    else:
        text = "" if value is None else number(value) if isinstance(value, float) else str(value)
    return text if len(text) <= 600 else f"{text[:600]} ..."
