"""The batches of all replicas side by side, as torch's processes read them one by one."""

import copy
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from jaxgrad._core.errors import explain
from jaxgrad.random import Generator
from jaxgrad.utils.data import BatchSampler, DistributedSampler


class ReplicaBatches(BatchSampler):
    """A batch sampler: the rows that every process's ``DistributedSampler`` gives it, one process after the other.

    Torch's rank r reads ``DataLoader(dataset, batch_size, sampler=DistributedSampler(dataset, N, r))``. Here one
    loader reads for all: ``DataLoader(dataset, batch_sampler=ReplicaBatches(sampler, batch_size))`` gives batches of N
    times ``batch_size`` rows, and a step with ``mesh=`` hands each device its own. ``loader.at_epoch(epoch)`` is
    ``sampler.set_epoch(epoch)``.

    Args:
        sampler: of any rank; its ``num_replicas`` is the number of devices.
        batch_size: rows of one replica.
        drop_last: whether a last batch that is not full is left out.
        ranks: whose rows; all replicas' if None. Among several processes ``train.local_replicas(mesh)``.

    Raises:
        TypeError: the sampler is not a ``DistributedSampler``.
        ValueError: a rank that there is not.

    >>> from jaxgrad.utils.data import DistributedSampler
    >>> sampler = DistributedSampler(range(8), num_replicas=2, rank=0, shuffle=False)
    >>> list(ReplicaBatches(sampler, batch_size=2))
    [[0, 2, 1, 3], [4, 6, 5, 7]]
    """

    def __init__(
        self,
        sampler: DistributedSampler,
        batch_size: int,
        drop_last: bool = False,
        ranks: Iterable[int] | None = None,
    ):
        super().__init__(sampler, batch_size, drop_last)
        if not isinstance(sampler, DistributedSampler):
            raise TypeError(
                explain(
                    "the rows of replicas come from a DistributedSampler",
                    got=type(sampler).__name__,
                    remedy="DistributedSampler(dataset, num_replicas=mesh.size, rank=0)",
                )
            )
        self.ranks = tuple(range(sampler.num_replicas) if ranks is None else ranks)
        if not self.ranks or not all(0 <= rank < sampler.num_replicas for rank in self.ranks):
            raise ValueError(
                explain("ranks are numbers of replicas", got=self.ranks, expected=f"of 0 to {sampler.num_replicas - 1}")
            )

    def draw(self, generator: Generator) -> tuple[Any, Generator]:
        """One pass; nothing is drawn from ``generator``."""
        each = []
        for rank in self.ranks:
            drawn, generator = self._of(rank).draw(generator)
            each.append(drawn)
        return SideBySide(each), generator

    def __iter__(self) -> Iterator[list[Any]]:
        if self._stream is not None:
            return self._drawn()
        together = zip(*(self._of(rank) for rank in self.ranks), strict=True)
        return (list(chain.from_iterable(rows)) for rows in together)

    def _of(self, rank: int) -> BatchSampler:
        """What this replica reads."""
        sampler = copy.copy(self.sampler)
        sampler.rank = rank
        return BatchSampler(sampler, self.batch_size, self.drop_last)


class SideBySide(Sequence[list[Any]]):
    """Sequences of lists of indices, joined batch by batch when they are asked for."""

    def __init__(self, each: Sequence[Sequence[Any]]):
        self.each = each

    def __len__(self) -> int:
        return len(self.each[0])

    def __getitem__(self, i: Any) -> Any:
        return [index for batches in self.each for index in batches[i]]
