"""Comparison with the reference: cases as data, distances, and what a claim is worth.

- ``measure``: distances per tensor, relative to the distance moved, and float32 noise ratios
- ``claim``: exact, relative or noise, and the verdict on it
- ``case`` and ``run``: one call that both libraries answer
- ``training``: one training run that both libraries make
"""

from jaxgrad.parity.case import Case
from jaxgrad.parity.claim import Claim, Exact, Info, Noise, Relative, Verdict
from jaxgrad.parity.measure import Distance, distance, distances, noise_ratio, noise_ratios
from jaxgrad.parity.run import Outcome, run_case

__all__ = [
    "Case",
    "Claim",
    "Distance",
    "Exact",
    "Info",
    "Noise",
    "Outcome",
    "Relative",
    "Verdict",
    "distance",
    "distances",
    "noise_ratio",
    "noise_ratios",
    "run_case",
]
