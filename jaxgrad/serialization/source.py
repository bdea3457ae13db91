"""Where the bytes of a file come from: memory that is read into, a map of the file, or bytes that are there already.

What describes the data (directories, pickles) is always looked at through a map, a page at a time. The data itself is
read into memory of its own, so that the file may be overwritten afterwards; with ``mmap`` it stays in the map, and the
operating system fetches what is touched.
"""

import mmap as _mmap
import os
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any

import numpy as np

from jaxgrad.serialization._checksum import CHUNK, combined, crc32
from jaxgrad.serialization._pages import ordinary_pages
from jaxgrad.serialization.errors import refuse

_LARGE = 1 << 21  # bytes that are worth a thread
_CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
_THREADS = min(4, _CORES)
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
    """A file on disk.

    A large array is read by several threads, a part each: what it costs is to copy it out of the page cache, its
    checksum and the pages of new memory, and all three leave Python to itself.
    """

    def __init__(self, path: str | os.PathLike[str], mmap: bool = False):
        self._threads: ThreadPoolExecutor | None = None
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
        self._read(array.data, offset, checked=False)
        return array

    def checked_array_at(self, offset: int, size: int) -> tuple[np.ndarray, int]:
        """Bytes with their checksum, which is taken while they are in the cache."""
        if self.mapped or not size:
            return super().checked_array_at(offset, size)
        self.check(offset, size)
        array = aligned(size)
        return array, self._read(array.data, offset, checked=True)

    def _read(self, into: memoryview, offset: int, checked: bool) -> int:
        """The checksum of what was read, or 0 where none is wanted."""
        starts = range(0, len(into), CHUNK)
        pieces, sums = iter(starts), dict.fromkeys(starts, 0)

        def take() -> None:
            for start in pieces:  # each piece goes to the thread that is free: one that is kept waiting delays nobody
                part = into[start : start + CHUNK]
                self._read_part(part, offset + start)
                sums[start] = crc32(part) if checked else 0

        helpers = [self._pool().submit(take) for _ in range(_THREADS - 1)] if len(into) >= _LARGE else []
        take()
        for helper in helpers:
            if not helper.cancel():
                helper.result()
        return combined([(sums[start], min(CHUNK, len(into) - start)) for start in starts]) if checked else 0

    def _read_part(self, into: memoryview, offset: int) -> None:
        while into:
            count = os.preadv(self._file.fileno(), [into], offset)
            if count == 0:
                refuse("unexpected end of file: it became shorter while it was read")
            into, offset = into[count:], offset + count

    def _pool(self) -> ThreadPoolExecutor:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_THREADS - 1)
        return self._threads

    def close(self) -> None:
        """Close the file; the map lives as long as arrays look at it."""
        if self._threads is not None:
            self._threads.shutdown()
        self._file.close()
        if not self.mapped and self.size:
            self.view.close()


def aligned(size: int) -> np.ndarray:
    """New memory of ``size`` bytes that begins at a multiple of 64.

    >>> aligned(5).ctypes.data % 64, aligned(5).shape
    (0, (5,))
    """
    memory = ordinary_pages(np.empty(size + ALIGNMENT, np.uint8))
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
