"""How a batch crosses from a worker to the main process."""

import pickle
from typing import Any

import numpy as np


def pack(batch: Any) -> tuple[bytes, list[np.ndarray]]:
    """A batch as its structure and the memory of its arrays, which grain then shares instead of copying it.

    It is pickled here, where a failure is an exception like any other; in the queue it would be lost.
    """
    buffers: list[pickle.PickleBuffer] = []
    structure = pickle.dumps(batch, protocol=5, buffer_callback=buffers.append)
    return structure, [np.frombuffer(buffer.raw(), np.uint8) for buffer in buffers]


def unpack(packed: tuple[bytes, list[np.ndarray]]) -> Any:
    """The batch again, in memory of this process."""
    structure, buffers = packed
    return pickle.loads(structure, buffers=[np.array(buffer) for buffer in buffers])
