"""Times that can be compared: every candidate in turn, many rounds, ratios within a round.

A machine that is busy for a while then slows all candidates alike, and a ratio comes with its spread.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np


def torch_device() -> str:
    """Where torch runs to be timed beside JAX: on the GPU if JAX has one and torch can use it."""
    import torch

    return "cuda" if jax.default_backend() == "gpu" and torch.cuda.is_available() else "cpu"


@dataclass(frozen=True)
class Timings:
    """Seconds per step of each candidate, one number a round."""

    seconds: Mapping[str, np.ndarray]

    def microseconds(self, name: str) -> float:
        """The median over the rounds."""
        return float(np.median(self.seconds[name]) * 1e6)

    def fastest(self, names: Iterable[str]) -> str:
        """The candidate with the least median."""
        return min(names, key=self.microseconds)

    def ratio(self, slow: str, fast: str) -> tuple[float, float, float]:
        """Median, lower and upper quartile of the ratio within a round."""
        ratios = self.seconds[slow] / self.seconds[fast]
        return float(np.median(ratios)), float(np.quantile(ratios, 0.25)), float(np.quantile(ratios, 0.75))

    def ratio_words(self, slow: str, fast: str) -> str:
        """``6.4x (6.1 to 6.8)``."""
        middle, low, high = self.ratio(slow, fast)
        return f"{middle:.2f}x ({low:.2f} to {high:.2f})"


def interleave(
    candidates: Mapping[str, Callable[[], Any]],
    steps: int | Mapping[str, int],
    rounds: int,
    track: Callable[[Iterable[int], str], Iterable[int]] = lambda items, description: items,
    description: str = "timing",
) -> Timings:
    """Time each candidate once per round, after one call that is not counted.

    Args:
        candidates: what to run; each call must return when its work is done.
        steps: how many steps one call of a candidate makes.
        rounds: how many times each is run.
        track: progress.
        description: of the progress.
    """
    for run in candidates.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in track(range(rounds), description):
        names = list(candidates)
        for name in names if turn % 2 == 0 else reversed(names):
            started = time.perf_counter()
            candidates[name]()
            n = steps if isinstance(steps, int) else steps[name]
            seconds[name].append((time.perf_counter() - started) / n)
    return Timings({name: np.asarray(each) for name, each in seconds.items()})
