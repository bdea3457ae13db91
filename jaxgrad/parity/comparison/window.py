"""The steps that are kept while a comparison goes on: all if they are small, else those around the first divergence."""

from collections.abc import Mapping
from typing import Any

from jaxgrad.parity.comparison.observe import Observation
from jaxgrad.parity.record.model import Recording, StepRecord, Tensors

_BYTES = 1 << 27
"""What is kept of each side in each precision before the oldest steps go."""

_AFTER = 2
"""How many steps are kept once the two sides have parted."""


class Window:
    """Keeps the steps that an explanation needs.

    Args:
        reference, candidate: what there was before step 0.
    """

    def __init__(self, reference: Mapping[str, Tensors], candidate: Mapping[str, Tensors]):
        self._starts = reference, candidate
        self._kept: list[tuple[Observation, Observation]] = []
        self._sizes: list[int] = []
        self._after = 0

    def add(self, one: Observation, other: Observation, parted: bool) -> None:
        """Keep a step, or not."""
        if self._after >= _AFTER:
            return
        self._after += bool(parted or self._after)
        self._kept.append((one, other))
        self._sizes.append(one.own.size() + other.own.size())
        while sum(self._sizes) > _BYTES and len(self._kept) > _AFTER + 1:
            del self._kept[0], self._sizes[0]

    def recordings(self, doubles: bool, metas: tuple[Any, Any]) -> tuple[Recording, Recording]:
        """Both sides, in float64 or as they are."""
        return (
            Recording(self._starts[0], [_in(one, doubles) for one, _ in self._kept], metas[0]),
            Recording(self._starts[1], [_in(other, doubles) for _, other in self._kept], metas[1]),
        )


def _in(observation: Observation, doubles: bool) -> StepRecord:
    return observation.doubles if doubles and observation.doubles is not None else observation.own
