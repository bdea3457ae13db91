"""Both records side by side: one row a result, each claim judged by ``jaxgrad.parity``."""

from typing import Any

import numpy as np

from experiments.common.experiment import Experiment, Record, Row
from jaxgrad.parity.claim import Verdict


def compare(experiment: Experiment, ours: Record, reference: Record | None, truth: Record | None) -> list[Row]:
    """One row for every result of either side; what only the float64 reference has is compared with that."""
    theirs = {**(truth or {}), **(reference or {})}
    rows = []
    for name in [*ours, *(name for name in reference or {} if name not in ours)]:
        verdict = None
        if name in ours and name in theirs:
            verdict = _judge(experiment, name, ours[name], theirs[name], (truth or {}).get(name))
        rows.append(Row(name, ours.get(name), theirs.get(name), verdict))
    return rows


def _judge(experiment: Experiment, name: str, ours: Any, theirs: Any, truth: Any) -> Verdict:
    if np.shape(ours) != np.shape(theirs):
        return Verdict(None, f"shape {np.shape(ours)}, not {np.shape(theirs)}", False)
    return experiment.claim_of(name).judge(ours, theirs, truth)
