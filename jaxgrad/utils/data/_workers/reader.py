"""What one worker does: reads its batches, and sends what goes wrong as a value."""

import dataclasses
import os
import pickle
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jaxgrad.utils.data._workers.info import WorkerInfo, become_worker, seed_worker
from jaxgrad.utils.data._workers.packing import pack
from jaxgrad.utils.data.fetch import make_fetcher

POSITION = "jaxgrad_position"


@dataclasses.dataclass(frozen=True)
class Job:
    """Everything that stays the same for a worker from epoch to epoch."""

    dataset: Any
    batched: bool
    batch_size: int | None
    drop_last: bool
    collate_fn: Callable[[Any], Any]
    worker_init_fn: Callable[[int], None] | None
    num_workers: int
    base_seed: int
    persistent: bool
    pids: str | None


@dataclasses.dataclass(frozen=True)
class Share:
    """One epoch: all index batches (None for a stream), and the batch to begin with.

    Worker ``(first + slot) % num_workers`` is in each slot, also in later epochs of persistent workers, which begin
    with their own ``first``.
    """

    index_batches: Sequence[Any] | None
    first: int


@dataclasses.dataclass(frozen=True)
class Failure:
    """An exception of a worker as a value."""

    worker: int
    type: type[BaseException]
    trace: str

    def reraise(self) -> None:
        """Raise the exception again, with the worker's traceback as its message, as torch does."""
        message = f"Caught {self.type.__name__} in DataLoader worker process {self.worker}.\nOriginal {self.trace}"
        if issubclass(self.type, KeyError):
            message = _PlainRepr(message)
        try:
            error = self.type(message)
        except Exception:
            raise RuntimeError(message) from None
        raise error


class _PlainRepr(str):
    """A KeyError shows the repr of its message; this one keeps its line breaks."""

    def __repr__(self) -> str:
        return str(self)


@dataclasses.dataclass(frozen=True)
class Ended:
    """A worker that is kept for the next epoch has nothing left in this one."""

    worker: int


class Reader:
    """Reads the batches of one worker. Nothing happens before the first ``read``, which only workers call."""

    def __init__(self, job: Job, share: Share, slot: int):
        self._job, self._slot = job, slot
        self._worker = (share.first + slot) % job.num_workers
        self._fetcher: Any = None
        self._begin(share)

    def _begin(self, share: Share) -> None:
        self._share, self._count = share, 0

    def read(self) -> Any:
        """The next batch, packed; a :class:`Failure`; or the end."""
        try:
            if self._fetcher is None:
                self._start()
            return pack(self._fetcher.fetch(self._next_index()))
        except StopIteration:
            if self._job.persistent:
                return Ended(self._worker)
            raise
        except (Exception, SystemExit) as error:
            return self._failure(error)

    def _next_index(self) -> Any:
        batches, count = self._share.index_batches, self._count
        self._count += 1
        if batches is None:
            return None
        first, n = self._share.first, self._job.num_workers
        k = first + (self._worker - first) % n + count * n  # batch k is worker k modulo n's
        if k >= len(batches):
            raise StopIteration
        return batches[k]

    def _start(self) -> None:
        job = self._job
        if job.pids:
            Path(job.pids, str(self._slot)).write_text(str(os.getpid()))
        seed_worker(job.base_seed, self._worker)
        become_worker(WorkerInfo(self._worker, job.num_workers, job.base_seed + self._worker, job.dataset))
        if job.worker_init_fn is not None:
            init, job = job.worker_init_fn, dataclasses.replace(job, worker_init_fn=None)
            self._job = job  # an initialisation that fails is reported once, as in torch
            init(self._worker)
        self._fetcher = make_fetcher(job.dataset, job.batched, job.batch_size, job.drop_last, job.collate_fn)
        if self._share.index_batches is None:
            for _ in range(self._skipped()):
                self._fetcher.fetch()

    def _skipped(self) -> int:
        """How many batches of a stream this worker gave before the batch that the epoch is resumed at."""
        first, n = self._share.first, self._job.num_workers
        return first // n + (self._worker < first % n)

    def _failure(self, error: BaseException) -> Failure:
        kind = type(error) if isinstance(error, Exception) else RuntimeError
        try:
            pickle.dumps(kind)
        except Exception:
            kind = RuntimeError
        return Failure(self._worker, kind, "".join(traceback.format_exception(error)))

    def get_state(self) -> dict[str, Any]:
        """A mark by which the state of this iterator is found inside the states of grain's own."""
        return {POSITION: self._count}

    def set_state(self, state: dict[str, Any]) -> None:
        """Begin the epoch that the main process sends along, or stay where grain says that we are."""
        if "share" in state:
            self._begin(state["share"])
            if self._fetcher is not None and self._share.index_batches is None:
                job = self._job
                self._fetcher = make_fetcher(job.dataset, job.batched, job.batch_size, job.drop_last, job.collate_fn)
        else:
            self._count = state[POSITION]
