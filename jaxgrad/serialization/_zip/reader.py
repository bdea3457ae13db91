"""A zip archive read with suspicion: every number in it is compared with every other before a byte is used.

A zip names each entry twice, in a directory at the end and in a header before the data. An archive in which the two
differ, in which entries overlap, or whose checksums do not fit, is refused. Nothing is ever written to disk, so a name
is only a name; one that tries to climb out of its folder is refused all the same.
"""

import struct
import zlib
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from jaxgrad.serialization._checksum import crc32
from jaxgrad.serialization.errors import refuse
from jaxgrad.serialization.source import Source

LOCAL, CENTRAL, DESCRIPTOR = b"PK\x03\x04", b"PK\x01\x02", b"PK\x07\x08"
END, END64, LOCATOR = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
# after the signature
LOCAL_FIELDS = struct.Struct("<HHHHHIIIHH")  # version, flags, method, time, date, crc, packed, size, name, extra
CENTRAL_FIELDS = struct.Struct("<HHHHHHIIIHHHHHII")  # made by, and as above, comment, disk, attributes x 2, offset
END_FIELDS = struct.Struct("<HHHHIIH")  # disk, disk, entries here, entries, directory's size and offset, comment
END64_FIELDS = struct.Struct("<QHHIIQQQQ")
LOCATOR_FIELDS = struct.Struct("<IQI")
MAX32, MAX16 = 0xFFFFFFFF, 0xFFFF

STORED, DEFLATED = 0, 8
_ENCRYPTED, _DESCRIBED = 0x1, 0x8
_LARGEST_COMMENT = 0xFFFF
_SMALL_ENOUGH_TO_CHECK = 1 << 16  # of a map: what is larger would be read from the disk for its checksum alone
_SMALL, _RATIO = 1 << 24, 100  # a compressed entry may be small, or at most so many times what it is packed in


@dataclass(frozen=True)
class Entry:
    """One file of the archive.

    Attributes:
        name: as the archive has it, folder included.
        header: where its header begins.
        start: where its data begins.
        packed: bytes in the archive.
        size: bytes of the data.
        crc: of the data.
        method: stored, or deflated.
    """

    name: str
    header: int
    start: int
    packed: int
    size: int
    crc: int
    method: int


class Archive:
    """The entries of an archive, read one at a time.

    Args:
        source: the bytes.

    Raises:
        SerializationError: they are no archive, or one that contradicts itself.
    """

    def __init__(self, source: Source):
        self._source = source
        entries = _directory(source)
        names = [entry.name for entry in entries]
        if len(set(names)) != len(names):
            refuse("the archive has two entries of one name", got=max(names, key=names.count))
        for name in names:
            parts = name.split("/")
            if name.startswith("/") or ".." in parts or "\\" in name or "\0" in name:
                refuse("the archive has an entry whose name leads out of its folder", got=ascii(name))
        root = names[0].split("/")[0] + "/"
        self.entries = {entry.name.removeprefix(root): entry for entry in entries if entry.name.startswith(root)}
        self._checked = any(entry.crc for entry in entries)  # torch can be told to leave all of them 0

    def __contains__(self, name: str) -> bool:
        return name in self.entries

    def bytes_of(self, name: str) -> bytes:
        """The data of a small entry."""
        return self.array_of(name).tobytes()

    def array_of(self, name: str) -> np.ndarray:
        """The data of an entry as uint8, its checksum compared (not that of a large one in a map).

        Raises:
            SerializationError: there is no such entry, or it is damaged.
        """
        if name not in self.entries:
            refuse(f"PytorchStreamReader failed locating file {name}: file not found")
        entry = self.entries[name]
        if self._source.mapped and entry.method == STORED and entry.size > _SMALL_ENOUGH_TO_CHECK:
            return self._source.array_at(entry.start, entry.size)
        data, checksum = self._source.checked_array_at(entry.start, entry.packed)
        if entry.method == DEFLATED:
            data = _inflated(entry, data)
            checksum = crc32(data)
        if self._checked and checksum != entry.crc:
            refuse(
                f"PytorchStreamReader failed reading file {name}: the file is corrupted",
                got=f"checksum {checksum:08x}",
                expected=f"{entry.crc:08x}",
            )
        return data


def _directory(source: Source) -> list[Entry]:
    count, size, offset, end = _end_of_directory(source)
    if count == 0:
        refuse("the archive is empty")
    if offset + size > end or count * (4 + CENTRAL_FIELDS.size) > size:
        refuse(
            "PytorchStreamReader failed reading zip archive: not a ZIP archive, corrupt or truncated",
            got=f"a directory of {count} entries in {size} bytes at {offset}",
            expected=f"it ends by {end}",
        )
    directory = source.bytes_at(offset, size)
    entries, at = [], 0
    for _ in range(count):
        entry, at = _entry(source, directory, at, offset)
        entries.append(entry)
    if at != size:
        refuse("the directory of the archive has another length than its entries", got=at, expected=size)
    ordered = sorted(entries, key=lambda entry: entry.header)
    for one, following in pairwise(ordered):
        if one.start + one.packed > following.header:
            refuse("two entries of the archive overlap", got=f"{one.name!a} and {following.name!a}")
    return entries


def _end_of_directory(source: Source) -> tuple[int, int, int, int]:
    """Number of entries, size and offset of the directory, and where it must have ended."""
    start = max(0, source.size - _LARGEST_COMMENT - 4 - END_FIELDS.size)
    tail = source.bytes_at(start, source.size - start)
    at = len(tail)
    while (at := tail.rfind(END, 0, at)) >= 0:
        if at + 4 + END_FIELDS.size <= len(tail):
            disk, disk2, here, count, size, offset, comment = END_FIELDS.unpack_from(tail, at + 4)
            if at + 4 + END_FIELDS.size + comment == len(tail):
                break
    else:
        refuse(
            "PytorchStreamReader failed reading zip archive: failed finding central directory",
            remedy="the file is cut off or is not a zip archive; fetch or save it again",
        )
    end = start + at
    wide = end - 4 - LOCATOR_FIELDS.size
    if wide >= 0 and source.bytes_at(wide, 4) == LOCATOR:
        _, position, _ = LOCATOR_FIELDS.unpack(source.bytes_at(wide + 4, LOCATOR_FIELDS.size))
        if position + 4 + END64_FIELDS.size > wide or source.bytes_at(position, 4) != END64:
            refuse("the archive's 64-bit end record is not where it is said to be", got=position)
        record = END64_FIELDS.unpack(source.bytes_at(position + 4, END64_FIELDS.size))
        narrow = (here, MAX16), (count, MAX16), (size, MAX32), (offset, MAX32)
        if any(one not in (two, most) for (one, most), two in zip(narrow, record[5:], strict=True)):
            refuse("the two end records of the archive differ", got=(here, count, size, offset), expected=record[5:])
        here, count, size, offset = record[5:]
        end = position
    if disk or disk2 or here != count:
        refuse("the archive says that it is one of several", got=f"part {disk}, {here} of {count} entries")
    return count, size, offset, end


def _entry(source: Source, directory: bytes, at: int, limit: int) -> tuple[Entry, int]:
    """The entry that the directory describes at ``at``, checked against its own header; where the next one begins."""
    if directory[at : at + 4] != CENTRAL or at + 4 + CENTRAL_FIELDS.size > len(directory):
        refuse("the directory of the archive is damaged", got=f"no entry at {at}")
    fields = CENTRAL_FIELDS.unpack_from(directory, at + 4)
    _, _, flags, method, _, _, crc, packed, size, name_size, extra_size, comment_size, disk, _, _, header = fields
    at += 4 + CENTRAL_FIELDS.size
    following = at + name_size + extra_size + comment_size
    if following > len(directory):
        refuse("the directory of the archive is damaged: an entry is longer than the directory")
    raw, extra = directory[at : at + name_size], directory[at + name_size : at + name_size + extra_size]
    size, packed, header = _wide(extra, size, packed, header)
    name = raw.decode("utf-8", "replace")
    if flags & _ENCRYPTED or method not in (STORED, DEFLATED) or disk not in (0, MAX16):
        refuse(f"the entry {name!a} is encrypted or packed in a way that torch never uses", got=f"method {method}")
    local = source.bytes_at(header, 4 + LOCAL_FIELDS.size)
    if local[:4] != LOCAL:
        refuse(f"the entry {name!a} is not where the directory says", got=f"no header at {header}")
    _, flags2, method2, _, _, crc2, packed2, size2, name2, extra2 = LOCAL_FIELDS.unpack_from(local, 4)
    start = header + 4 + LOCAL_FIELDS.size + name2 + extra2
    body = source.bytes_at(header + 4 + LOCAL_FIELDS.size, name2 + extra2)
    consistent = (flags, method, raw) == (flags2, method2, body[:name2]) and (method == DEFLATED or size == packed)
    if not flags & _DESCRIBED:
        size2, packed2, _ = _wide(body[name2:], size2, packed2, 0)
        consistent &= (crc, packed, size) == (crc2, packed2, size2)
    elif source.view[start + packed : start + packed + 4] == DESCRIPTOR:
        after = source.bytes_at(start + packed + 4, 12)
        if (crc, packed, size) != struct.unpack("<III", after):
            after = source.bytes_at(start + packed + 4, 20)
            consistent &= (crc, packed, size) == struct.unpack("<IQQ", after)
    if not consistent:
        refuse(f"the entry {name!a} is described in two ways that differ")
    if start + packed > limit:
        refuse(f"the entry {name!a} reaches beyond the data of the archive", got=start + packed, expected=limit)
    return Entry(name, header, start, packed, size, crc, method), following


def _wide(extra: bytes, size: int, packed: int, header: int) -> tuple[int, int, int]:
    """The 64-bit forms of the numbers that stand as 2**32 - 1."""
    numbers = [size, packed, header]
    at = 0
    while at + 4 <= len(extra):
        tag, length = struct.unpack_from("<HH", extra, at)
        if tag == 1:
            values = iter(struct.unpack_from(f"<{length // 8}Q", extra[: at + 4 + length], at + 4))
            numbers = [next(values, number) if number == MAX32 else number for number in numbers]
        at += 4 + length
    return numbers[0], numbers[1], numbers[2]


def _inflated(entry: Entry, data: np.ndarray) -> np.ndarray:
    if entry.size > max(_SMALL, _RATIO * entry.packed):
        refuse(
            f"the entry {entry.name!a} is packed suspiciously small",
            got=f"{entry.packed} bytes for {entry.size}",
            expected=f"at most {_RATIO} times as many; torch itself packs nothing",
            remedy="unpack the archive and pack it again without compression",
        )
    inflater = zlib.decompressobj(-15)
    try:
        plain = inflater.decompress(data.tobytes(), entry.size + 1)
    except zlib.error as error:
        refuse(f"the entry {entry.name!a} cannot be unpacked", got=error)
    if len(plain) != entry.size:
        refuse(f"the entry {entry.name!a} unpacks to another size", got=len(plain), expected=entry.size)
    return np.frombuffer(plain, np.uint8)
