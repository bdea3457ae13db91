"""The verdict in words: one sentence, and two numbers with as many digits as it takes to see them apart."""

from typing import TYPE_CHECKING

from jaxgrad.parity.report.parts import Divergence, TensorDistance, Value

if TYPE_CHECKING:
    from jaxgrad.parity.report.model import Report

_FAR = 1e5
"""From here on a multiple of the rounding tells less than the relative distance."""


def sentence(report: "Report") -> str:
    """The verdict of a report, in one sentence without a full stop.

    >>> from jaxgrad.parity.report import Cause, Report
    >>> first = Divergence(8, "optimizer", "exp_avg_sq['fc1.weight']", "differs", ratio=400.0)
    >>> sentence(Report(ok=False, steps=9, first=first, cause=Cause("eps", "eps is inside the root")))
    "Equal through step 7; at step 8 `optimizer.exp_avg_sq['fc1.weight']` differs 400 times torch's own rounding,
    because eps is inside the root"
    """
    first = report.first
    if first is None:
        return _equal(report) if report.ok else "Not equal"
    before = f"Equal through step {first.step - 1}; at step {first.step}" if first.step else "At step 0, the first,"
    because = f", because {report.cause.sentence}" if report.cause else ""
    return f"{before} `{full_name(first.phase, first.tensor)}` {_happened_first(report, first)}{because}"


def _happened_first(report: "Report", first: Divergence) -> str:
    """As ``happened``; where the multiple of the rounding is beyond imagination, with the size beside it."""
    said, found = happened(first, who(report)), distance_of(report, first)
    if (
        first.kind != "differs"
        or found is None
        or found.relative is None
        or not _FAR < (first.ratio or 0.0) < float("inf")
    ):
        return said
    doubles = " in float64" if report.noise.get("decided_by") == "float64" else ""
    times = f"{number(first.ratio)} times {who(report)}'s own rounding{doubles}"
    return f"differs by {number(found.relative)} of its size, {times}"


def distance_of(report: "Report", first: Divergence) -> TensorDistance | None:
    """The distances of the tensor where a divergence is; None where it was not judged among the others."""
    same = (e for e in report.distances if (e.step, e.phase, e.tensor) == (first.step, first.phase, first.tensor))
    return next(same, None)


def _equal(report: "Report") -> str:
    steps = "in the only step" if report.steps == 1 else f"through all {report.steps} steps"
    judged = [each for each in report.distances if each.ratio is not None]
    if not judged:
        return f"Equal {steps}"
    worst = max(judged, key=lambda each: each.ratio or 0.0)
    name = who(report)
    return (
        f"Equal {steps}: nothing is further than {number(worst.ratio)} times {name}'s own rounding from {name} "
        f"(`{full_name(worst.phase, worst.tensor)}` at step {worst.step})"
    )


def who(report: "Report") -> str:
    """How the reference is called: torch, unless its recording says that it was made without.

    >>> from jaxgrad.parity.report import Report
    >>> who(Report(True)), who(Report(True, environment={"reference": {"versions": {"jax": "0.10.2"}}}))
    ('torch', 'the reference')
    """
    versions = (report.environment.get("reference") or {}).get("versions")
    return "the reference" if versions and "torch" not in versions else "torch"


def full_name(phase: str, tensor: str) -> str:
    """A tensor with its phase, as one reads it.

    >>> full_name("optimizer", "exp_avg['fc.weight']"), full_name("params", "fc.weight"), full_name("loss", "loss")
    ("optimizer.exp_avg['fc.weight']", "params['fc.weight']", 'loss')
    """
    if tensor in ("", phase):
        return phase
    return f"{phase}.{tensor}" if "[" in tensor or tensor.isidentifier() else f"{phase}[{tensor!r}]"


def happened(what: Divergence | TensorDistance, reference_name: str = "torch") -> str:
    """What is wrong with a tensor, as the end of a sentence.

    >>> happened(Divergence(0, "params", "w", "shape", reference="float32[3,5]", candidate="float32[5,3]"))
    'is float32[5,3] and should be float32[3,5]'
    """
    if what.kind == "missing":
        return "is missing in the candidate"
    if what.kind == "extra":
        return "is in the candidate alone"
    if what.kind in ("shape", "dtype"):
        return f"is {what.candidate} and should be {what.reference}"
    if what.kind == "nonfinite":
        reference, candidate = apart(what.reference, what.candidate)
        return f"is {candidate} where {reference_name} has {reference}"
    if what.kind in ("equal", "within"):
        return "agrees"
    if what.ratio is not None and what.ratio < float("inf"):
        return f"differs {number(what.ratio)} times {reference_name}'s own rounding"
    reference, candidate = apart(what.reference, what.candidate)
    return "differs" if what.reference is None else f"is {candidate} where {reference_name} has {reference}"


def apart(reference: Value, candidate: Value) -> tuple[str, str]:
    """Both numbers with as many digits as it takes to see them part, and one more.

    >>> apart(0.123456789, 0.123456999), apart(1.0, 2.0), apart(float("nan"), 0.5)
    (('0.12345679', '0.12345700'), ('1.00000', '2.00000'), ('nan', '0.500000'))
    """
    if not (_is_real(reference) and _is_real(candidate)) or (isinstance(reference, int) and isinstance(candidate, int)):
        return _written(reference), _written(candidate)
    for digits in range(5, 17):
        if f"{reference:.{digits}g}" != f"{candidate:.{digits}g}":
            return f"{reference:#.{digits + 1}g}", f"{candidate:#.{digits + 1}g}"
    return _written(reference), _written(candidate)


def number(value: float | int | None) -> str:
    """A distance or a ratio, as short as it stays true.

    >>> number(400.0), number(1.234), number(3.04e-16), number(4213.4), number(2.5e7), number(None)
    ('400', '1.23', '3.04e-16', '4,213', '2.5e+07', '')
    """
    if value is None:
        return ""
    if value == 0:
        return "0"
    if 10 <= abs(value) < 1e6:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def element(index: tuple[int, ...] | None) -> str:
    """An index as one writes it.

    >>> element((3, 17)), element(()), element(None)
    ('[3, 17]', '', '')
    """
    return f"[{', '.join(map(str, index))}]" if index else ""


def _is_real(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _written(value: Value) -> str:
    return "" if value is None else value if isinstance(value, str) else repr(value)
