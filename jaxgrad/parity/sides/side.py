"""What a comparison asks of a side, whatever library it is written in."""

from collections.abc import Mapping
from typing import Any, Protocol

from jaxgrad.parity.record.model import StepRecord, Tensors


class Run(Protocol):
    """One training run; ``step`` after ``step``.

    Attributes:
        meta: as of a ``Recording``.
        skips: (of runs that can be told) whether the next step is one that a scaler skips: a run in float64 does not
            overflow where its side did.
    """

    meta: dict[str, Any]

    def initial(self) -> dict[str, Tensors]:
        """What there is before the first step, in the phases of ``START_PHASES``."""
        ...

    def step(self, batch: Any) -> StepRecord:
        """Make a step and say what happened in it."""
        ...

    def restore(self, values: Mapping[str, Tensors], perturbed: int | None = None) -> None:
        """Begin the next step from these parameters, buffers, optimizer state and generator.

        Args:
            values: phase -> name -> array, under the reference's names; what is not there stays as it is.
            perturbed: a seed, by which every parameter is moved by at most one unit in the last place.
        """
        ...

    def settings(self) -> Any:
        """What belongs to the run beside those values: options of the optimizer, schedule, scaler."""
        ...

    def set_settings(self, settings: Any) -> None:
        """Go on with the settings of another run of the same side."""
        ...


class Side(Protocol):
    """Something that can be trained, again and again from its start."""

    def start(self, *, float64: bool = False, perturbed: int | None = None) -> Run:
        """A run of its own from the start.

        Args:
            float64: in double precision, from the same numbers.
            perturbed: a seed, by which every parameter is moved by at most one unit in the last place.
        """
        ...
