"""A training run as data, made by both libraries from the same start on the same batches.

A step that is right in formula may still leave the reference's trajectory; only a run shows it. A run is three runs:
ours and the reference's in the precision that is judged, and the reference's in float64 as the truth.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from jaxgrad.parity.measure import distances, noise_ratios

Snapshot = dict[str, np.ndarray]
"""Parameters by name."""


@dataclass(frozen=True)
class TrainingCase:
    """A model, a loss and an optimizer, each by its torch name.

    Attributes:
        layers: of a Sequential, each as name below ``nn`` and arguments.
        criterion: address of the loss.
        optimizer: name below ``optim``.
        hyperparameters: keyword arguments of the optimizer.

    >>> TrainingCase((("Linear", 10, 3),), optimizer="Adam").name
    'Adam, Linear(10, 3)'
    """

    layers: tuple[tuple[Any, ...], ...]
    criterion: str = "nn.functional.cross_entropy"
    optimizer: str = "SGD"
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Optimizer and layers in one line."""
        layers = ", ".join(f"{kind}({', '.join(str(each) for each in args)})" for kind, *args in self.layers)
        return f"{self.optimizer}, {layers}"


class Trainer(Protocol):
    """One side of a training run; a fresh one stands at the initial parameters of its seed."""

    def run(self, batches: Iterable[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """Make one step per batch; the loss before each."""
        ...

    def params(self) -> Snapshot:
        """A copy of the parameters as they are."""
        ...

    def predict(self, x: np.ndarray) -> np.ndarray:
        """The model's output."""
        ...


@dataclass(frozen=True)
class Trajectories:
    """Snapshots of all sides at the same moments, the initial parameters first."""

    ours: Sequence[Snapshot]
    theirs: Sequence[Snapshot]
    truth: Sequence[Snapshot]

    def noise(self, moment: int) -> dict[str, float]:
        """Noise ratio of every tensor at one moment."""
        return noise_ratios(self.ours[moment], self.theirs[moment], self.truth[moment])

    def relative(self, moment: int) -> dict[str, float]:
        """Our distance from the truth, relative to the distance moved since the start, of every tensor."""
        start = self.truth[0]
        return {name: each.relative for name, each in distances(self.ours[moment], self.truth[moment], start).items()}

    def moved(self) -> dict[str, bool]:
        """Whether each tensor of the truth moved at all; reference data must move every leaf."""
        return {name: not np.array_equal(value, self.truth[0][name]) for name, value in self.truth[-1].items()}


def follow(
    trainer: Trainer, batches: Sequence[tuple[np.ndarray, np.ndarray]], moments: Sequence[int]
) -> list[Snapshot]:
    """Snapshots at the start and after each of the given numbers of steps."""
    snapshots, done = [trainer.params()], 0
    for moment in moments:
        trainer.run(batches[done:moment])
        snapshots.append(trainer.params())
        done = moment
    return snapshots
