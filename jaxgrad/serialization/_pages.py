"""New memory in ordinary pages: what a read costs is then the same on every machine.

numpy asks for huge pages (2 MB) where an array has 4 MB or more. Where the system has them at hand they take a third of
the time of ordinary ones; where it has to put them together first, or a virtual machine has to ask its host for them,
up to four times as much. Ordinary pages are what torch reads into, and several threads fill them side by side.
"""

import ctypes
import mmap
import sys

import numpy as np

_ASKED_FOR = 1 << 22
"""Bytes from which on numpy asks for huge pages."""

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def ordinary_pages(memory: np.ndarray) -> np.ndarray:
    """The same memory, which nobody has touched yet, without the wish for huge pages; advice that may be ignored.

    >>> ordinary_pages(np.empty(1 << 23, np.uint8)).shape
    (8388608,)
    """
    if _libc is not None and memory.nbytes >= _ASKED_FOR:
        begin, end = memory.ctypes.data, memory.ctypes.data + memory.nbytes
        first = -(-begin // mmap.PAGESIZE) * mmap.PAGESIZE
        size = end // mmap.PAGESIZE * mmap.PAGESIZE - first
        _libc.madvise(ctypes.c_void_p(first), ctypes.c_size_t(size), ctypes.c_int(mmap.MADV_NOHUGEPAGE))
    return memory
