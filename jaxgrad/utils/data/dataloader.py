"""DataLoader: torch's batches in torch's order, with every draw in plain sight.

torch's loader draws from the global generator behind one's back, and *when* it does so decides what everything drawn
afterwards will be. Here ``loader.epoch(generator)`` returns the batches and the generator as torch's global one would
stand after that epoch.

What torch draws, and when: ``iter(loader)`` draws one 64-bit ``base_seed`` for the workers (even if there are none,
even without shuffling) from the loader's generator or the global one; the sampler draws the order at the first
``next``, or, with workers, which read ahead, in ``iter`` too. With persistent workers only the first epoch draws a
``base_seed``. ``epoch`` does both parts at once; who draws in between uses :meth:`DataLoader.open`.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jaxgrad._core.arguments import as_flag, as_list
from jaxgrad._core.errors import explain
from jaxgrad.random import Generator, from_state
from jaxgrad.utils.data import checks, draws
from jaxgrad.utils.data.batch_sampler import BatchSampler, Slices, at_epoch
from jaxgrad.utils.data.carrier import T, carry, check_one_stream, generator_of
from jaxgrad.utils.data.collate import default_collate, default_convert
from jaxgrad.utils.data.dataset import is_stream
from jaxgrad.utils.data.epoch import Epoch, Opened, check_state
from jaxgrad.utils.data.sampler import Pass, RandomSampler, Sampler, SequentialSampler, begin, draw_from, own_generator

_UNSAID: Any = object()


class DataLoader:
    """Mirror of ``torch.utils.data.DataLoader``.

    Differs from torch: it is a value. It is not iterated over itself; each epoch is asked for with the generator it
    draws from. A loader that has a generator of its own, or persistent workers, goes on from one epoch to the next
    by ``after=``, the epoch before.

    Args:
        dataset: anything with ``__getitem__`` (and ``__len__``), or an ``IterableDataset``.
        batch_size: samples in a batch; None turns batching off.
        shuffle: whether the order is drawn anew each epoch.
        sampler: a sampler or any finite iterable of indices.
        batch_sampler: the same for lists of indices.
        num_workers: processes that read ahead; 0 reads in the process itself.
        collate_fn: from the list of samples to the batch; :func:`default_collate` if None.
        pin_memory: accepted and without effect: JAX stages host memory itself. It cannot change a number.
        drop_last: whether a last batch that is not full is left out.
        timeout: seconds to wait for a batch of a worker; 0 waits as long as it takes.
        worker_init_fn: called in each worker with its number, after seeding.
        multiprocessing_context: None or ``"spawn"``; a process that runs JAX must not be forked.
        generator: the start of a stream of the loader's own, from which the ``base_seed`` and the order of
            ``shuffle=True`` are drawn; the global one is left alone then. Given to a sampler too, it is one stream.
        prefetch_factor: batches that each worker reads ahead; 2 if None.
        persistent_workers: whether the processes are kept for the next epoch. This changes what is drawn.
        pin_memory_device: as ``pin_memory``.
        in_order: False permits, but does not cause, another order: batches come in order either way.

    Raises:
        ValueError: arguments that exclude each other or are out of range, in torch's words.
        TypeError: an argument of the wrong kind.

    >>> from jaxgrad import random
    >>> generator = random.manual_seed(0)
    >>> loader = DataLoader(range(5), batch_size=2, shuffle=True)
    >>> for epoch in range(2):
    ...     batches, generator = loader.epoch(generator)
    ...     print([batch.tolist() for batch in batches])
    [[1, 4], [2, 3], [0]]
    [[2, 3], [4, 0], [1]]
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Any = None,
        batch_sampler: Any = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ):
        del pin_memory, pin_memory_device, in_order
        persistent_workers = as_flag(persistent_workers, "persistent_workers", "DataLoader")
        checks.check_workers(num_workers, timeout, prefetch_factor, persistent_workers, multiprocessing_context)
        checks.check_generator(generator)
        checks.check_callables(collate_fn, worker_init_fn)
        streamed = is_stream(dataset)
        if streamed:
            checks.check_stream(shuffle, sampler, batch_sampler)
        shuffle = as_flag(shuffle, "shuffle", "DataLoader")
        checks.check_batching(batch_size, shuffle, sampler, batch_sampler, drop_last)

        self.dataset = dataset
        self.num_workers = num_workers
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.persistent_workers = persistent_workers
        self.generator = generator
        self.drop_last = drop_last
        self.batch_size = batch_size if batch_sampler is None else None
        self.batched = batch_sampler is not None or batch_size is not None
        self.collate_fn = collate_fn or (default_collate if self.batched else default_convert)
        if sampler is None and not streamed:
            sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        if batch_sampler is None and batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.sampler = None if streamed else sampler
        self.batch_sampler = None if streamed else batch_sampler

        # Where each part draws from: stream 0 is the global generator, 1 and 2 are own ones.
        self._index_sampler: Any = self.batch_sampler if self.batched else self.sampler
        own: list[Generator] = []
        self._loader_stream = _stream_of(generator, own)
        self._sampler_stream = _stream_of(own_generator(self._index_sampler), own)
        self.own = tuple(own)
        self._built = True

    def __setattr__(self, attribute: str, value: Any) -> None:
        if getattr(self, "_built", False):
            raise ValueError(
                explain(
                    f"{attribute} attribute should not be set after DataLoader is initialized",
                    remedy="build another loader: it is a value",
                )
            )
        object.__setattr__(self, attribute, value)

    def __len__(self) -> int:
        """Batches in an epoch; for a stream what its length says.

        Raises:
            TypeError: the sampler, or the stream, has no length.
        """
        if not is_stream(self.dataset):
            return len(self._index_sampler)
        n = len(self.dataset)
        if self.batch_size is None:
            return n
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    def __iter__(self) -> Any:
        raise TypeError(
            explain(
                "a DataLoader draws from a generator, which a plain loop does not give it",
                remedy="batches, generator = loader.epoch(generator), then `for batch in batches`",
            )
        )

    def epoch(self, generator: T, after: Epoch | None = _UNSAID) -> tuple[Epoch, T]:
        """One pass over the data: the batches, and the generator after it.

        Args:
            generator: where torch's global generator stands before the epoch; or what carries it, a train state or
                anything else with ``.generator`` and ``.replace(generator=...)``.
            after: the epoch before this one, or None if it is the first. To be said where it matters: if the loader
                has a generator of its own, which goes on there, or persistent workers.

        Returns:
            An iterator over batches of numpy arrays, and the generator (or its carrier) as torch's global one would
            stand once all batches were read.

        Raises:
            TypeError: ``after`` matters and was not given, or there is no generator.
            AssertionError: ``_SingleProcessDataLoaderIter requires timeout == 0``.
        """
        opened, generator = self.open(generator, after)
        return opened.start(generator)

    def open(self, generator: T, after: Epoch | None = _UNSAID) -> tuple[Opened, T]:
        """What ``iter(loader)`` draws; ``opened.start(generator)`` then draws what the first ``next`` does.

        Args:
            generator, after: as in :meth:`epoch`.

        Returns:
            The epoch between its two draws, and the generator after the first.

        >>> from jaxgrad import random
        >>> opened, generator = DataLoader(range(3), shuffle=True).open(random.manual_seed(0))
        >>> noise, generator = random.rand(generator, (2,))  # drawn between iter(loader) and the first batch
        >>> batches, generator = opened.start(generator)
        """
        given = generator_of(generator)
        checks.check_ready(self.num_workers, self.timeout, self.prefetch_factor)
        if after is _UNSAID:
            if self.own or self.persistent_workers:
                raise TypeError(
                    explain(
                        "this loader goes on from one epoch to the next, and was not told from where",
                        got="a generator of its own" if self.own else "persistent_workers=True",
                        remedy="batches, generator = loader.epoch(generator, after=batches), with batches = None first",
                    )
                )
            after = None
        if after is not None and len(after.own) != len(self.own):
            raise ValueError(
                explain(
                    "the epoch before is of another loader",
                    got=f"{len(after.own)} own generators",
                    expected=f"{len(self.own)} own generators",
                )
            )
        streams = [given, *(self.own if after is None else after.own)]
        workers = None if after is None or not self.persistent_workers else after.hand_over_workers()
        begun = begin(self._index_sampler, streams[self._sampler_stream])
        if begun is not None:
            streams[self._sampler_stream] = begun.generator
        if after is not None and self.persistent_workers:
            base_seed = after.base_seed
        else:
            check_one_stream(streams[self._loader_stream])
            base_seed, streams[self._loader_stream] = draws.seed(streams[self._loader_stream])
        opened = Opened(self, base_seed, tuple(streams[1:]), workers, begun)
        if self.num_workers:
            opened.drawn, streams[0] = opened.draw(streams[0])
        return opened, carry(generator, streams[0])

    def draw_order(
        self, streams: Sequence[Generator], begun: Pass | None = None
    ) -> tuple[Sequence[Any] | None, Generator | None, list[Generator]]:
        """The index batches of an epoch, the generator they were drawn from, and all streams afterwards."""
        streams = list(streams)
        if is_stream(self.dataset):
            return None, None, streams
        before = streams[self._sampler_stream]
        index_batches, streams[self._sampler_stream] = self._draw(before, begun)
        return index_batches, before if _repeatable(self._index_sampler) else None, streams

    def _draw(self, generator: Generator, begun: Pass | None = None) -> tuple[Sequence[Any], Generator]:
        """The indices of each batch, or of each sample: a dataset is asked for Python's integers, as by torch."""
        drawn, generator = begun.finish(generator) if begun else draw_from(self._index_sampler, generator)
        drawn = drawn.tolist() if isinstance(drawn, np.ndarray) else drawn
        if self.batch_sampler is not None and not isinstance(drawn, Slices):
            drawn = [as_list(each, "batch_sampler", "DataLoader", "of lists of indices") for each in drawn]
        return drawn, generator

    def at_epoch(self, epoch: int) -> "DataLoader":
        """This loader with its :class:`DistributedSampler` in another epoch; torch's ``sampler.set_epoch(epoch)``."""
        other = copy.copy(self)
        object.__setattr__(other, "_built", False)
        other.sampler = at_epoch(self.sampler, epoch)
        other.batch_sampler = at_epoch(self.batch_sampler, epoch)
        other._index_sampler = other.batch_sampler if self.batched else other.sampler
        other._built = True
        return other

    def resume(self, state: dict[str, Any]) -> Epoch:
        """The rest of an epoch that was stored by ``batches.state()``: no sample is lost, none comes twice.

        The loader must be built as the one that the state is from. Random numbers that a dataset draws by itself
        (in workers: from their seeds) begin anew. A stream is read from its beginning up to the place.

        Raises:
            ValueError: this is not the state of an epoch of this loader.
        """
        check_state(state)
        own = tuple(from_state(each) for each in state["own"])
        drawn_from = from_state(state["drawn_from"]) if "drawn_from" in state else None
        index_batches = state.get("index_batches")
        if drawn_from is not None:
            index_batches, _ = self._draw(drawn_from)
        position = int(state["position"])
        if len(own) != len(self.own) or (index_batches is not None and position > len(index_batches)):
            raise ValueError(
                explain(
                    "the state is of another loader",
                    got=f"{position} batches read, {len(own)} own generators",
                    expected=f"{len(index_batches or ())} batches, {len(self.own)} own generators",
                )
            )
        return Epoch(self, index_batches, int(state["base_seed"]), own, drawn_from, position)


def _stream_of(generator: Generator | None, own: list[Generator]) -> int:
    """Number of the stream that a part draws from; the same generator object is the same stream."""
    if generator is None:
        return 0
    for i, other in enumerate(own):
        if other is generator:
            return i + 1
    own.append(generator)
    return len(own)


def _repeatable(sampler: Any) -> bool:
    """Whether a pass is a function of the generator alone, so that it can be drawn again."""
    if not isinstance(sampler, Sampler) or type(sampler).draw is Sampler.draw:
        return False
    return not isinstance(sampler, BatchSampler) or _repeatable(sampler.sampler)
