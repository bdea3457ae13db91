"""What ``fit`` carries from step to step: where the run stands, its checkpoints, and what it shows."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.types import Metrics
from jaxgrad.train.checkpoint import Checkpoints
from jaxgrad.train.early_stopping import Judged
from jaxgrad.train.interrupts import Interrupts
from jaxgrad.train.progress import Progress
from jaxgrad.train.state import TrainState
from jaxgrad.utils.data import DataLoader

Record = dict[str, Any]
Log = Callable[[int, dict[str, float]], None]


@dataclass
class Place:
    """Where a run stands.

    Attributes:
        state: after ``step`` steps.
        step: how many were done in all.
        epoch: the one that is running, from 0; the number of epochs where all are done.
        done: steps of this epoch.
        sums: over the steps of this epoch, of every metric that was read.
        unread: metrics of the last step, which the device may be computing still.
        history: the records of the epochs that are over.
        judged: what early stopping remembers.
        position: of the loader, in the epoch that goes on, or at the end of the one before.
        batches: the epoch of the loader that is running, or ran before.
        stopped: why the run ends early.
    """

    state: TrainState
    step: int = 0
    epoch: int = 0
    done: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    unread: dict[str, Any] = field(default_factory=dict)
    history: list[Record] = field(default_factory=list)
    judged: Judged = field(default_factory=Judged)
    position: dict[str, Any] | None = None
    batches: Any = None
    stopped: str | None = None

    def meta(self) -> dict[str, Any]:
        """What a checkpoint keeps beside the state and the loader's position."""
        names = ("step", "epoch", "done", "sums", "unread", "history")
        return {name: getattr(self, name) for name in names} | {"judged": list(self.judged)}

    @classmethod
    def found(cls, state: TrainState, position: dict[str, Any] | None, meta: dict[str, Any]) -> "Place":
        """The inverse."""
        return cls(state, **{**meta, "judged": Judged(*meta["judged"])}, position=position)


@dataclass
class Run:
    """The parts that do not change; arguments as of ``fit``."""

    step: Callable[..., tuple[TrainState, Metrics]]
    loader: DataLoader
    epochs: int
    checkpoints: Checkpoints | None
    log: Log | None
    show: Progress

    def begin(self, state: TrainState) -> Place:
        """The start, or where a checkpoint was left."""
        restored = None if self.checkpoints is None else self.checkpoints.restore(like=state)
        if restored is None:
            return Place(state)
        self.show.end(f"going on from the checkpoint of step {restored.step}")
        return Place.found(restored.state, restored.position, restored.meta)

    def epoch(self, place: Place, interrupts: Interrupts) -> Record | None:
        """The steps of an epoch, or the rest of it: its record, or None where it was interrupted."""
        began, loader = time.perf_counter(), self.loader.at_epoch(place.epoch)
        if place.position is not None:
            place.batches, place.position = loader.resume(place.position), None
        if not place.done:
            place.batches, place.state = loader.epoch(place.state, after=place.batches)
        self.show.begin(place.epoch, self.epochs, place.done, _length(place.batches))
        for batch in place.batches:
            place.state, metrics = self.step(place.state, batch)
            self.read(place)
            place.step, place.done = place.step + 1, place.done + 1
            place.unread = {name: value if not jnp.ndim(value) else jnp.mean(value) for name, value in metrics.items()}
            self.save(place)
            if interrupts.asked:
                return None
        self.read(place)
        means = {name: total / place.done for name, total in place.sums.items()}
        return {"epoch": place.epoch, "step": place.step, **means, "seconds": time.perf_counter() - began}

    def read(self, place: Place) -> None:
        """Take in the metrics of the step before; by now the device has begun another."""
        if not place.unread:
            return
        read = jax.device_get(place.unread)
        values = {name: float(read[name]) for name in sorted(read, key=lambda name: (name != "loss", name))}
        place.unread = {}
        place.sums = {name: place.sums.get(name, 0.0) + value for name, value in values.items()}
        self.show.step(values)
        if self.log is not None:
            self.log(place.step, {f"train/{name}": value for name, value in values.items()})

    def save(self, place: Place, *, force: bool = False) -> None:
        """A checkpoint, if it is time for one."""
        checkpoints = self.checkpoints
        if checkpoints is None or (place.step % checkpoints.every and not force):
            return
        stands = place.position  # a run with nothing to do has not asked the loader
        if place.batches is not None:
            stands = {**place.batches.state(), "position": place.done}
        checkpoints.save(place.step, place.state, position=stands, meta=place.meta(), force=force)

    def end_epoch(self, place: Place, record: Record) -> None:
        """On to the next."""
        place.history = [*place.history, record]
        numbers = {name: value for name, value in record.items() if name not in ("epoch", "step", "seconds")}
        if self.log is not None:
            self.log(place.step, {f"epoch/{name}": value for name, value in numbers.items()})
        shown = "  ".join(f"{name} {value:.4g}" for name, value in numbers.items())
        self.show.end(f"epoch {place.epoch + 1}/{self.epochs}  step {place.step}  {shown}  {record['seconds']:.1f} s")
        place.epoch, place.done, place.sums = place.epoch + 1, 0, {}

    def interrupted(self, place: Place) -> None:
        """Say where."""
        count = _length(place.batches)
        of = "" if count is None else f" of {count}"
        place.stopped = (
            f"interrupted in epoch {place.epoch + 1} after {place.done}{of} batches: the state is that after step "
            f"{place.step}"
        )
        if place.batches is not None:
            place.batches.close()


def _length(batches: Any) -> int | None:
    try:
        return len(batches)
    except TypeError:  # a stream that does not say
        return None
