"""Comparison with the reference: two training runs step by step; cases as data, distances, and what a claim is worth.

- ``from_torch``, ``from_jax``: a training step of either library as a side of a comparison
- ``compare``: run both; where do they part first, how badly, and why?
- ``bisect``: the first wrong module in few runs
- ``record``, ``compare_records``: the same with runs that were made elsewhere or before

- ``measure``: distances per tensor, relative to the distance moved, and float32 noise ratios
- ``claim``: exact, relative or noise, and the verdict on it
- ``case`` and ``run``: one call that both libraries answer
- ``training``: one training run that both libraries make
"""

from jaxgrad._core.lazy import offer
from jaxgrad.parity.case import Case
from jaxgrad.parity.claim import Claim, Exact, Info, Noise, Relative, Verdict
from jaxgrad.parity.comparison.bisect import bisect
from jaxgrad.parity.comparison.bounds import Bounds
from jaxgrad.parity.comparison.compare import compare
from jaxgrad.parity.comparison.records import compare_records, record
from jaxgrad.parity.measure import Distance, distance, distances, noise_ratio, noise_ratios
from jaxgrad.parity.record.model import PHASES, Recording, StepRecord
from jaxgrad.parity.report import Report
from jaxgrad.parity.run import Outcome, run_case
from jaxgrad.parity.sides.jax_side import from_jax

__all__ = [
    "PHASES",
    "Bounds",
    "Case",
    "Claim",
    "Distance",
    "Exact",
    "Info",
    "Noise",
    "Outcome",
    "Recording",
    "Relative",
    "Report",
    "StepRecord",
    "Verdict",
    "bisect",
    "compare",
    "compare_records",
    "distance",
    "distances",
    "from_jax",
    "from_torch",
    "noise_ratio",
    "noise_ratios",
    "record",
    "run_case",
]

__getattr__, __dir__ = offer(__name__, (), {"sides.guest": ("from_torch",)})
"""torch is a guest, which comes when it is asked for."""
