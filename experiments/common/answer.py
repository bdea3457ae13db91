"""What an experiment found, in sentences of measured words."""

import re

from experiments.common.display import short
from experiments.common.experiment import Results, Row
from jaxgrad.parity.claim import Info

_PLACE = re.compile(r"\{([^}]+)\}")


def answer(results: Results) -> str:
    """The experiment's sentence with its results put in; empty if it has none.

    Raises:
        KeyError: the sentence names a result that there is not.
    """
    sentence = results.experiment.answer
    return sentence(results) if callable(sentence) else _PLACE.sub(lambda p: short(results.ours[p[1]]), sentence)


def agreement(results: Results) -> str:
    """How the results stand to torch's: how many agree, how many to the last bit, and how far the others are."""
    judged = [row for row in results.rows if row.verdict is not None and not _is_only_shown(results, row)]
    if not judged:
        return "Measured, not judged." if results.reference is not None else "The JAX side alone, without torch."
    bad = [row.name for row in judged if row.verdict is not None and not row.verdict.ok]
    if bad:
        return f"{len(bad)} of {len(judged)} results are out of bounds: {', '.join(bad[:3])}{', ...' * (len(bad) > 3)}."
    exact = sum(_words(row) == "equal" for row in judged)
    parts = [f"{exact} bit for bit"] if exact else []
    ratios = [row.verdict.figure for row in judged if row.verdict and _words(row).endswith("x rounding")]
    if ratios:
        parts.append(f"{len(ratios)} within {max(each for each in ratios if each is not None):.2f} times its rounding")
    others = len(judged) - exact - len(ratios)
    if others:
        parts.append(f"{others} within {'their' if others > 1 else 'its'} bound")
    whole = "The one result agrees" if len(judged) == 1 else f"All {len(judged)} results agree"
    return f"{whole} with torch: {', '.join(parts)}."


def _words(row: Row) -> str:
    return row.verdict.words if row.verdict is not None else ""


def _is_only_shown(results: Results, row: Row) -> bool:
    return isinstance(results.experiment.claim_of(row.name), Info)
