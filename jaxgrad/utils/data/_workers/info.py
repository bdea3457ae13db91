"""What a worker process knows of itself, and how its random generators are seeded."""

import dataclasses
import random
import sys
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class WorkerInfo:
    """Mirror of what ``torch.utils.data.get_worker_info`` returns.

    Attributes:
        id: number of this worker, from 0.
        num_workers: how many there are.
        seed: the seed of this worker, ``base_seed + id``: for ``random.manual_seed(seed)`` inside a dataset.
        dataset: this worker's copy of the dataset.
    """

    id: int
    num_workers: int
    seed: int
    dataset: Any


class _Process:
    """What this process is: no worker, until a worker says so of its own process."""

    worker: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """Mirror of ``torch.utils.data.get_worker_info``: in a worker process what it is, in the main process None.

    Returns:
        Number, count, seed and dataset of this worker, or None.

    >>> get_worker_info() is None
    True
    """
    return _Process.worker


def become_worker(info: WorkerInfo) -> None:
    """Make this process the worker that ``info`` describes."""
    _Process.worker = info


def numpy_seed(base_seed: int, worker_id: int) -> np.ndarray:
    """The four 32-bit words with which torch seeds ``numpy.random`` in a worker.

    >>> numpy_seed(1, 0).shape
    (4,)
    """
    entropy = [worker_id, base_seed & 0xFFFFFFFF, base_seed >> 32, 0]
    return np.random.SeedSequence(entropy).generate_state(4)


def seed_worker(base_seed: int, worker_id: int) -> None:
    """Seed the global generators of ``random`` and ``numpy`` as torch does, and torch's own if the dataset uses it."""
    random.seed(base_seed + worker_id)
    np.random.seed(numpy_seed(base_seed, worker_id))
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(base_seed + worker_id)
