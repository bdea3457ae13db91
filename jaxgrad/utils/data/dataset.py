"""Datasets: anything with ``__getitem__`` and ``__len__``, the few ways to combine them, and streams.

A dataset here need not derive from :class:`Dataset`: a list, a ``numpy.memmap``, a ``tfds.data_source`` and a torch
``Dataset`` serve as they are. Samples may be numpy or JAX arrays, numbers, strings, and any nesting of them.
"""

import bisect
import itertools
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from jaxgrad._core.arguments import as_list, as_number, wrong_kind
from jaxgrad._core.errors import explain
from jaxgrad.utils.data import draws
from jaxgrad.utils.data.carrier import T, carry, generator_of


class Dataset:
    """A map from keys to samples; mirror of ``torch.utils.data.Dataset``.

    Subclasses define ``__getitem__``, usually ``__len__``, and, where a batch can be read faster than its samples
    one by one, ``__getitems__(indices) -> list of samples``.

    >>> class Squares(Dataset):
    ...     def __len__(self):
    ...         return 4
    ...
    ...     def __getitem__(self, index):
    ...         return index**2
    >>> [sample for sample in map(Squares().__getitem__, range(4))]
    [0, 1, 4, 9]
    """

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError("Subclasses of Dataset should implement __getitem__.")

    def __add__(self, other: Any) -> "ConcatDataset":
        return ConcatDataset([self, other])


class IterableDataset(Dataset, Iterable[Any]):
    """A stream of samples; mirror of ``torch.utils.data.IterableDataset``.

    Subclasses define ``__iter__``. With workers each one iterates over its own copy; ``get_worker_info()`` tells a
    copy which one it is.

    >>> class Countdown(IterableDataset):
    ...     def __iter__(self):
    ...         return iter([3, 2, 1])
    >>> list(Countdown() + Countdown())
    [3, 2, 1, 3, 2, 1]
    """

    def __add__(self, other: Any) -> "ChainDataset":  # type: ignore[override]
        return ChainDataset([self, other])


def is_stream(dataset: Any) -> bool:
    """Whether a dataset is iterated over instead of indexed: an ``IterableDataset`` of this library or of torch."""
    return any(cls.__name__ == "IterableDataset" for cls in type(dataset).__mro__)


class TensorDataset(Dataset):
    """Samples along the first axis of arrays; mirror of ``torch.utils.data.TensorDataset``.

    Args:
        *tensors: arrays (n, ...) of numpy or JAX, as many samples in each.

    Raises:
        AssertionError: ``Size mismatch between tensors``.

    >>> TensorDataset(np.arange(6).reshape(3, 2), np.arange(3))[1]
    (array([2, 3]), np.int64(1))
    """

    def __init__(self, *tensors: Any):
        if any(len(tensors[0]) != len(tensor) for tensor in tensors):
            raise AssertionError("Size mismatch between tensors")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Any, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0])

    def __getstate__(self) -> dict[str, Any]:
        # A worker process feeds the accelerator; it must not take it, or its memory, to hold a JAX array.
        return {"tensors": tuple(np.asarray(tensor) for tensor in self.tensors)}


class StackDataset(Dataset):
    """Several datasets side by side, as a tuple or a dict; mirror of ``torch.utils.data.StackDataset``.

    Args:
        *args: datasets, whose samples come out as a tuple.
        **kwargs: datasets, whose samples come out as a dict.

    Raises:
        ValueError: no dataset, both forms at once, or ``Size mismatch between datasets``.

    >>> StackDataset(image=[10, 11], text=["a", "b"])[1]
    {'image': 11, 'text': 'b'}
    """

    def __init__(self, *args: Any, **kwargs: Any):
        if args and kwargs:
            raise ValueError(
                "Supported either ``tuple``- (via ``args``) or"
                "``dict``- (via ``kwargs``) like input/output, but both types are given."
            )
        if not args and not kwargs:
            raise ValueError("At least one dataset should be passed")
        self.datasets: Any = args or kwargs
        self._length = len(next(iter(self._members())))
        if any(len(dataset) != self._length for dataset in self._members()):
            raise ValueError("Size mismatch between datasets")

    def _members(self) -> Iterable[Any]:
        return self.datasets.values() if isinstance(self.datasets, dict) else self.datasets

    def _sample(self, parts: Sequence[Any]) -> Any:
        return dict(zip(self.datasets, parts, strict=True)) if isinstance(self.datasets, dict) else tuple(parts)

    def __getitem__(self, index: Any) -> Any:
        return self._sample([dataset[index] for dataset in self._members()])

    def __getitems__(self, indices: list[Any]) -> list[Any]:
        columns = [_read_many(dataset, indices) for dataset in self._members()]
        for column in columns:
            if len(column) != len(indices):
                raise ValueError(f"Nested dataset's output size mismatch. Expected {len(indices)}, got {len(column)}")
        return [self._sample(parts) for parts in zip(*columns, strict=True)]

    def __len__(self) -> int:
        return self._length


def _read_many(dataset: Any, indices: list[Any]) -> list[Any]:
    if callable(getattr(dataset, "__getitems__", None)):
        return dataset.__getitems__(indices)
    return [dataset[index] for index in indices]


class ConcatDataset(Dataset):
    """Datasets one after another; mirror of ``torch.utils.data.ConcatDataset``.

    Args:
        datasets: each with a length.

    Raises:
        AssertionError: there is no dataset, or one of them is a stream.
        ValueError: ``absolute value of index should not exceed dataset length``.
        IndexError: the index is beyond the last dataset.

    >>> both = ConcatDataset([range(3), range(10, 12)])
    >>> len(both), both[3], both[-1]
    (5, 10, 11)
    """

    def __init__(self, datasets: Iterable[Any]):
        self.datasets = as_list(datasets, "datasets", "ConcatDataset", "an iterable of datasets")
        if not self.datasets:
            raise AssertionError("datasets should not be an empty iterable")
        if any(is_stream(dataset) for dataset in self.datasets):
            raise AssertionError("ConcatDataset does not support IterableDataset")
        self.cumulative_sizes = list(
            itertools.accumulate(length_of(each, "datasets", "ConcatDataset") for each in self.datasets)
        )

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, idx: int) -> Any:
        if idx < 0:
            if -idx > len(self):
                raise ValueError("absolute value of index should not exceed dataset length")
            idx += len(self)
        which = bisect.bisect_right(self.cumulative_sizes, idx)
        return self.datasets[which][idx - (self.cumulative_sizes[which - 1] if which else 0)]


class ChainDataset(IterableDataset):
    """Streams one after another; mirror of ``torch.utils.data.ChainDataset``.

    Args:
        datasets: streams.

    Raises:
        AssertionError: ``ChainDataset only supports IterableDataset``, when it is iterated over or measured.

    >>> class Two(IterableDataset):
    ...     def __iter__(self):
    ...         return iter("ab")
    >>> list(ChainDataset([Two(), Two()]))
    ['a', 'b', 'a', 'b']
    """

    def __init__(self, datasets: Iterable[Any]):
        self.datasets = datasets

    def _streams(self) -> Iterator[Any]:
        for dataset in self.datasets:
            if not is_stream(dataset):
                raise AssertionError("ChainDataset only supports IterableDataset")
            yield dataset

    def __iter__(self) -> Iterator[Any]:
        for dataset in self._streams():
            yield from dataset

    def __len__(self) -> int:
        return sum(len(dataset) for dataset in self._streams())


class Subset(Dataset):
    """The samples of a dataset at given indices; mirror of ``torch.utils.data.Subset``.

    Args:
        dataset: the whole dataset.
        indices: indices into it.

    Raises:
        NotImplementedError: a subclass overrides ``__getitem__`` but not ``__getitems__``, which the loader calls.

    >>> Subset(["a", "b", "c"], [2, 0])[0]
    'c'
    """

    def __init__(self, dataset: Any, indices: Sequence[Any]):
        self.dataset = dataset
        self.indices = indices
        cls = type(self)
        if cls.__getitem__ is not Subset.__getitem__ and cls.__getitems__ is Subset.__getitems__:
            raise NotImplementedError(
                f"{cls.__name__} overrides __getitem__ but not __getitems__. "
                "When subclassing Subset and overriding __getitem__, you must also override "
                "__getitems__ to ensure DataLoader works correctly with your custom logic. "
                "A simple implementation:\n\n"
                "def __getitems__(self, indices):\n"
                "    return [self.__getitem__(idx) for idx in indices]"
            )

    def __getitem__(self, idx: Any) -> Any:
        if isinstance(idx, list):
            return self.dataset[[self.indices[i] for i in idx]]
        return self.dataset[self.indices[idx]]

    def __getitems__(self, indices: list[Any]) -> list[Any]:
        return _read_many(self.dataset, [self.indices[idx] for idx in indices])

    def __len__(self) -> int:
        return len(self.indices)


def random_split(dataset: Any, lengths: Sequence[int | float], generator: T) -> tuple[list[Subset], T]:
    """Mirror of ``torch.utils.data.random_split``: one permutation, cut into consecutive pieces.

    Fractions that sum to 1 stand for ``floor(fraction * n)`` samples each; what is left over goes to the first
    splits, one to each in turn.

    Args:
        dataset: anything with a length.
        lengths: samples of each split, or fractions.
        generator: what torch draws from here: its global generator, or the one given to it; or what carries it.

    Returns:
        The subsets, and the generator after the permutation.

    Raises:
        ValueError: ``Sum of input lengths does not equal the length of the input dataset!``, or a fraction is not
            between 0 and 1.
        TypeError: the dataset has no length, the lengths are no numbers, or there is no generator.

    >>> from jaxgrad import random
    >>> (train, test), generator = random_split(range(10), [0.7, 0.3], random.manual_seed(42))
    >>> list(train), list(test)
    ([2, 6, 1, 8, 4, 5, 0], [9, 3, 7])
    """
    total = length_of(dataset, "dataset", "random_split")
    lengths = [_as_length(each) for each in as_list(lengths, "lengths", "random_split", "a sequence of numbers")]
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        lengths = _fractions_to_lengths(lengths, total)
    if sum(lengths) != total:
        raise ValueError(
            explain(
                "Sum of input lengths does not equal the length of the input dataset!",
                got=f"{list(lengths)}, in all {sum(lengths)}",
                expected=f"in all {total}",
            )
        )
    order, drawn = draws.randperm(generator_of(generator), total)
    ends = itertools.accumulate(int(length) for length in lengths)
    pieces = [order[end - int(length) : end].tolist() for end, length in zip(ends, lengths, strict=True)]
    return [Subset(dataset, piece) for piece in pieces], carry(generator, drawn)


def length_of(source: Any, name: str, function: str) -> int:
    """The length of what is sampled from.

    Raises:
        TypeError: it has none.
    """
    if not hasattr(type(source), "__len__"):
        raise wrong_kind(source, name, function, "something with a length")
    return len(source)


def _as_length(value: Any) -> int | float:
    number = as_number(value, "lengths", "random_split")
    return int(number) if number.is_integer() else number


def _fractions_to_lengths(fractions: Sequence[float], total: int) -> list[int]:
    for i, fraction in enumerate(fractions):
        if not 0 <= fraction <= 1:
            raise ValueError(f"Fraction at index {i} is not between 0 and 1")
    lengths = [math.floor(total * fraction) for fraction in fractions]
    for i in range(total - sum(lengths)):
        lengths[i % len(lengths)] += 1
    for i, length in enumerate(lengths):
        if length == 0:
            warnings.warn(f"Length of split at index {i} is 0. This might result in an empty dataset.", stacklevel=3)
    return lengths
