"""Each process reads its share of one common order."""

import copy
import math
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from jaxgrad._core.arguments import as_flag, as_integer
from jaxgrad._core.errors import explain
from jaxgrad.random import Generator, manual_seed
from jaxgrad.utils.data import draws
from jaxgrad.utils.data.dataset import length_of
from jaxgrad.utils.data.sampler import Sampler


class DistributedSampler(Sampler):
    """Mirror of ``torch.utils.data.DistributedSampler``: process ``rank`` reads every ``num_replicas``-th sample.

    The order comes from a generator seeded with ``seed + epoch`` alone, so that all processes agree on it and no
    other generator is touched. Where the samples do not divide evenly, the head of the order is repeated, or the
    tail dropped.

    Differs from torch: the epoch is not set on the object. ``loader.at_epoch(epoch)`` gives the loader of an epoch
    (``sampler.at_epoch(epoch)`` the sampler); ``set_epoch`` raises, since its effect would be lost in silence.

    Args:
        dataset: anything with a length.
        num_replicas: number of processes; ``jax.process_count()`` if None.
        rank: this process; ``jax.process_index()`` if None.
        shuffle: whether the order is shuffled.
        seed: the same in all processes.
        drop_last: drop the tail instead of repeating the head.

    Raises:
        ValueError: ``Invalid rank 3, rank should be in the interval [0, 1]``.

    >>> list(DistributedSampler(range(5), num_replicas=2, rank=1, shuffle=False))
    [1, 3, 0]
    >>> list(DistributedSampler(range(5), num_replicas=2, rank=1).at_epoch(1))
    [4, 3, 0]
    """

    def __init__(
        self,
        dataset: Any,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ):
        num_replicas = jax.process_count() if num_replicas is None else num_replicas
        rank = jax.process_index() if rank is None else rank
        num_replicas = as_integer(num_replicas, "num_replicas", "DistributedSampler")
        rank = as_integer(rank, "rank", "DistributedSampler")
        if not 0 <= rank < num_replicas:
            raise ValueError(f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]")
        self.dataset = dataset
        self.num_replicas = num_replicas
        self.rank = rank
        self.epoch = 0
        self.shuffle = as_flag(shuffle, "shuffle", "DistributedSampler")
        self.seed = as_integer(seed, "seed", "DistributedSampler")
        self.drop_last = as_flag(drop_last, "drop_last", "DistributedSampler")

    @property
    def num_samples(self) -> int:
        """How many samples each process reads."""
        n = length_of(self.dataset, "dataset", "DistributedSampler")
        return n // self.num_replicas if self.drop_last else math.ceil(n / self.num_replicas)

    @property
    def total_size(self) -> int:
        """How many samples all processes read together, repeated ones included."""
        return self.num_samples * self.num_replicas

    def at_epoch(self, epoch: int) -> "DistributedSampler":
        """This sampler in another epoch, in another order."""
        other = copy.copy(self)
        other.epoch = as_integer(epoch, "epoch", "at_epoch")
        return other

    def set_epoch(self, epoch: int) -> None:
        """Raises: a sampler is a value here.

        Raises:
            TypeError: always, naming :meth:`at_epoch`.
        """
        raise TypeError(
            explain(
                "a sampler is a value and cannot be set to an epoch in place",
                got=f"set_epoch({epoch})",
                remedy=f"loader.at_epoch({epoch}).epoch(generator), or sampler.at_epoch({epoch})",
            )
        )

    def draw(self, generator: Generator) -> tuple[np.ndarray, Generator]:
        """This process's share of the order of the epoch; nothing is drawn from ``generator``."""
        n = length_of(self.dataset, "dataset", "DistributedSampler")
        order = draws.randperm(manual_seed(self.seed + self.epoch), n)[0] if self.shuffle else np.arange(n)
        return np.resize(order, self.total_size)[self.rank :: self.num_replicas], generator

    def __iter__(self) -> Iterator[int]:
        return iter(np.asarray(self._own_draw(manual_seed(0))[0]).tolist())

    def __len__(self) -> int:
        return self.num_samples
