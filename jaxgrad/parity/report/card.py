"""The card: what a person needs first, in plain text; the same lines for the terminal, the page and an assertion."""

from typing import TYPE_CHECKING

from jaxgrad.parity.report.words import apart, distance_of, element, full_name, number, who

if TYPE_CHECKING:
    from jaxgrad.parity.report.model import Report


def lines(report: "Report") -> list[tuple[str, str]]:
    """(label, text) of everything that is known of the first divergence; nothing of a report without one.

    >>> from jaxgrad.parity.report import Divergence, Report
    >>> lines(Report(False, first=Divergence(0, "loss", "loss", "differs", (), 1.5, 2.5, ratio=7.0)))
    [('where', 'step 0, loss'), ('torch', '1.50000'), ('candidate', '2.50000'), ('distance', ...)]
    """
    first, cause = report.first, report.cause
    if first is None:
        return []
    name = who(report)
    reference, candidate = apart(first.reference, first.candidate)
    place = f"{full_name(first.phase, first.tensor)}{' ' if first.element else ''}{element(first.element)}"
    found = [
        ("where", f"step {first.step}, {place}"),
        (name, reference),
        ("candidate", candidate),
        ("distance", _distance(report)),
        ("module", first.module or ""),
        ("operation", first.operation or ""),
        (f"{name}'s line", first.reference_source or ""),
        ("candidate's line", first.candidate_source or ""),
        ("still agree", ", ".join(first.agreeing)),
    ]
    if cause is not None:
        found.append(("because", cause.sentence))
        found.append(("proof", counterfactual(report)))
    return [(label, text) for label, text in found if text]


def _distance(report: "Report") -> str:
    """In every unit that is known."""
    first = report.first
    found = distance_of(report, first) if first else None
    measured = first is not None and first.ratio is not None and first.ratio < float("inf")
    said = [f"{number(first.ratio)} times {who(report)}'s rounding"] if first is not None and measured else []
    if found is not None:
        said += [f"{number(found.relative)} of the tensor"] if found.relative is not None else []
        said += [f"{number(found.displacement)} of the way it went"] if found.displacement is not None else []
        said += [f"{number(found.ulp)} ulp"] if found.ulp is not None else []
    return ", ".join(said)


def counterfactual(report: "Report") -> str:
    """What is left when the deviation is applied to the reference's values: the proof of a cause.

    >>> from jaxgrad.parity.report import Cause, Report
    >>> counterfactual(Report(False, cause=Cause("eps", "eps is inside the root", 3e-16, 1.0)))
    'with it applied to torch, the remaining difference is 3e-16 (100 % explained)'
    """
    cause = report.cause
    if cause is None or cause.remaining is None:
        return ""
    part = "" if cause.explained is None else f" ({_percent(cause.explained)} explained)"
    return f"with it applied to {who(report)}, the remaining difference is {number(cause.remaining)}{part}"


def text(report: "Report") -> str:
    """The card in plain text."""
    rows = lines(report)
    width = max((len(label) for label, _ in rows), default=0)
    body = [report.sentence, *(f"  {label:{width}}  {words}" for label, words in rows)]
    if report.reproduction and not report.ok:
        body += ["  to see it again:", *(f"    {line}" for line in report.reproduction.splitlines())]
    return "\n".join(body)


def _percent(part: float) -> str:
    return f"{100 * part:.4g} %" if part < 0.99995 else "100 %"
