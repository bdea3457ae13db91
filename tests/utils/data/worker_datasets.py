"""Datasets for worker processes, which import them from here; the same ones are read by torch's workers."""

import os
import random
import signal
import time
from pathlib import Path

import numpy as np


def worker_info(library):
    """``get_worker_info`` of the library whose worker this is."""
    if library == "torch":
        from torch.utils.data import get_worker_info
    else:
        from jaxgrad.utils.data import get_worker_info
    return get_worker_info()


class Augmented:
    """Each sample says who read it, and what the random generators of that worker gave."""

    def __init__(self, library, n=11):
        self.library, self.n = library, n

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        info = worker_info(self.library)
        return {
            "index": index,
            "worker": info.id,
            "of": info.num_workers,
            "seed": str(info.seed),
            "python": random.random(),
            "numpy": float(np.random.rand()),
        }


def announce(worker_id):
    """A worker_init_fn that draws: what follows is shifted by one number."""
    random.random()


def refuse(worker_id):
    raise LookupError(f"worker {worker_id} cannot start")


class Failing(Augmented):
    """Some samples cannot be read, with exceptions of every kind."""

    def __getitem__(self, index):
        if index == 1:
            raise KeyError("no such file")
        if index == 4:
            raise Peculiar("a", "b")
        if index == 6:
            raise SystemExit("gone")
        return index


class Peculiar(Exception):
    """Cannot be built from one message."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


class Unpicklable(Augmented):
    def __getitem__(self, index):
        return (lambda: 0) if index == 2 else index


class Deadly(Augmented):
    """A worker that is killed from outside, as by the kernel when memory runs out."""

    def __getitem__(self, index):
        if index == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return index


class Stuck(Augmented):
    def __getitem__(self, index):
        if index == 2:
            time.sleep(600)
        return index


class Meeting(Augmented):
    """A sample is read once the samples of two workers are being read at the same time."""

    def __init__(self, folder, n):
        super().__init__("jaxgrad", n)
        self.folder = folder

    def __getitem__(self, index):
        own = Path(self.folder, f"{index}-{os.getpid()}")
        own.touch()
        deadline = time.monotonic() + 60
        met = False
        while not met and time.monotonic() < deadline:
            met = len({path.name.split("-")[1] for path in Path(self.folder).iterdir()}) > 1
            time.sleep(0.01)
        return met


class Texts(Augmented):
    """Samples of nested structure with strings, whose order of keys is not the alphabet's."""

    def __getitem__(self, index):
        return {
            "text": "ab"[index % 2] * index,
            "array": np.full((3, index % 1 + 2), index, np.float32),
            3: (index, b"x"),
        }
