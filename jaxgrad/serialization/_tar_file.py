"""The form of ``torch.save`` before torch 0.1.10: a tar archive of storages, tensors and a pickle.

torch itself reads it with ``weights_only=False`` only; the machine here executes nothing, so it can.
"""

import io
import struct
import tarfile
from typing import Any

from jaxgrad.serialization._pickle.machine import WEIGHTS_ONLY, Machine
from jaxgrad.serialization._pickle.rebuild import NAMES, build
from jaxgrad.serialization._pickle.tensors import Storage, StorageType, strided
from jaxgrad.serialization.errors import SerializationError, refuse
from jaxgrad.serialization.source import MemorySource, Source

_MAGIC_AT, _MAGIC = 257, b"ustar"
_MEMBERS = ("storages", "tensors", "pickle")


def is_tar(source: Source) -> bool:
    """Whether the file is a tar archive."""
    return bytes(source.view[_MAGIC_AT : _MAGIC_AT + len(_MAGIC)]) == _MAGIC


def read_tar(source: Source) -> Any:
    """The object in a tar file of torch.

    Raises:
        SerializationError: the archive or a pickle in it is broken or asks for what is not allowed.
    """
    parts = _members(source)
    try:
        storages = _storages(MemorySource(parts["storages"]))
        tensors = _tensors(MemorySource(parts["tensors"]), storages)
        found = storages | tensors

        def look_up(saved: Any) -> Any:
            if not isinstance(saved, int | str) or int(saved) not in found:
                refuse(f"{WEIGHTS_ONLY}Only persistent_load of storage is allowed")
            return found[int(saved)]

        return Machine(parts["pickle"], 0, NAMES, look_up, build).load()
    except SerializationError:
        raise
    except Exception as error:  # the parts lean on each other with nothing that says how
        refuse("the legacy .tar file is damaged", got=type(error).__name__)


def _members(source: Source) -> dict[str, bytes]:
    parts = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(source.view[:]), mode="r:") as archive:
            for name in _MEMBERS:
                member = archive.getmember(name)
                file = archive.extractfile(member) if member.isreg() and not member.issparse() else None
                parts[name] = file.read() if file is not None else b""
                if len(parts[name]) != member.size or not parts[name]:
                    refuse("the legacy .tar file is cut off", got=name)
    except SerializationError:
        raise
    except Exception as error:
        refuse("the legacy .tar file is damaged", got=type(error).__name__)
    return parts


def _next(source: MemorySource, at: int) -> tuple[Any, int]:
    machine = Machine(source.view, at, NAMES)
    return machine.load(), machine.at


def _storages(source: MemorySource) -> dict[int, Storage]:
    found: dict[int, Storage] = {}
    count, at = _next(source, 0)
    for _ in range(count):
        (name, _, kind), at = _next(source, at)
        if type(kind) is not StorageType or kind.dtype is None:
            refuse("a storage of the legacy .tar file is of an unknown class")
        (length,) = struct.unpack("<q", source.bytes_at(at, 8))
        found[name] = Storage(source.array_at(at + 8, length * kind.itemsize).copy(), kind.dtype)
        at += 8 + length * kind.itemsize
    views, _ = _next(source, at)
    for name, root, offset, length in views:
        whole = found[root]
        width = whole.dtype.itemsize
        data = whole.data[offset * width :][: length * width]
        if offset < 0 or data.size != length * width:
            refuse("a view of a storage reaches outside of it")
        found[name] = Storage(data, whole.dtype)
    return found


def _tensors(source: MemorySource, storages: dict[int, Storage]) -> dict[int, Any]:
    found = {}
    count, at = _next(source, 0)
    for _ in range(count):
        (name, storage, _), at = _next(source, at)
        (dimensions,) = struct.unpack("<i", source.bytes_at(at, 4))
        if not 0 <= dimensions <= 64:
            refuse("a tensor of the legacy .tar file has an absurd number of dimensions", got=dimensions)
        numbers = struct.unpack(f"<{2 * dimensions + 1}q", source.bytes_at(at + 8, 8 * (2 * dimensions + 1)))
        shape, strides = numbers[:dimensions], numbers[dimensions:-1]
        found[name] = strided(storages[storage], numbers[-1], shape, strides)
        at += 8 + 8 * (2 * dimensions + 1)
    return found
