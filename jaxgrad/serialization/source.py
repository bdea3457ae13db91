"""Where the bytes of a file come from: memory that is read into, a map of the file, or bytes that are there already.

What describes the data (directories, pickles) is always looked at through a map, a page at a time. The data itself is
read into memory of its own, so that the file may be overwritten afterwards; with ``mmap`` it stays in the map, and the
operating system fetches what is touched.
"""

import mmap as _mmap
import os
from typing import IO, Any

import numpy as np

from jaxgrad.serialization._checksum import CHUNK, crc32
from jaxgrad.serialization.errors import refuse

ALIGNMENT = 64  # of every array: what torch writes, and what JAX on the CPU takes over without a copy


class Source:
    """The bytes of one file.

    Attributes:
        view: all bytes, for looking at; it has ``find`` and slices give bytes.
        size: how many there are.
        mapped: whether arrays are views of a map, whose pages nobody has touched yet.
    """

    view: Any
    size: int
    mapped: bool = False

    def array_at(self, offset: int, size: int) -> np.ndarray:
        """``size`` bytes from ``offset`` as a uint8 array of their own, or as a view where that is what was asked."""
        raise NotImplementedError

    def checked_array_at(self, offset: int, size: int) -> tuple[np.ndarray, int]:
        """The same with its checksum."""
        array = self.array_at(offset, size)
        return array, crc32(array)

    def bytes_at(self, offset: int, size: int) -> bytes:
        """A copy of a few bytes.

        Raises:
            SerializationError: they are not there.
        """
        self.check(offset, size)
        return bytes(self.view[offset : offset + size])

    def check(self, offset: int, size: int) -> None:
        """Raise unless the bytes are inside of the file."""
        if offset < 0 or size < 0 or offset + size > self.size:
            refuse(
                "unexpected end of file: the file is cut off, or a size in it is wrong",
                got=f"{size} bytes at {offset}",
                expected=f"at most {self.size} bytes",
            )

    def close(self) -> None:
        """Let go of the file; arrays that were given out stay."""


class MemorySource(Source):
    """Bytes that are there already."""

    def __init__(self, data: bytes):
        self.view, self.size = data, len(data)

    def array_at(self, offset: int, size: int) -> np.ndarray:
        """A read-only view."""
        self.check(offset, size)
        return np.frombuffer(self.view, np.uint8, size, offset) if size else np.empty(0, np.uint8)


class FileSource(Source):
    """A file on disk."""

    def __init__(self, path: str | os.PathLike[str], mmap: bool = False):
        self._file = open(path, "rb", buffering=0)
        try:
            self.size = os.fstat(self._file.fileno()).st_size
            self.view = _mmap.mmap(self._file.fileno(), 0, access=_mmap.ACCESS_READ) if self.size else b""
        except BaseException:
            self._file.close()
            raise
        self.mapped = mmap

    def array_at(self, offset: int, size: int) -> np.ndarray:
        """Bytes read into new memory, or a read-only view of the map."""
        self.check(offset, size)
        if not size:
            return np.empty(0, np.uint8)
        if self.mapped:
            return np.frombuffer(self.view, np.uint8, size, offset)
        array = aligned(size)
        self._read(array.data, offset)
        return array

    def checked_array_at(self, offset: int, size: int) -> tuple[np.ndarray, int]:
        """Bytes with their checksum, which is taken while they are in the cache."""
        if self.mapped or not size:
            return super().checked_array_at(offset, size)
        self.check(offset, size)
        array, checksum = aligned(size), 0
        for start in range(0, size, CHUNK):
            part = array.data[start : start + CHUNK]
            self._read(part, offset + start)
            checksum = crc32(part, checksum)
        return array, checksum

    def _read(self, into: memoryview, offset: int) -> None:
        while into:
            count = os.preadv(self._file.fileno(), [into], offset)
            if count == 0:
                refuse("unexpected end of file: it became shorter while it was read")
            into, offset = into[count:], offset + count

    def close(self) -> None:
        """Close the file; the map lives as long as arrays look at it."""
        self._file.close()
        if not self.mapped and self.size:
            self.view.close()


def aligned(size: int) -> np.ndarray:
    """New memory of ``size`` bytes that begins at a multiple of 64.

    >>> aligned(5).ctypes.data % 64, aligned(5).shape
    (0, (5,))
    """
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size]


def open_source(file: str | os.PathLike[str] | IO[bytes], mmap: bool = False) -> Source:
    """The bytes of a path or of an open binary file (from where it stands to its end).

    Raises:
        ValueError: a map of something that is no path.
        FileNotFoundError, IsADirectoryError, PermissionError: as Python has them.
    """
    if isinstance(file, str | os.PathLike):
        return FileSource(file, mmap)
    if mmap:
        raise ValueError("f must be a file path in order to use the mmap argument")
    if not hasattr(file, "read"):
        raise AttributeError(
            f"'{type(file).__name__}' object has no attribute 'read'. You can only torch.load from a file that is "
            "seekable. Please pre-load the data into a buffer like io.BytesIO and try to load from it instead."
        )
    data = file.read()
    if not isinstance(data, bytes):
        raise TypeError("expected a file opened in binary mode, got one that reads text")
    return MemorySource(data)
