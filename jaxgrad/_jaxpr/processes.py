"""Values of several processes that compute together."""

from typing import Any

import numpy as np
from jax.experimental import multihost_utils

from jaxgrad._core.types import PyTree


def of_first(tree: PyTree) -> PyTree:
    """The values of process 0, in every process."""
    return multihost_utils.broadcast_one_to_all(tree)


def same_in_all(arrays: list[Any]) -> bool:
    """Whether every process holds the same arrays."""
    first = of_first(arrays)
    same = all(np.array_equal(a, b) for a, b in zip(arrays, first, strict=True))
    return bool(np.all(multihost_utils.process_allgather(np.asarray(same))))
