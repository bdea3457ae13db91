"""Samplers: in which order the samples of a dataset are read, as pure draws.

``sampler.draw(generator) -> (indices, generator)`` gives one pass over the data and the generator after it. torch's
samplers draw while they are iterated over; the indices are the same. *Which* generator goes in is torch's choice:
the global one, or, where a sampler was given its own, that one; :class:`DataLoader` keeps track of it.
"""

import contextlib
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, TypeAlias

import numpy as np

from jaxgrad._core.arguments import wrong_kind
from jaxgrad._core.errors import explain
from jaxgrad.random import Generator, manual_seed
from jaxgrad.utils.data import draws
from jaxgrad.utils.data.dataset import length_of

Indices: TypeAlias = Sequence[Any] | np.ndarray


class Sampler:
    """Base of all samplers; mirror of ``torch.utils.data.Sampler``.

    A subclass that draws at random defines :meth:`draw`. One that defines ``__iter__`` instead, as in torch, is
    iterated over, whatever it derives from; while it is drawn, ``super().__iter__()`` and the samplers that it holds
    as attributes can be iterated over too, and draw from the same generator. ``__len__`` is wanted only for the
    length of a loader. A pass over the data must come to an end.

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
    _stream: "Pass | None" = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        nearest = next(vars(base) for base in cls.__mro__ if "draw" in vars(base) or "__iter__" in vars(base))
        if "draw" not in nearest:
            cls.draw = Sampler.draw  # type: ignore[method-assign]  # a parent's would ignore the new __iter__

    def draw(self, generator: Generator) -> tuple[Indices, Generator]:
        """One pass: the indices (or, from a batch sampler, lists of indices), and the generator after it."""
        begun = Pass(self, generator)
        return begun.finish(begun.generator)

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError

    def _drawn(self) -> Iterator[Any]:
        """A pass of the library's own :meth:`draw`, from the stream that is open for this sampler.

        Raises:
            TypeError: none is open: this is a plain loop, which gives no generator.
        """
        if self._stream is None:
            raise TypeError(
                explain(
                    f"{type(self).__name__} draws from a generator, which a plain loop does not give it",
                    remedy="indices, generator = sampler.draw(generator)",
                )
            )
        return self._drawn_when_asked()

    def _drawn_when_asked(self) -> Iterator[Any]:
        """torch's samplers are generators: nothing is drawn before the first index is asked for."""
        assert self._stream is not None
        indices, self._stream.generator = self._own_draw(self._stream.generator)
        yield from indices.tolist() if isinstance(indices, np.ndarray) else indices

    def _own_draw(self, generator: Generator) -> tuple[Indices, Generator]:
        """The nearest ``draw`` that is not the one that iterates."""
        draws = (vars(base).get("draw") for base in type(self).__mro__)
        draw = next(draw for draw in draws if draw is not None and draw is not Sampler.draw)
        drawn: tuple[Indices, Generator] = draw(self, generator)
        return drawn


class Pass:
    """A pass over a sampler that is iterated over: what its ``__iter__`` draws at once, and what it draws as it goes.

    In between the loader draws the seed of its workers, as torch's does.

    Attributes:
        generator: where the stream stands now.
    """

    def __init__(self, sampler: Sampler, generator: Generator):
        self.sampler, self.generator = sampler, generator
        with self._open():
            self._iterator = iter(sampler)

    def finish(self, generator: Generator) -> tuple[list[Any], Generator]:
        """All indices, and the generator after them."""
        self.generator = generator
        with self._open():
            return list(self._iterator), self.generator

    @contextlib.contextmanager
    def _open(self) -> Iterator[None]:
        """Let the sampler, and those it is made of, be iterated over."""
        parts = [each for each in _with_parts(self.sampler) if each._stream is None]
        for each in parts:
            each._stream = self
        try:
            yield
        finally:
            for each in parts:
                del each._stream


def _with_parts(sampler: Any) -> list[Sampler]:
    """A sampler and all samplers among its attributes, and theirs."""
    found: list[Sampler] = []
    waiting = [sampler]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Sampler) and not any(each is other for other in found):
            found.append(each)
            waiting += getattr(each, "__dict__", {}).values()
        elif isinstance(each, list | tuple) and len(each) <= 64:
            waiting += each
    return found


class _RandomlyDrawn(Sampler):
    """A sampler that can be iterated over only while it is drawn: else nobody would say from which generator."""

    def __iter__(self) -> Iterator[Any]:
        return self._drawn()


class SequentialSampler(Sampler):
    """Always in the same order; mirror of ``torch.utils.data.SequentialSampler``.

    Args:
        data_source: anything with a length.

    >>> list(SequentialSampler("abc"))
    [0, 1, 2]
    """

    def __init__(self, data_source: Sized):
        self.data_source = data_source

    def draw(self, generator: Generator) -> tuple[np.ndarray, Generator]:
        """0, 1, 2 ...; nothing is drawn."""
        return np.arange(len(self)), generator

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))

    def __len__(self) -> int:
        return length_of(self.data_source, "data_source", "SequentialSampler")


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
        return self._length() if self._num_samples is None else self._num_samples

    def _length(self) -> int:
        return length_of(self.data_source, "data_source", "RandomSampler")

    def draw(self, generator: Generator) -> tuple[np.ndarray, Generator]:
        """One pass from the global generator, or, if the sampler has its own stream, from that."""
        if self.generator is not None:
            return self._draw_directly(generator)
        seed, generator = draws.seed(generator)
        return self._draw_directly(manual_seed(seed))[0], generator

    def _draw_directly(self, generator: Generator) -> tuple[np.ndarray, Generator]:
        n = self._length()
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

    Args:
        indices: a sequence of indices.
        generator: the start of the sampler's own stream.

    >>> from jaxgrad import random
    >>> SubsetRandomSampler([10, 20, 30]).draw(random.manual_seed(0))[0]
    [30, 10, 20]
    """

    def __init__(self, indices: Sequence[Any], generator: Generator | None = None):
        self.indices = indices
        self.generator = generator

    def draw(self, generator: Generator) -> tuple[list[Any], Generator]:
        """One permutation of the indices."""
        order, generator = draws.randperm(generator, len(self))
        return [self.indices[i] for i in order.tolist()], generator

    def __len__(self) -> int:
        return length_of(self.indices, "indices", "SubsetRandomSampler")


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
        try:
            self.weights = np.asarray(weights, np.float64)
        except (TypeError, ValueError):
            raise wrong_kind(weights, "weights", "WeightedRandomSampler", "a sequence of numbers") from None
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


def own_generator(sampler: Any) -> Generator | None:
    """Where a sampler's own stream starts; None for samplers that have none, and for plain iterables.

    Raises:
        ValueError: a sampler is made of several that have streams of their own.
    """
    own = [each.generator for each in _with_parts(sampler) if each.generator is not None]
    if any(each is not own[0] for each in own):
        raise ValueError(
            explain(
                "a sampler draws from one stream",
                got=f"{len(own)} own generators inside {type(sampler).__name__}",
                remedy="give the samplers inside the same generator, or none",
            )
        )
    return own[0] if own else None


def begin(sampler: Any, generator: Generator) -> Pass | None:
    """What ``iter(sampler)`` draws, where that is the user's; None for a sampler that draws all at once."""
    if isinstance(sampler, Sampler) and type(sampler).draw is Sampler.draw:
        return Pass(sampler, generator)
    return None


def draw_from(sampler: Any, generator: Generator) -> tuple[Any, Generator]:
    """One pass over a sampler or over any iterable; the latter draws nothing that is known here."""
    if isinstance(sampler, Sampler):
        return sampler.draw(generator)
    if not isinstance(sampler, Iterable) and not hasattr(sampler, "__getitem__"):
        raise wrong_kind(sampler, "sampler", "DataLoader", "a sampler or an iterable of indices")
    return list(sampler), generator


def _check_num_samples(num_samples: Any) -> None:
    if not isinstance(num_samples, int) or isinstance(num_samples, bool) or num_samples <= 0:
        raise ValueError(f"num_samples should be a positive integer value, but got num_samples={num_samples}")


__all__ = [
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "SubsetRandomSampler",
    "WeightedRandomSampler",
]
