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
import queue
import signal
import tempfile
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jaxgrad._core.optional import require
from jaxgrad.utils.data._workers.packing import unpack
from jaxgrad.utils.data._workers.reader import POSITION, Ended, Failure, Job, Reader, Share

_NEXT = "next_index_in_cycle"  # in grain's state of an iterator that takes from each of its parts in turn
SMALL = 1 << 16  # bytes below which an array is sent through the queue: shared memory costs a file each


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
        self._in_first_slot = share.first % job.num_workers
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
        slot = (share.first - self._in_first_slot) % self._job.num_workers  # of the worker that reads the first batch
        self._iterator.set_state(_with_share(self._iterator.get_state(), share, slot))
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
                yield batch if isinstance(batch, Failure) else unpack(batch)
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


def _with_share(state: Any, share: Share, slot: int) -> Any:
    """grain's state of all workers at the beginning of a new epoch: who is next, and what each of them reads."""
    if isinstance(state, dict):
        if POSITION in state:
            return {POSITION: 0, "share": share}
        state = {key: _with_share(value, share, slot) for key, value in state.items()}
        return {**state, _NEXT: slot} if _NEXT in state else state
    if isinstance(state, list | tuple):
        return type(state)(_with_share(value, share, slot) for value in state)
    return state
