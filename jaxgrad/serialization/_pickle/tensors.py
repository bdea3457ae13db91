"""Storages, and the arrays that look at them."""

import sys
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jaxgrad.serialization._pickle.machine import WEIGHTS_ONLY
from jaxgrad.serialization._pickle.names import Constant
from jaxgrad.serialization.errors import refuse

_MOST_DIMENSIONS = 64
_LARGEST_EXPANSION = 1 << 30


@dataclass(frozen=True)
class StorageType:
    """A class of storages in a pickle.

    Attributes:
        name: torch's.
        dtype: of its elements; None for one that has no counterpart here.
        typed: False for bytes whose dtype the tensor says.
    """

    name: str
    dtype: np.dtype | None
    typed: bool = True

    @property
    def itemsize(self) -> int:
        """Bytes of an element.

        Raises:
            SerializationError: the elements are of a kind that numpy does not have.
        """
        if self.dtype is None:
            refuse(f"{WEIGHTS_ONLY}{self.name} holds quantized numbers, which have no dtype here")
        return self.dtype.itemsize


@dataclass(frozen=True)
class Storage:
    """Bytes with a dtype, in the byte order of the file.

    Attributes:
        data: uint8.
        dtype: of the elements.
        swapped: whether the file's byte order is not this machine's.
        turned: the bytes turned round, by the width of what is turned; views of one storage look at one array.
    """

    data: np.ndarray
    dtype: np.dtype
    swapped: bool = False
    turned: dict[int, np.ndarray] = field(default_factory=dict)

    def bytes_for(self, dtype: np.dtype) -> np.ndarray:
        """The bytes, as elements of ``dtype`` need them on this machine."""
        width = dtype.itemsize // 2 if dtype.kind == "c" else dtype.itemsize
        if not self.swapped or width == 1:
            return self.data
        if width not in self.turned:
            whole = self.data[: self.data.size // width * width]
            self.turned[width] = whole.view(f"u{width}").byteswap().view(np.uint8)
        return self.turned[width]

    def whole(self) -> np.ndarray:
        """The storage itself as a flat array."""
        return strided(self, 0, (self.data.size // self.dtype.itemsize,), (1,))


def strided(storage: Any, offset: Any, size: Any, stride: Any, dtype: Any = None) -> np.ndarray:
    """The array that ``torch.Tensor.set_(storage, offset, size, stride)`` makes, a view.

    Raises:
        SerializationError: it would look outside of its storage; the numbers are no numbers.
    """
    if type(storage) is not Storage:
        refuse(f"{WEIGHTS_ONLY}a tensor without a storage", got=type(storage).__name__)
    dtype = storage.dtype if dtype is None else dtype
    if not isinstance(dtype, np.dtype):
        name = dtype if type(dtype) is Constant else type(dtype).__name__
        refuse(f"{WEIGHTS_ONLY}a tensor of dtype {name}, which has no counterpart here")
    shape, steps = _numbers(size), _numbers(stride)
    (start,) = _numbers((offset,))
    if len(shape) != len(steps) or len(shape) > _MOST_DIMENSIONS:
        refuse(f"{WEIGHTS_ONLY}mismatch in length of strides and shape", got=f"{len(shape)} and {len(steps)}")
    count = 1
    for n in shape:
        count *= n
    if count == 0:
        if max(shape) >= 1 << 48:
            refuse(f"{WEIGHTS_ONLY}Storage size calculation overflowed", got="an empty tensor of absurd sizes")
        return np.empty(shape, dtype)
    needed = (start + 1 + sum((n - 1) * step for n, step in zip(shape, steps, strict=True))) * dtype.itemsize
    data = storage.bytes_for(dtype)
    if needed > data.size:
        refuse(
            f"setStorage: sizes {_told(shape)}, strides {_told(steps)}, storage offset {_told(start)}, and itemsize "
            f"{dtype.itemsize} requiring a storage size of {_told(needed)} are out of bounds for storage of size "
            f"{data.size}"
        )
    if count * dtype.itemsize > max(data.size, _LARGEST_EXPANSION):
        refuse(
            f"{WEIGHTS_ONLY}an expanded tensor is absurdly large", got=f"{_told(count)} elements of {data.size} bytes"
        )
    if dtype.kind == "b" and data.size and data.max() > 1:
        refuse("a storage of bools holds bytes that are neither 0 nor 1")
    return np.ndarray(shape, dtype, data, start * dtype.itemsize, tuple(step * dtype.itemsize for step in steps))


def with_marks(array: np.ndarray, marks: Any) -> np.ndarray:
    """An array whose lazy conjugation and negation (``{"conj": True, "neg": True}``) are done."""
    if not marks:
        return array
    if not isinstance(marks, dict) or set(marks) - {"conj", "neg"}:
        refuse(f"{WEIGHTS_ONLY}a tensor with unknown metadata")
    if marks.get("conj"):
        array = np.conj(array)
    return np.negative(array) if marks.get("neg") else array


def swaps(order: str) -> bool:
    """Whether data in this byte order must be turned round on this machine."""
    return order != sys.byteorder


def _numbers(values: Any) -> tuple[int, ...]:
    if not isinstance(values, tuple) or not all(type(n) is int and 0 <= n < 1 << 63 for n in values):
        refuse(f"{WEIGHTS_ONLY}Storage size calculation overflowed", expected="tuples of numbers from 0 to 2**63 - 1")
    return tuple(values)


def _told(value: Any) -> str:
    return f"{list(value)}" if isinstance(value, tuple) else str(value) if value < 1 << 200 else "more than 2**200"
