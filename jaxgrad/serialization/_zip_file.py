"""The zip form of ``torch.save``: a pickle and one entry for each storage."""

from typing import Any

import numpy as np

from jaxgrad.serialization._pickle.machine import WEIGHTS_ONLY, Machine
from jaxgrad.serialization._pickle.rebuild import NAMES, build
from jaxgrad.serialization._pickle.tensors import Storage, StorageType, swaps
from jaxgrad.serialization._zip.reader import Archive
from jaxgrad.serialization.errors import refuse
from jaxgrad.serialization.source import Source


def read_zip(source: Source) -> Any:
    """The object in a zip file of torch.

    Raises:
        SerializationError: the archive or the pickle is broken or asks for what is not allowed.
    """
    archive = Archive(source)
    if "constants.pkl" in archive:
        refuse(
            "Cannot use ``weights_only=True`` with TorchScript archives passed to ``torch.load``.",
            remedy="in torch: torch.save(torch.jit.load(file).state_dict(), other_file)",
        )
    order = archive.bytes_of("byteorder").decode("ascii", "replace") if "byteorder" in archive else "little"
    if order not in ("little", "big"):
        refuse(f"Unknown endianness type: {ascii(order)[1:-1]}")
    storages: dict[str, tuple[np.ndarray, dict[int, np.ndarray]]] = {}

    def load_storage(saved: Any) -> Storage:
        kind, name, count = storage_id(saved)
        path = f"data/{name}"
        if path not in storages:
            storages[path] = archive.array_of(path), {}
        data, turned = storages[path]
        if data.size != count * kind.itemsize:
            refuse(
                f"the storage {name!a} has another length than the pickle says",
                got=f"{data.size} bytes",
                expected=f"{count} elements of {kind.itemsize} bytes",
            )
        assert kind.dtype is not None
        return Storage(data, kind.dtype, swaps(order), turned)

    return Machine(archive.bytes_of("data.pkl"), 0, NAMES, load_storage, build).load()


def storage_id(saved: Any) -> tuple[StorageType, str, int]:
    """The class, the key and the number of elements in ``("storage", class, key, location, count, ...)``."""
    if not isinstance(saved, tuple):
        refuse(f"{WEIGHTS_ONLY}persistent_load id must be tuple or int, but got {type(saved)}")
    if len(saved) not in (5, 6) or saved[0] != "storage":
        refuse(f"{WEIGHTS_ONLY}Only persistent_load of storage is allowed")
    kind, name, count = saved[1], saved[2], saved[4]
    if type(kind) is not StorageType or not isinstance(name, str | int) or type(count) is not int or count < 0:
        refuse(f"{WEIGHTS_ONLY}a storage is described in a way that torch never writes")
    return kind, str(name), count
