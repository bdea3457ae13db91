"""The form of ``torch.save`` before torch 1.6: five pickles in a row, and the storages after them.

Nothing in it is covered by a checksum, and a storage is read after the pickle that looks at it. So the pickle is read
twice: once to learn which storages there are and where they lie, and once more to build the arrays.
"""

import struct
from typing import Any

from jaxgrad.serialization._pickle.machine import WEIGHTS_ONLY, Machine
from jaxgrad.serialization._pickle.rebuild import NAMES, NOTHING, build
from jaxgrad.serialization._pickle.tensors import Storage, StorageType
from jaxgrad.serialization._zip_file import storage_id
from jaxgrad.serialization.errors import refuse
from jaxgrad.serialization.source import Source

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001
_LENGTH = struct.Struct("<q")


def read_legacy(source: Source) -> Any:
    """The object in a file of torch's old form.

    Raises:
        SerializationError: it is none, or is broken or asks for what is not allowed.
    """
    magic, at = _plain(source, 0) if source.view[:1] == b"\x80" else (None, 0)
    if magic != MAGIC_NUMBER:
        refuse(
            "Invalid magic number; corrupt file?",
            remedy="it looks like a safetensors file: read_safetensors(path), or load(path, like=...) of a whole state"
            if source.view[8:9] == b"{"
            else "this is neither a file of torch.save nor one of safetensors",
        )
    version, at = _plain(source, at)
    if version != PROTOCOL_VERSION:
        refuse(f"Invalid protocol version: {ascii(version)[:50]}")
    _, start = _plain(source, at)

    wanted: dict[str, tuple[StorageType, int]] = {}

    def note(saved: Any) -> None:
        if isinstance(saved, tuple) and saved and saved[0] == "module":
            refuse(f"{WEIGHTS_ONLY}Only persistent_load of storage is allowed, but got a module")
        kind, name, count = storage_id(saved)
        known = wanted.setdefault(name, (kind, count))
        if known[0].itemsize * known[1] != kind.itemsize * count:
            refuse(f"the storage {name!a} has two lengths")

    survey = Machine(source.view, start, NOTHING, note, build)
    survey.load()
    names, at = _plain(source, survey.at)
    if not isinstance(names, list) or sorted(map(str, names)) != sorted(wanted):
        refuse("the file holds other storages than its pickle speaks of")
    storages = {}
    for name in map(str, names):
        kind, count = wanted[name]
        (length,) = _LENGTH.unpack(source.bytes_at(at, _LENGTH.size))
        if length != count:
            refuse(
                f"the storage {name!a} has another length than the pickle says",
                got=f"{length} elements",
                expected=f"{count} elements",
            )
        storages[name] = source.array_at(at + _LENGTH.size, count * kind.itemsize)
        at += _LENGTH.size + count * kind.itemsize
    if at != source.size:
        refuse("the file goes on after its last storage", got=f"{source.size} bytes", expected=f"{at} bytes")

    def load_storage(saved: Any) -> Storage:
        kind, name, _ = storage_id(saved)
        assert kind.dtype is not None
        data = storages[name]
        if len(saved) == 6 and saved[5] is not None:
            _, offset, size = saved[5]
            data = data[offset * kind.itemsize :][: size * kind.itemsize]
            if type(offset) is not int or type(size) is not int or offset < 0 or data.size != size * kind.itemsize:
                refuse(f"a view of the storage {name!a} reaches outside of it")
        return Storage(data, kind.dtype)

    return Machine(source.view, start, NAMES, load_storage, build).load()


def _plain(source: Source, at: int) -> tuple[Any, int]:
    """A pickle of plain data, and where it ended."""
    machine = Machine(source.view, at, {})
    return machine.load(), machine.at
