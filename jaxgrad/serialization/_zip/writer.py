"""A zip archive written as torch writes it, byte for byte but for the times: stored, padded to 64, described behind."""

import struct
from typing import IO

import numpy as np

from jaxgrad.serialization._checksum import CHUNK, crc32
from jaxgrad.serialization._zip import reader as z
from jaxgrad.serialization.source import ALIGNMENT

_UTF8, _DESCRIBED = 0x800, 0x8
_MADE_BY, _NEEDED = 0x031E, 0x2D


class ArchiveWriter:
    """Entries written one after another.

    Args:
        file: where to; nothing is sought in it.
        root: the folder that all entries lie in.
    """

    def __init__(self, file: IO[bytes], root: str):
        self._file, self._root = file, root
        self._at = 0
        self._directory: list[bytes] = []
        self.checksum = 0
        """Of all entries so far."""

    def write(self, name: str, data: bytes | np.ndarray) -> None:
        """One entry of contiguous bytes."""
        raw = f"{self._root}/{name}".encode()
        view = data.data if isinstance(data, np.ndarray) else memoryview(data)
        size, crc = len(view), 0
        header = self._at
        wide = _wide_extra(size, header)
        flags = _UTF8 | (_DESCRIBED if size else 0)
        before = header + 4 + z.LOCAL_FIELDS.size + len(raw) + len(wide) + 4
        padding = -before % ALIGNMENT
        extra = wide + struct.pack("<2sH", b"FB", padding) + b"Z" * padding
        self._put(z.LOCAL + z.LOCAL_FIELDS.pack(0, flags, 0, 0, 0, 0, 0, 0, len(raw), len(extra)) + raw + extra)
        for start in range(0, size, CHUNK):
            crc = crc32(view[start : start + CHUNK], crc)
            self._put(view[start : start + CHUNK])
        if size:
            form = "<4sIQQ" if wide else "<4sIII"
            self._put(struct.pack(form, z.DESCRIPTOR, crc, size, size))
        self.checksum = crc32(crc.to_bytes(4, "little"), self.checksum)
        narrow, place = min(size, z.MAX32), min(header, z.MAX32)
        fields = (0, 0, flags, 0, 0, 0, crc, narrow, narrow, len(raw), len(wide), 0, 0, 0, 0, place)
        self._directory.append(z.CENTRAL + z.CENTRAL_FIELDS.pack(*fields) + raw + wide)

    def close(self) -> None:
        """The directory and the two records that end it."""
        start, count = self._at, len(self._directory)
        for entry in self._directory:
            self._put(entry)
        size, end = self._at - start, self._at
        self._put(z.END64 + z.END64_FIELDS.pack(44, _MADE_BY, _NEEDED, 0, 0, count, count, size, start))
        self._put(z.LOCATOR + z.LOCATOR_FIELDS.pack(0, end, 1))
        few = min(count, z.MAX16)
        self._put(z.END + z.END_FIELDS.pack(0, 0, few, few, min(size, z.MAX32), min(start, z.MAX32), 0))

    def _put(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        self._at += len(view)
        while len(view):  # an unbuffered file may take less than all
            taken = self._file.write(view)
            view = view[len(view) if taken is None else taken :]


def _wide_extra(size: int, header: int) -> bytes:
    """The 64-bit forms of what does not fit into 32."""
    numbers = [size, size] if size >= z.MAX32 else []
    numbers += [header] if header >= z.MAX32 else []
    return struct.pack(f"<HH{len(numbers)}Q", 1, 8 * len(numbers), *numbers) if numbers else b""
