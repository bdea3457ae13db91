"""One epoch of a loader: an iterator over batches whose place can be stored and found again."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from jaxgrad._core.errors import explain
from jaxgrad.random import Generator
from jaxgrad.random.generator import STATE_BYTES
from jaxgrad.utils.data._workers.pool import Workers
from jaxgrad.utils.data._workers.reader import Failure, Job, Share
from jaxgrad.utils.data.carrier import T, carry, generator_of
from jaxgrad.utils.data.fetch import make_fetcher
from jaxgrad.utils.data.sampler import Pass


class Loader(Protocol):
    """What an epoch asks of the loader that it is an epoch of: a :class:`DataLoader`."""

    dataset: Any
    batched: bool
    batch_size: int | None
    drop_last: bool
    collate_fn: Callable[[Any], Any]
    num_workers: int
    prefetch_factor: int | None
    timeout: float
    worker_init_fn: Callable[[int], None] | None
    persistent_workers: bool

    def __len__(self) -> int: ...

    def draw_order(
        self, streams: Sequence[Generator], begun: Pass | None = None
    ) -> tuple[Sequence[Any] | None, Generator | None, list[Generator]]:
        """The index batches of an epoch, the generator they were drawn from, and all streams afterwards."""
        ...


class Epoch:
    """The batches of one epoch, each once. Built by :meth:`DataLoader.epoch` and :meth:`DataLoader.resume`.

    A batch that raises is passed over when the iteration is continued, as in torch. With workers, close the epoch
    if it is left early, or let it be collected.

    Attributes:
        loader: whose epoch it is.
        index_batches: the indices of each batch in order; None for a stream, which has none.
        base_seed: worker w is seeded with ``base_seed + w``.
        own: how the loader's and the sampler's own generators, if any, stand after this epoch.
        position: how many batches were handed out.

    >>> from jaxgrad import random
    >>> from jaxgrad.utils.data import DataLoader
    >>> batches, generator = DataLoader(range(3), batch_size=2).epoch(random.manual_seed(0))
    >>> next(batches).tolist(), batches.position, len(batches)
    ([0, 1], 1, 2)
    """

    def __init__(
        self,
        loader: Loader,
        index_batches: Sequence[Any] | None,
        base_seed: int,
        own: tuple[Generator, ...],
        drawn_from: Generator | None,
        position: int = 0,
        workers: Any = None,
    ):
        self.loader = loader
        self.index_batches = index_batches
        self.base_seed = base_seed
        self.own = own
        self.position = position
        self._drawn_from = drawn_from
        self._workers = workers
        self._reader: Any = None
        self._fatal: BaseException | None = None

    def __iter__(self) -> "Epoch":
        return self

    def __len__(self) -> int:
        """How many batches the epoch has, those handed out included."""
        return len(self.loader) if self.index_batches is None else len(self.index_batches)

    def __next__(self) -> Any:
        if self._reader is None:
            self._reader = self._from_workers() if self.loader.num_workers else _InProcess(self)
        if self.loader.num_workers:
            return self._next_of_workers()
        try:
            batch = self._reader.read(self.position)
        except StopIteration:
            raise
        except Exception:
            self.position += 1
            raise
        self.position += 1
        return batch

    def _next_of_workers(self) -> Any:
        if self._fatal is not None:
            raise self._fatal
        try:
            batch = next(self._reader)
        except StopIteration:
            raise
        except BaseException as error:  # not one sample but the workers themselves
            self._fatal = error
            self.close()
            raise
        self.position += 1
        if isinstance(batch, Failure):
            batch.reraise()
        return batch

    def _from_workers(self) -> Any:
        loader = self.loader
        share = Share(self.index_batches, self.position)
        if self._workers is not None:
            return self._workers.epoch(share)
        job = Job(
            dataset=loader.dataset,
            batched=loader.batched,
            batch_size=loader.batch_size,
            drop_last=loader.drop_last,
            collate_fn=loader.collate_fn,
            worker_init_fn=loader.worker_init_fn,
            num_workers=loader.num_workers,
            base_seed=self.base_seed,
            persistent=loader.persistent_workers,
            pids=None,
        )
        self._workers = Workers(job, share, loader.prefetch_factor or 2, loader.timeout)
        return self._workers.batches()

    def hand_over_workers(self) -> Any:
        """Persistent workers, for the epoch that follows; this one can give no more batches then."""
        workers, self._workers = self._workers, None
        self._reader = _Over()
        return workers

    def close(self) -> None:
        """End worker processes, persistent ones too. Without workers there is nothing to do."""
        if self._workers is not None:
            self.hand_over_workers().close()

    def state(self) -> dict[str, Any]:
        """Where the epoch stands, as plain values, for :meth:`DataLoader.resume`.

        ``position`` batches were handed out; batches that workers have read ahead do not count. The order is stored
        as the state of the generator it was drawn from, or, if the sampler is not one of this library, index by
        index.

        Returns:
            ``{"position": int, "base_seed": int, "own": uint8 (k, 5056)}``, and ``"drawn_from": uint8 (5056,)`` or
            ``"index_batches": list``.
        """
        state: dict[str, Any] = {
            "position": self.position,
            "base_seed": self.base_seed,
            "own": np.array([generator.get_state() for generator in self.own], np.uint8).reshape(
                len(self.own), STATE_BYTES
            ),
        }
        if self._drawn_from is not None:
            state["drawn_from"] = self._drawn_from.get_state()
        elif self.index_batches is not None:
            state["index_batches"] = list(self.index_batches)
        return state


class _Over:
    """An epoch that gives nothing more."""

    def __next__(self) -> Any:
        raise StopIteration


class _InProcess:
    """Batches read in the process itself."""

    def __init__(self, epoch: Epoch):
        loader = epoch.loader
        self.index_batches = epoch.index_batches
        self.fetcher = make_fetcher(
            loader.dataset, loader.batched, loader.batch_size, loader.drop_last, loader.collate_fn
        )
        if self.index_batches is None:
            for _ in range(epoch.position):
                self.fetcher.fetch()

    def read(self, position: int) -> Any:
        if self.index_batches is None:
            return self.fetcher.fetch()
        if position >= len(self.index_batches):
            raise StopIteration
        return self.fetcher.fetch(self.index_batches[position])


class Opened:
    """An epoch between ``iter(loader)`` and the first ``next``: without workers the order is not drawn yet."""

    def __init__(
        self, loader: Loader, base_seed: int, own: tuple[Generator, ...], workers: Any, begun: Pass | None = None
    ):
        self.loader, self.base_seed, self.own = loader, base_seed, own
        self._begun = begun
        self.drawn: Epoch | None = None
        self._workers = workers

    def draw(self, generator: Generator) -> tuple[Epoch, Generator]:
        """Draw the order."""
        loader = self.loader
        index_batches, drawn_from, streams = loader.draw_order([generator, *self.own], self._begun)
        epoch = Epoch(loader, index_batches, self.base_seed, tuple(streams[1:]), drawn_from, workers=self._workers)
        return epoch, streams[0]

    def start(self, generator: T) -> tuple[Epoch, T]:
        """What torch draws at the first ``next``; with workers that was drawn in ``iter`` already."""
        if self.drawn is not None:
            return self.drawn, generator
        epoch, drawn = self.draw(generator_of(generator))
        return epoch, carry(generator, drawn)


def check_state(state: Any) -> None:
    """Raise ValueError unless ``state`` is what :meth:`Epoch.state` gives."""
    wanted = {"position", "base_seed", "own"}
    if not isinstance(state, dict) or not wanted <= state.keys():
        raise ValueError(
            explain(
                "this is not the state of an epoch",
                got=sorted(state) if isinstance(state, dict) else type(state).__name__,
                expected=sorted(wanted),
                remedy="store what batches.state() returns",
            )
        )
