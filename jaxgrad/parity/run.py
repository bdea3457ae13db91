"""Run a case on both sides and say what the claim is worth."""

from dataclasses import dataclass

import numpy as np

from jaxgrad.parity import jax_side, torch_side
from jaxgrad.parity.case import Answer, Case
from jaxgrad.parity.measure import Distance, distances, noise_ratios

FLOAT64_BOUND = 1e-10
"""Greatest relative error in float64 at which the semantics count as the same."""

NOISE_BOUND = 3.0
"""Greatest noise ratio of any one tensor in float32."""


@dataclass(frozen=True)
class Outcome:
    """The measured distances of one case.

    Attributes:
        case: what was run.
        float64: distance of every result in float64.
        noise: noise ratio of every result in float32.
        complaint: empty, or in words what does not hold.

    >>> from jaxgrad.parity.catalog import CASES
    >>> Outcome(CASES[0], {}, {}, "").ok
    True
    """

    case: Case
    float64: dict[str, Distance]
    noise: dict[str, float]
    complaint: str = ""

    @property
    def ok(self) -> bool:
        """Whether the claim holds."""
        return not self.complaint


def run_case(case: Case, seed: int = 0) -> Outcome:
    """Call both sides in float64 and in float32, and measure; nothing is raised for a claim that does not hold.

    Args:
        case: one call that both libraries answer.
        seed: of its inputs.

    Returns:
        The distances, and what does not hold.

    >>> from jaxgrad.parity.catalog import CASES
    >>> run_case(CASES[0]).ok
    True
    """
    ours64, theirs64 = jax_side.answer(case, seed, np.float64), torch_side.answer(case, seed, np.float64)
    complaint = _complaint_of_errors(case, ours64, theirs64)
    if complaint or case.error:
        return Outcome(case, {}, {}, complaint)
    ours32, theirs32 = jax_side.answer(case, seed, np.float32), torch_side.answer(case, seed, np.float32)
    complaint = _complaint_of_errors(case, ours32, theirs32) or _complaint_of_names(ours64, theirs64)
    if complaint:
        return Outcome(case, {}, {}, complaint)
    float64 = distances(ours64.results, theirs64.results)
    noise = noise_ratios(ours32.results, theirs32.results, theirs64.results)
    return Outcome(case, float64, noise, _complaint_of_distances(ours64, theirs64, float64, noise))


def _complaint_of_errors(case: Case, ours: Answer, theirs: Answer) -> str:
    if not case.error:
        for side, each in (("ours", ours), ("the reference", theirs)):
            if each.error is not None:
                return f"{side} raised {type(each.error).__name__}: {each.error}"
        return ""
    for side, each in (("ours", ours), ("the reference", theirs)):
        if each.error is None:
            return f"{side} did not raise: {case.error}"
        if case.error not in str(each.error):
            return f"{side} said: {each.error}\nexpected: {case.error}"
    if not isinstance(ours.error, type(theirs.error)):
        return f"ours raised {type(ours.error).__name__}, the reference {type(theirs.error).__name__}"
    return ""


def _complaint_of_names(ours: Answer, theirs: Answer) -> str:
    if ours.results.keys() != theirs.results.keys():
        return f"results differ: ours {sorted(ours.results)}, the reference {sorted(theirs.results)}"
    return ""


def _complaint_of_distances(ours: Answer, theirs: Answer, float64: dict[str, Distance], noise: dict[str, float]) -> str:
    complaints = []
    for name, measured in float64.items():
        if ours.results[name].dtype != theirs.results[name].dtype:
            complaints.append(f"{name}: {ours.results[name].dtype}, the reference {theirs.results[name].dtype}")
        if not measured.relative <= FLOAT64_BOUND:
            complaints.append(f"{name}: float64 differs by {measured.relative:.1e} relative")
        if not noise[name] <= NOISE_BOUND:
            complaints.append(f"{name}: float32 is {noise[name]:.1f} times the reference's rounding away")
    return "\n".join(complaints)
