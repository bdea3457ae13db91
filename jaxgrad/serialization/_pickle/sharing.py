"""Which arrays look at the same memory, and where each lies in the storage that is written."""

import math
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from jaxgrad._core.errors import explain, is_traced


@dataclass(frozen=True)
class Placed:
    """An array in its storage.

    Attributes:
        storage: which one; equal for arrays that share it.
        dtype: of the elements, in this machine's byte order.
        nbytes: of the storage.
        offset: of the first element, in elements.
        shape, strides: in elements.
        source: what the bytes of the storage are made from: an array, or the range of memory that several look at.
    """

    storage: int
    dtype: np.dtype
    nbytes: int
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    source: Any

    def data(self) -> np.ndarray:
        """The bytes of the storage."""
        array = np.asarray(self.source)
        if array.dtype != self.dtype:
            array = array.astype(self.dtype)
        return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


class StoragePlan:
    """Storages for the arrays of an object: one of its own for each, one together for numpy arrays that overlap.

    Args:
        arrays: every array of the object.
    """

    def __init__(self, arrays: list[Any]):
        self._own: dict[int, Placed] = {}
        self._alive: list[Any] = []
        self._shared = _overlapping([array for array in arrays if isinstance(array, np.ndarray)])

    def place(self, array: Any) -> Placed:
        """Where an array lies."""
        if is_traced(array):
            raise TypeError(
                explain("a traced array has no numbers to write", remedy="write the file outside of jit, grad and vmap")
            )
        if id(array) in self._shared:
            return self._shared[id(array)]
        if id(array) not in self._own:
            self._alive.append(array)
            dtype = array.dtype
            if isinstance(dtype, np.dtype):
                dtype = dtype.newbyteorder("=") if dtype.byteorder in "<>" else dtype
            shape = tuple(array.shape)
            nbytes = math.prod(shape) * dtype.itemsize
            self._own[id(array)] = Placed(id(array), dtype, nbytes, 0, shape, contiguous(shape), array)
        return self._own[id(array)]


def arrays_in(tree: Any) -> list[Any]:
    """Every array in plain containers, each once."""
    found: dict[int, Any] = {}
    seen: set[int] = set()
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, np.ndarray | jax.Array):
            found[id(node)] = node
        elif isinstance(node, dict | list | tuple) and id(node) not in seen:
            seen.add(id(node))
            stack.extend(node.values() if isinstance(node, dict) else node)
    return list(found.values())


def contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of an array without gaps, in elements.

    >>> contiguous((2, 3, 4))
    (12, 4, 1)
    """
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= max(n, 1)
    return tuple(reversed(strides))


def _overlapping(arrays: list[np.ndarray]) -> dict[int, Placed]:
    """The place of every array whose memory another one looks at too."""
    spans = []
    for array in arrays:
        width = array.dtype.itemsize
        if array.size and array.dtype.isnative and all(step >= 0 and step % width == 0 for step in array.strides):
            low, high = np.lib.array_utils.byte_bounds(array)
            spans.append((low, high, array))
    spans.sort(key=lambda span: span[:2])
    groups: list[list[Any]] = []  # [low, high, arrays]
    for low, high, array in spans:
        if groups and low < groups[-1][1]:
            groups[-1][1] = max(groups[-1][1], high)
            groups[-1][2].append(array)
        else:
            groups.append([low, high, [array]])
    placed = {}
    for low, high, members in groups:
        dtype = members[0].dtype
        starts = [array.ctypes.data - low for array in members]
        if len(members) < 2 or any(a.dtype != dtype for a in members) or any(s % dtype.itemsize for s in starts):
            continue
        memory = _memory(low, high, members)
        for array, start in zip(members, starts, strict=True):
            strides = tuple(step // dtype.itemsize for step in array.strides)
            offset = start // dtype.itemsize
            placed[id(array)] = Placed(id(members[0]), dtype, high - low, offset, array.shape, strides, memory)
    return placed


class _Range:
    """A range of memory as numpy's array interface has it; it keeps alive what it looks at."""

    def __init__(self, low: int, high: int, members: list[np.ndarray]):
        self.members = members
        self.__array_interface__ = {"data": (low, True), "shape": (high - low,), "typestr": "|u1", "version": 3}


def _memory(low: int, high: int, members: list[np.ndarray]) -> np.ndarray:
    return np.asarray(_Range(low, high, members)).view(members[0].dtype)
