"""Indices in batches, and samplers in the epoch they are asked for."""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from jaxgrad.random import Generator
from jaxgrad.utils.data.sampler import Indices, Sampler, draw_from, own_generator


class BatchSampler(Sampler):
    """Groups the indices of another sampler; mirror of ``torch.utils.data.BatchSampler``.

    Args:
        sampler: a sampler, or any iterable of indices.
        batch_size: indices in a batch.
        drop_last: whether a last batch that is not full is left out.

    Raises:
        ValueError: ``batch_size should be a positive integer value, but got batch_size=...`` or
            ``drop_last should be a boolean value, but got drop_last=...``.

    >>> from jaxgrad.utils.data import SequentialSampler
    >>> list(BatchSampler(SequentialSampler(range(7)), batch_size=3, drop_last=False))
    [[0, 1, 2], [3, 4, 5], [6]]
    """

    def __init__(self, sampler: Any, batch_size: int, drop_last: bool):
        if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size <= 0:
            raise ValueError(f"batch_size should be a positive integer value, but got batch_size={batch_size}")
        if not isinstance(drop_last, bool):
            raise ValueError(f"drop_last should be a boolean value, but got drop_last={drop_last}")
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    @property
    def generator(self) -> Generator | None:  # type: ignore[override]
        """The own stream of the sampler that is grouped."""
        return own_generator(self.sampler)

    def draw(self, generator: Generator) -> tuple["Slices", Generator]:
        """One pass: lists of indices."""
        order, generator = draw_from(self.sampler, generator)
        return Slices(order, self.batch_size, self.drop_last), generator

    def __iter__(self) -> Iterator[list[Any]]:
        if self._stream is not None:
            return self._drawn()
        return iter(Slices(list(self.sampler), self.batch_size, self.drop_last))

    def __len__(self) -> int:
        n = len(self.sampler)
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)


class Slices(Sequence[list[Any]]):
    """An order cut into batches: a sequence of lists that are made when they are asked for."""

    def __init__(self, order: Indices, batch_size: int, drop_last: bool):
        self.order, self.batch_size, self.drop_last = order, batch_size, drop_last

    def __len__(self) -> int:
        n = len(self.order)
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    def __getitem__(self, i: Any) -> Any:
        if not 0 <= i < len(self):
            raise IndexError(i)
        batch = self.order[i * self.batch_size : (i + 1) * self.batch_size]
        return batch.tolist() if isinstance(batch, np.ndarray) else list(batch)


def at_epoch(sampler: Any, epoch: int) -> Any:
    """A sampler as it is in a given epoch: itself, unless it is a :class:`DistributedSampler`, maybe in batches."""
    if isinstance(sampler, BatchSampler):
        other = copy.copy(sampler)
        other.sampler = at_epoch(sampler.sampler, epoch)
        return other
    return sampler.at_epoch(epoch) if hasattr(sampler, "at_epoch") else sampler
