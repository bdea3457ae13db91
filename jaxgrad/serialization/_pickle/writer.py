"""Pickles as torch writes them: protocol 2, tensors as calls of ``_rebuild_tensor_v2`` on persistent storages.

Only what ``torch.load(weights_only=True)`` reads is written; anything else is refused here, where the remedy is at
hand, and not when somebody wants to read the file.
"""

import struct
from collections import Counter, OrderedDict
from typing import Any

import jax
import numpy as np

from jaxgrad._core.errors import explain
from jaxgrad.random import Generator
from jaxgrad.serialization._pickle.names import DTYPES, STORAGES, Constant, Device, Size
from jaxgrad.serialization._pickle.rebuild import Sparse
from jaxgrad.serialization._pickle.sharing import Placed, StoragePlan, contiguous

_STORAGE_OF = {dtype: name for name, dtype in STORAGES.items()}
_NAME_OF = {dtype: name.removeprefix("torch.") for name, dtype in DTYPES.items()}
_BATCH = 1000
_DEEPEST = 200
_LAYOUTS = ("torch.strided", "torch.jagged", "torch._mkldnn")
_TUPLES = {0: b")", 1: b"\x85", 2: b"\x86", 3: b"\x87"}


class Pickler:
    """Writes one object.

    Args:
        plan: which arrays share a storage.

    Attributes:
        storages: ``(key, array)`` in the order in which the pickle speaks of them.
    """

    def __init__(self, plan: StoragePlan):
        self._plan = plan
        self._parts: list[bytes] = [b"\x80\x02"]
        self._memo: dict[Any, int] = {}
        self._alive: list[Any] = []  # what the memo knows by id
        self._open: set[int] = set()  # containers that are being written
        self.storages: dict[str, Placed] = {}
        self._keys: dict[int, str] = {}
        self._heads: dict[np.dtype, bytes] = {}

    def dump(self, tree: Any) -> bytes:
        """The pickle.

        Raises:
            TypeError: something in it is not what ``torch.load(weights_only=True)`` reads.
        """
        self._save(tree)
        self._parts.append(b".")
        return b"".join(self._parts)

    def _put(self, *parts: bytes) -> None:
        self._parts.extend(parts)

    def _save(self, value: Any) -> None:
        kind = type(value)
        writer = _WRITERS.get(kind)
        if writer is not None:
            writer(self, value)
        elif isinstance(value, np.dtype):
            self._global("torch", _torch_dtype(value))
        elif isinstance(value, np.generic):
            self._save(float(value) if value.dtype.kind == "V" else value.item())
        elif isinstance(value, np.ndarray | jax.Array):
            self._memoized(value, self._tensor)
        elif isinstance(value, Generator):
            self._tensor(value.get_state())
        elif isinstance(value, jax.ShapeDtypeStruct):
            self._meta(value)
        else:
            raise TypeError(
                explain(
                    f"cannot write a {kind.__name__} so that torch.load(weights_only=True) reads it",
                    got=f"{kind.__module__}.{kind.__qualname__}",
                    expected="arrays, numbers, strings, bytes; dict, OrderedDict, Counter, list, tuple, set of them",
                    remedy="make it one of these (optim.state_dict(tx, params, state) for an optimizer's state), or "
                    "keep the whole state with serialization.save",
                )
            )

    # --- plain values ---

    def _none(self, value: Any) -> None:
        del value
        self._put(b"N")

    def _bool(self, value: bool) -> None:
        self._put(b"\x88" if value else b"\x89")

    def _int(self, value: int) -> None:
        if 0 <= value < 1 << 8:
            self._put(b"K", value.to_bytes(1, "little"))
        elif 0 <= value < 1 << 16:
            self._put(b"M", value.to_bytes(2, "little"))
        elif -(1 << 31) <= value < 1 << 31:
            self._put(b"J", struct.pack("<i", value))
        else:
            data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
            if len(data) > 255:
                raise OverflowError("an integer of more than 255 bytes cannot be written so that torch.load reads it")
            self._put(b"\x8a", len(data).to_bytes(1, "little"), data)

    def _float(self, value: float) -> None:
        self._put(b"G", struct.pack(">d", value))

    def _str(self, value: str) -> None:
        if self._known(value):
            return
        data = value.encode("utf-8", "surrogatepass")
        self._put(b"X", struct.pack("<I", len(data)), data)
        self._remember(value)

    def _complex(self, value: complex) -> None:
        self._call("__builtin__", "complex", value.real, value.imag)

    def _bytes(self, value: bytes) -> None:
        self._call("_codecs", "encode", value.decode("latin1"), "latin1")

    def _bytearray(self, value: bytearray) -> None:
        self._call("__builtin__", "bytearray", bytes(value))

    def _set(self, value: set[Any]) -> None:
        self._call("__builtin__", "set", list(value))

    def _size(self, value: Size) -> None:
        self._call("torch", "Size", tuple(value))

    def _device(self, value: Device) -> None:
        kind, _, index = str(value).partition(":")
        self._call("torch", "device", kind, *([int(index)] if index else []))

    def _constant(self, value: Constant) -> None:
        if str(value) in _LAYOUTS or str(value).startswith("torch.sparse_"):
            self._call("torch.serialization", "_get_layout", str(value))
        else:
            self._global("torch", str(value).removeprefix("torch."))

    def _sparse(self, value: Sparse) -> None:
        data: tuple[Any, ...] = (*value.parts, Size(value.size))
        if value.layout == "torch.sparse_coo":
            data = (*data, value.is_coalesced)
        self._call("torch._utils", "_rebuild_sparse_tensor", Constant(value.layout), data)

    # --- containers ---

    def _memoized(self, value: Any, write: Any) -> None:
        if id(value) in self._open:
            raise ValueError("the object contains itself")
        if self._known(id(value)):
            return
        self._open.add(id(value))
        if len(self._open) > _DEEPEST:
            raise ValueError(f"the object is nested deeper than {_DEEPEST} levels")
        write(value)
        self._open.remove(id(value))
        if id(value) not in self._memo:
            self._remember(id(value), value)

    def _tuple(self, value: tuple[Any, ...]) -> None:
        def write(items: tuple[Any, ...]) -> None:
            if not items:
                return self._put(b")")
            if len(items) > 3:
                self._put(b"(")
            for item in items:
                self._save(item)
            return self._put(_TUPLES.get(len(items), b"t"))

        self._memoized(value, write)

    def _list(self, value: list[Any]) -> None:
        def write(items: list[Any]) -> None:
            self._put(b"]")
            self._remember(id(items), items)
            for start in range(0, len(items), _BATCH):
                self._put(b"(")
                for item in items[start : start + _BATCH]:
                    self._save(item)
                self._put(b"e")

        self._memoized(value, write)

    def _dict(self, value: dict[Any, Any]) -> None:
        def write(items: dict[Any, Any]) -> None:
            if type(items) is Counter:
                return self._call("collections", "Counter", dict(items))
            if type(items) is OrderedDict:
                self._call("collections", "OrderedDict")
            else:
                self._put(b"}")
            self._remember(id(items), items)
            self._items(list(items.items()))
            if getattr(items, "__dict__", None):
                self._save(dict(items.__dict__))
                self._put(b"b")
            return None

        self._memoized(value, write)

    def _items(self, pairs: list[tuple[Any, Any]]) -> None:
        for start in range(0, len(pairs), _BATCH):
            self._put(b"(")
            for name, item in pairs[start : start + _BATCH]:
                self._save(name)
                self._save(item)
            self._put(b"u")

    # --- tensors ---

    def _tensor(self, array: Any) -> None:
        placed = self._plan.place(array)
        typed = placed.dtype in _STORAGE_OF
        self._head(placed.dtype, typed)
        name = self._key(placed).encode()
        count = placed.nbytes // placed.dtype.itemsize if typed else placed.nbytes
        self._put(b"X", struct.pack("<I", len(name)), name)
        self._save("cpu")
        self._int(count)
        self._put(b"tQ")
        self._int(placed.offset)
        self._numbers(placed.shape)
        self._numbers(placed.strides)
        self._put(b"\x89")
        self._call("collections", "OrderedDict")
        if not typed:
            self._global("torch", _torch_dtype(placed.dtype))
        self._put(b"tR")

    def _meta(self, value: Any) -> None:
        dtype, shape = value.dtype, tuple(value.shape)
        if not isinstance(dtype, np.dtype):
            dtype = _torch_dtype(dtype)  # which says that torch has none
        arguments = dtype, shape, contiguous(shape), False
        self._call("torch._utils", "_rebuild_meta_tensor_no_storage", *arguments)

    def _head(self, dtype: np.dtype, typed: bool) -> None:
        """The function and the beginning of its arguments, the same for every tensor of a dtype."""
        if dtype in self._heads:
            return self._put(self._heads[dtype])
        _torch_dtype(dtype)
        function = "torch._utils", "_rebuild_tensor_v2" if typed else "_rebuild_tensor_v3"
        storage = ("torch", _STORAGE_OF[dtype]) if typed else ("torch.storage", "UntypedStorage")
        self._global(*function)
        self._put(b"((")
        self._save("storage")
        self._global(*storage)
        self._heads[dtype] = self._get(function) + b"((" + self._get("storage") + self._get(storage)
        return None

    def _numbers(self, values: tuple[int, ...]) -> None:
        if len(values) > 3:
            self._put(b"(")
        for value in values:
            self._int(int(value))
        self._put(_TUPLES.get(len(values), b"t"))

    def _key(self, placed: Placed) -> str:
        name = self._keys.setdefault(placed.storage, str(len(self._keys)))
        self.storages.setdefault(name, placed)
        return name

    # --- the memo ---

    def _global(self, module: str, name: str) -> None:
        if self._known((module, name)):
            return
        self._put(f"c{module}\n{name}\n".encode())
        self._remember((module, name))

    def _call(self, module: str, name: str, *arguments: Any) -> None:
        self._global(module, name)
        if len(arguments) > 3:
            self._put(b"(")
        for argument in arguments:
            self._save(argument)
        self._put(_TUPLES.get(len(arguments), b"t"), b"R")

    def _known(self, name: Any) -> bool:
        if name not in self._memo:
            return False
        self._put(self._get(name))
        return True

    def _get(self, name: Any) -> bytes:
        index = self._memo[name]
        return b"h" + index.to_bytes(1, "little") if index < 256 else b"j" + struct.pack("<I", index)

    def _remember(self, name: Any, alive: Any = None) -> None:
        index = self._memo[name] = len(self._memo)
        self._alive.append(alive)
        self._put(b"q" + index.to_bytes(1, "little") if index < 256 else b"r" + struct.pack("<I", index))


def _torch_dtype(dtype: np.dtype) -> str:
    name = _NAME_OF.get(dtype)
    if name is None:
        raise TypeError(
            explain(
                f"torch has no dtype for {dtype}",
                expected=", ".join(sorted(_NAME_OF.values())),
                remedy="jax.random.key_data(key) for a random key" if "key" in str(dtype) else None,
            )
        )
    return name


_WRITERS: dict[type, Any] = {
    type(None): Pickler._none,
    bool: Pickler._bool,
    int: Pickler._int,
    float: Pickler._float,
    str: Pickler._str,
    complex: Pickler._complex,
    bytes: Pickler._bytes,
    bytearray: Pickler._bytearray,
    set: Pickler._set,
    tuple: Pickler._tuple,
    list: Pickler._list,
    dict: Pickler._dict,
    OrderedDict: Pickler._dict,
    Counter: Pickler._dict,
    Size: Pickler._size,
    Device: Pickler._device,
    Constant: Pickler._constant,
    Sparse: Pickler._sparse,
}
