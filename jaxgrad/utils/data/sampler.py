"""Samplers: in which order the samples of a dataset are read, as pure draws.

``sampler.draw(generator) -> (indices, generator)`` gives one pass over the data and the generator after it. torch's
samplers draw while they are iterated over; the indices are the same. *Which* generator goes in is torch's choice:
the global one, or, where a sampler was given its own, that one; :class:`DataLoader` keeps track of it.
"""

from collections.abc import Iterator, Sequence, Sized
from typing import Any, TypeAlias

import numpy as np

from jaxgrad._core.errors import explain
from jaxgrad.random import Generator, manual_seed
from jaxgrad.utils.data import draws

Indices: TypeAlias = Sequence[Any] | np.ndarray


class Sampler:
    """Base of all samplers; mirror of ``torch.utils.data.Sampler``.

    A subclass that draws at random defines :meth:`draw`; one that does not may define ``__iter__`` alone, as in
    torch. ``__len__`` is wanted only for the length of a loader. A pass over the data must come to an end.

    Attributes:
        generator: where the sampler's own stream starts, or None if it draws from the global one.

    >>> class Reversed(Sampler):
    ...     def __init__(self, n):
    ...         self.n = n
    ...
    ...     def __iter__(self):
    ...         return iter(range(self.n - 1, -1, -1))
    >>> from jaxgrad import random
    >>> Reversed(3).draw(random.manual_seed(0))[0]
    [2, 1, 0]
    """

    generator: Generator | None = None

    def draw(self, generator: Generator) -> tuple[Indices, Generator]:
        """One pass: the indices (or, from a batch sampler, lists of indices), and the generator after it."""
        return list(self), generator

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError


class _RandomlyDrawn(Sampler):
    """A sampler that cannot be iterated over, since nobody would say from which generator it draws."""

    def __iter__(self) -> Iterator[Any]:
        raise TypeError(
            explain(
                f"{type(self).__name__} draws from a generator, which a plain loop does not give it",
                remedy="indices, generator = sampler.draw(generator)",
            )
        )


class SequentialSampler(Sampler):
    """Always in the same order; mirror of ``torch.utils.data.SequentialSampler``.

    >>> list(SequentialSampler("abc"))
    [0, 1, 2]
    """

    def __init__(self, data_source: Sized):
        self.data_source = data_source

    def draw(self, generator: Generator) -> tuple[np.ndarray, Generator]:
        """0, 1, 2 ...; nothing is drawn."""
        return np.arange(len(self.data_source)), generator

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(_RandomlyDrawn):
    """Shuffled, or with replacement; mirror of ``torch.utils.data.RandomSampler``.

    Without its own generator it draws one 64-bit seed from the global one and everything else from a private
    generator of that seed; with its own generator it draws from that directly. Without replacement, full
    permutations follow each other until ``num_samples`` are reached; one permutation more is always drawn, of which
    the rest is taken, even if nothing is left to take.

    Args:
        data_source: anything with a length.
        replacement: whether samples may repeat.
        num_samples: how many; the length of the dataset if None.
        generator: the start of the sampler's own stream.

    Raises:
        TypeError: ``replacement should be a boolean value, but got replacement=...``.
        ValueError: ``num_samples should be a positive integer value, but got num_samples=...``.

    >>> from jaxgrad import random
    >>> indices, generator = RandomSampler(range(5)).draw(random.manual_seed(0))
    >>> indices
    array([1, 3, 4, 2, 0])
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ):
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        if not isinstance(replacement, bool):
            raise TypeError(f"replacement should be a boolean value, but got replacement={replacement}")
        _check_num_samples(self.num_samples)

    @property
    def num_samples(self) -> int:
        """How many samples one pass gives; follows the dataset if it was not given."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def draw(self, generator: Generator) -> tuple[np.ndarray, Generator]:
        """One pass from the global generator, or, if the sampler has its own stream, from that."""
        if self.generator is not None:
            return self._draw_directly(generator)
        seed, generator = draws.seed(generator)
        return self._draw_directly(manual_seed(seed))[0], generator

    def _draw_directly(self, generator: Generator) -> tuple[np.ndarray, Generator]:
        n = len(self.data_source)
        if self.replacement:
            return draws.randint(generator, n, self.num_samples)
        passes, rest = divmod(self.num_samples, n)
        orders = []
        for _ in range(passes + 1):
            order, generator = draws.randperm(generator, n)
            orders.append(order)
        return np.concatenate([*orders[:-1], orders[-1][:rest]]), generator

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(_RandomlyDrawn):
    """Given indices, shuffled; mirror of ``torch.utils.data.SubsetRandomSampler``.

    It draws its permutation from the global generator itself, or from its own.

    >>> from jaxgrad import random
    >>> SubsetRandomSampler([10, 20, 30]).draw(random.manual_seed(0))[0]
    [30, 10, 20]
    """

    def __init__(self, indices: Sequence[Any], generator: Generator | None = None):
        self.indices = indices
        self.generator = generator

    def draw(self, generator: Generator) -> tuple[list[Any], Generator]:
        """One permutation of the indices."""
        order, generator = draws.randperm(generator, len(self.indices))
        return [self.indices[i] for i in order.tolist()], generator

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(_RandomlyDrawn):
    """Index i with a probability proportional to ``weights[i]``; mirror of ``torch.utils.data.WeightedRandomSampler``.

    It draws from the global generator itself, or from its own, as ``torch.multinomial`` on float64 weights does.

    Args:
        weights: numbers, not necessarily summing to one.
        num_samples: how many.
        replacement: whether samples may repeat.
        generator: the start of the sampler's own stream.

    Raises:
        ValueError: ``num_samples should be a positive integer value, ...``,
            ``replacement should be a boolean value, ...`` or
            ``weights should be a 1d sequence but given weights have shape ...``.

    >>> from jaxgrad import random
    >>> WeightedRandomSampler([0.0, 1.0, 0.0], 4).draw(random.manual_seed(0))[0]
    array([1, 1, 1, 1])
    """

    def __init__(
        self,
        weights: Sequence[float],
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ):
        _check_num_samples(num_samples)
        if not isinstance(replacement, bool):
            raise ValueError(f"replacement should be a boolean value, but got replacement={replacement}")
        self.weights = np.asarray(weights, np.float64)
        if self.weights.ndim != 1:
            raise ValueError(
                f"weights should be a 1d sequence but given weights have shape {tuple(self.weights.shape)}"
            )
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def draw(self, generator: Generator) -> tuple[np.ndarray, Generator]:
        """``torch.multinomial(weights, num_samples, replacement)``."""
        return draws.multinomial(generator, self.weights, self.num_samples, self.replacement)

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler):
    """Groups the indices of another sampler; mirror of ``torch.utils.data.BatchSampler``.

    Args:
        sampler: a sampler, or any iterable of indices.
        batch_size: indices in a batch.
        drop_last: whether a last batch that is not full is left out.

    Raises:
        ValueError: ``batch_size should be a positive integer value, but got batch_size=...`` or
            ``drop_last should be a boolean value, but got drop_last=...``.

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
        return iter(Slices(list(self.sampler), self.batch_size, self.drop_last))

    def __len__(self) -> int:
        n = len(self.sampler)
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)


class Slices(Sequence):
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


def own_generator(sampler: Any) -> Generator | None:
    """Where a sampler's own stream starts; None for samplers that have none, and for plain iterables."""
    return sampler.generator if isinstance(sampler, Sampler) else None


def draw_from(sampler: Any, generator: Generator) -> tuple[Any, Generator]:
    """One pass over a sampler or over any iterable; the latter draws nothing that is known here."""
    if isinstance(sampler, Sampler):
        return sampler.draw(generator)
    return list(sampler), generator


def at_epoch(sampler: Any, epoch: int) -> Any:
    """A sampler as it is in a given epoch: itself, unless it is a :class:`DistributedSampler`, maybe in batches."""
    if isinstance(sampler, BatchSampler):
        return BatchSampler(at_epoch(sampler.sampler, epoch), sampler.batch_size, sampler.drop_last)
    return sampler.at_epoch(epoch) if hasattr(sampler, "at_epoch") else sampler


def _check_num_samples(num_samples: Any) -> None:
    if not isinstance(num_samples, int) or isinstance(num_samples, bool) or num_samples <= 0:
        raise ValueError(f"num_samples should be a positive integer value, but got num_samples={num_samples}")


__all__ = [
    "BatchSampler",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "SubsetRandomSampler",
    "WeightedRandomSampler",
]
