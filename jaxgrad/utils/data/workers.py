"""Worker processes, through grain: each reads every n-th batch ahead of time, the batches come back in order.

grain starts the processes (by spawn, since a process with JAX's threads must not fork), moves arrays through shared
memory, interleaves the workers and notices one that dies. Added here is what torch does inside a worker: seeds,
``worker_init_fn``, and exceptions that arrive as what they were.

Batch k is read by worker k modulo n, as in torch, so that random augmentation sees the same worker seeds.
"""

import dataclasses
import functools
import importlib
import os
import pickle
import queue
import signal
import tempfile
import threading
import traceback
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxgrad._core.optional import require
from jaxgrad.utils.data.fetch import make_fetcher
from jaxgrad.utils.data.worker import WorkerInfo, become_worker, seed_worker

POSITION = "jaxgrad_position"
SMALL = 1 << 16  # bytes below which an array is sent through the queue: shared memory costs a file each


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
    """One epoch: all index batches (None for a stream), and the batch to begin with."""

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
        self._fetcher: Any = None
        self._begin(share)

    def _begin(self, share: Share) -> None:
        self._share, self._count = share, 0
        self._worker = (share.first + self._slot) % self._job.num_workers

    def read(self) -> Any:
        """The next batch, packed; a :class:`Failure`; or the end."""
        try:
            if self._fetcher is None:
                self._start()
            return _pack(self._fetcher.fetch(self._next_index()))
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
        k = self._share.first + self._slot + count * self._job.num_workers
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


@functools.cache
def _source() -> Any:
    """The batches of one worker, as grain wants them: a dataset whose iterator is a :class:`Reader`."""
    iterator_base: Any = _grain().DatasetIterator
    dataset_base: Any = _grain().IterDataset

    class ReaderIterator(iterator_base):
        def __init__(self, reader: Reader):
            super().__init__()
            self.reader = reader

        def __next__(self) -> Any:
            return self.reader.read()

        def get_state(self) -> dict[str, Any]:
            return self.reader.get_state()

        def set_state(self, state: dict[str, Any]) -> None:
            self.reader.set_state(state)

    class Source(dataset_base):
        def __init__(self, job: Job, share: Share):
            super().__init__()
            self.job, self.share, self.slot = job, share, 0

        def set_slice(self, sl: slice, sequential_slice: bool = False) -> None:
            """Called by grain in each worker, on its copy: which one it is."""
            del sequential_slice
            self.slot = sl.start

        def __iter__(self) -> ReaderIterator:
            return ReaderIterator(Reader(self.job, self.share, self.slot))

    return Source


def _grain() -> Any:
    """grain, which asks for its command-line flags; outside absl's own ``main`` nobody parses them."""
    grain = require("grain", extra="data", purpose="a DataLoader with num_workers > 0")
    flags = importlib.import_module("absl.flags").FLAGS
    if not flags.is_parsed():
        flags.mark_as_parsed()
    return grain


class Workers:
    """The worker processes of a loader, for one epoch, or for several if they are persistent."""

    def __init__(self, job: Job, share: Share, prefetch_factor: int, timeout: float):
        self._pids = tempfile.TemporaryDirectory(prefix="jaxgrad-workers-") if timeout > 0 else None
        self._job = dataclasses.replace(job, pids=self._pids.name if self._pids else None)
        self._timeout = timeout
        grain = _grain()
        options = grain.MultiprocessingOptions(job.num_workers, per_worker_buffer_size=prefetch_factor)
        source = grain.experimental.WithOptionsIterDataset(
            _source()(self._job, share), grain.experimental.DatasetOptions(min_shm_size=SMALL)
        )
        self._iterator = iter(source.mp_prefetch(options))
        # Also when the workers are forgotten, or the program ends: before the interpreter falls apart.
        self._close = weakref.finalize(self, _end, self._iterator, self._pids)

    def epoch(self, share: Share) -> Iterator[Any]:
        """Another epoch, by persistent workers."""
        self._iterator.set_state(_with_share(self._iterator.get_state(), share))
        return self.batches()

    def batches(self) -> "Iterator[Any]":
        """The batches in order; a :class:`Failure` stands where one could not be read."""
        ended: set[int] = set()
        while len(ended) < self._job.num_workers:
            try:
                batch = self._next()
            except StopIteration:
                break
            except RuntimeError as error:
                if str(error).startswith("Worker process was terminated"):
                    raise RuntimeError(f"DataLoader worker exited unexpectedly: {error}") from error
                raise
            if isinstance(batch, Ended):
                ended.add(batch.worker)
            else:
                yield batch if isinstance(batch, Failure) else _unpack(batch)
        if not self._job.persistent:
            self.close()

    def _next(self) -> Any:
        if self._timeout <= 0:
            return next(self._iterator)
        answer: queue.Queue[tuple[Any, BaseException | None]] = queue.Queue(1)

        def ask() -> None:
            try:
                answer.put((next(self._iterator), None))
            except BaseException as error:
                answer.put((None, error))

        threading.Thread(target=ask, daemon=True).start()
        try:
            batch, error = answer.get(timeout=self._timeout)
        except queue.Empty:
            self._kill()
            raise RuntimeError(f"DataLoader timed out after {self._timeout} seconds") from None
        if error is not None:
            raise error
        return batch

    def _kill(self) -> None:
        """End workers that do not answer; grain sees it and stops waiting for them."""
        assert self._pids is not None
        for path in Path(self._pids.name).iterdir():
            os.kill(int(path.read_text()), signal.SIGKILL)

    def close(self) -> None:
        """End the worker processes."""
        self._close()


def _end(iterator: Any, pids: Any) -> None:
    iterator.close()
    if pids is not None:
        pids.cleanup()


def _pack(batch: Any) -> tuple[bytes, list[np.ndarray]]:
    """A batch as its structure and the memory of its arrays, which grain then shares instead of copying it.

    It is pickled here, where a failure is an exception like any other; in the queue it would be lost.
    """
    buffers: list[pickle.PickleBuffer] = []
    structure = pickle.dumps(batch, protocol=5, buffer_callback=buffers.append)
    return structure, [np.frombuffer(buffer.raw(), np.uint8) for buffer in buffers]


def _unpack(packed: tuple[bytes, list[np.ndarray]]) -> Any:
    """The batch again, in memory of this process."""
    structure, buffers = packed
    return pickle.loads(structure, buffers=[np.array(buffer) for buffer in buffers])


def _with_share(state: Any, share: Share) -> Any:
    """grain's state of all workers, in which each worker's own is replaced by the beginning of a new epoch."""
    if isinstance(state, dict):
        if POSITION in state:
            return {POSITION: 0, "share": share}
        return {key: _with_share(value, share) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(_with_share(value, share) for value in state)
    return state
