"""Files that somebody has tampered with: a seeded mutator, archives packed anew, and a watch over Python."""

import io
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

EXTREMES = [0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1]


def mutated(data: bytes, rng: np.random.Generator, other: bytes = b"") -> bytes:
    """One to four changes: a bit, a byte, a number, a cut, a hole, an insertion, a repetition, a piece of another."""
    out = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        if not out:
            break
        kind, at = rng.integers(9), int(rng.integers(len(out)))
        length = int(rng.integers(1, 20))
        if kind == 0:
            out[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            out[at] = int(rng.integers(256))
        elif kind == 2:
            width = int(rng.choice([2, 4, 8]))
            value = EXTREMES[int(rng.integers(len(EXTREMES)))] % (1 << 8 * width)
            out[at : at + width] = value.to_bytes(width, "little")
        elif kind == 3:
            del out[at:]
        elif kind == 4:
            del out[at : at + length]
        elif kind == 5:
            out[at:at] = rng.bytes(length)
        elif kind == 6:
            out[at:at] = out[at : at + length] * int(rng.integers(1, 4))
        elif kind == 7:
            to = int(rng.integers(len(out)))
            out[to : to + length] = out[at : at + length]
        elif other:
            start = int(rng.integers(len(other)))
            out[at : at + length] = other[start : start + length]
    return bytes(out)


def repacked(data: bytes, changes: dict[str, bytes], names: dict[str, str] | None = None) -> bytes:
    """A zip whose entries have other contents (or names) and whose checksums are right."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w") as new:
        for entry in old.infolist():
            short = entry.filename.partition("/")[2]
            new.writestr((names or {}).get(short, entry.filename), changes.get(short, old.read(entry)))
    return file.getvalue()


def with_pickle(data: bytes, pickle: bytes) -> bytes:
    """A file of torch with another pickle in it."""
    return repacked(data, {"data.pkl": pickle})


def pickle_of(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith("/data.pkl")))


FORBIDDEN = {"exec", "compile", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "subprocess.Popen"}
FORBIDDEN |= {"open", "os.remove", "os.rename", "os.mkdir", "socket.connect", "ctypes.dlopen", "pickle.find_class"}
_watching: list[list[str]] = []
_installed: list[bool] = []


def _hook(event: str, arguments: tuple) -> None:
    if _watching and event in FORBIDDEN:
        _watching[-1].append(f"{event} {arguments!r:.100}")


@contextmanager
def nothing_happens() -> Iterator[None]:
    """Inside of it nothing is executed, opened or started; Python's own audit events say so."""
    if not _installed:
        sys.addaudithook(_hook)
        _installed.append(True)
    _watching.append([])
    try:
        yield
    finally:
        seen = _watching.pop()
    assert seen == []
