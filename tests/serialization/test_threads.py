"""Large arrays are read by several threads, a piece each; what is read and what is refused is the same."""

import os
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad.serialization import (
    SerializationError,
    _polynomial,
    read_safetensors,
    read_torch,
    source,
    write_safetensors,
)
from jaxgrad.serialization._checksum import combined, crc32
from tests.serialization.files import our_bytes


@settings(derandomize=True, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=6))
def test_the_checksum_of_pieces_is_that_of_the_whole(pieces):
    whole = zlib.crc32(b"".join(pieces))
    assert combined([(crc32(piece), len(piece)) for piece in pieces]) == whole
    total = 0
    for piece in pieces:
        total = _polynomial.combine(total, zlib.crc32(piece), len(piece))
    assert total == whole


@pytest.mark.parametrize("size", [1 << 19, (1 << 31) + 5, 10**12])
def test_the_arithmetic_is_the_librarys(size):
    isal = pytest.importorskip("isal.isal_zlib")
    assert _polynomial.combine(123456789, 987654321, size) == isal.crc32_combine(123456789, 987654321, size)


@pytest.fixture(params=[1, 2, 5])
def threads(request, monkeypatch):
    monkeypatch.setattr(source, "_THREADS", request.param)
    monkeypatch.setattr(source, "_LARGE", 1 << 14)
    monkeypatch.setattr(source, "CHUNK", 3000)
    return request.param


ARRAYS = {f"{n}": np.random.default_rng(n).integers(0, 255, n, np.uint8) for n in (0, 5, 3000, 16_384, 29_999, 30_001)}


def test_every_byte_is_where_it_was(threads, tmp_path):
    path = tmp_path / "m.pt"
    data = our_bytes(ARRAYS)
    path.write_bytes(data)
    found = read_torch(path)
    assert all(np.array_equal(found[name], array) for name, array in ARRAYS.items())
    start = data.find(ARRAYS["30001"].tobytes())
    for at in (0, 2999, 3000, 17_000, 30_000):
        wrong = bytearray(data)
        wrong[start + at] ^= 4
        path.write_bytes(wrong)
        with pytest.raises(SerializationError, match="the file is corrupted"):
            read_torch(path)


@pytest.mark.parametrize("read", [read_torch, read_safetensors])
def test_a_file_that_shrinks_while_it_is_read_is_refused(threads, tmp_path, monkeypatch, read):
    path = tmp_path / "m.safetensors"
    write_safetensors(path, ARRAYS)
    if read is read_torch:
        path = tmp_path / "m.pt"
        path.write_bytes(our_bytes(ARRAYS))
    whole = os.preadv
    end = path.stat().st_size - 20_000
    monkeypatch.setattr(os, "preadv", lambda file, into, at: 0 if at > end else whole(file, into, at))
    with pytest.raises(SerializationError, match="it became shorter while it was read"):
        read(path)


@pytest.mark.skipif(sys.platform != "linux", reason="advice that other systems do not have")
def test_what_is_read_lies_in_ordinary_pages():
    array = source.aligned(1 << 24)
    array[:] = 1
    middle, flags, inside = array.ctypes.data + (1 << 23), None, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        head = line.split()[0]
        if "-" in head and not head.endswith(":"):
            begin, end = (int(number, 16) for number in head.split("-"))
            inside = begin <= middle < end
        elif inside and head == "VmFlags:":
            flags = line.split()[1:]
    assert flags is not None and "nh" in flags and "hg" not in flags
