"""What the allowed names do: the counterparts of ``torch._utils._rebuild_tensor_v2`` and its like."""

from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgrad.serialization._pickle.machine import WEIGHTS_ONLY, Callables, key
from jaxgrad.serialization._pickle.names import (
    CLASSES,
    CONSTANTS,
    DTYPES,
    UNREADABLE_STORAGES,
    UNTYPED,
    Constant,
    Device,
    Size,
    storage_names,
)
from jaxgrad.serialization._pickle.tensors import StorageType, strided, with_marks
from jaxgrad.serialization.errors import refuse


class Sparse(NamedTuple):
    """A sparse tensor as it lies in a file.

    Attributes:
        layout: ``"torch.sparse_coo"``, ``"torch.sparse_csr"`` ...
        parts: (indices, values) of COO; (compressed indices, plain indices, values) of the others.
        size: of the dense tensor.
        is_coalesced: of COO, or None.

    >>> eye = Sparse("torch.sparse_coo", (np.array([[0, 1], [0, 1]]), np.ones(2)), (2, 2))
    >>> eye.size, eye.parts[1].tolist()
    ((2, 2), [1.0, 1.0])
    """

    layout: str
    parts: tuple[np.ndarray, ...]
    size: tuple[int, ...]
    is_coalesced: bool | None = None


def _tensor(storage: Any, offset: Any, size: Any, stride: Any) -> np.ndarray:
    return strided(storage, offset, size, stride)


def _tensor_v2(
    storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any, hooks: Any, metadata: Any = None
) -> np.ndarray:
    del requires_grad, hooks
    return with_marks(strided(storage, offset, size, stride), metadata)


def _tensor_v3(
    storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any, hooks: Any, dtype: Any, metadata: Any = None
) -> np.ndarray:
    del requires_grad, hooks
    if not isinstance(dtype, np.dtype):
        dtype = Constant(dtype) if isinstance(dtype, str) else Constant(type(dtype).__name__)
    return with_marks(strided(storage, offset, size, stride, dtype), metadata)


def _parameter(data: Any, requires_grad: Any = True, hooks: Any = None, state: Any = None) -> Any:
    del requires_grad, hooks, state
    return _is(data, (np.ndarray, jax.ShapeDtypeStruct))  # one on the meta device is a parameter too


def _from_type(function: Any, kind: Any, arguments: Any, state: Any) -> Any:
    del kind, state  # the attributes of a tensor; an array has none
    if type(function) is not Callables or not function.name.startswith("torch._utils._rebuild_"):
        refuse(f"{WEIGHTS_ONLY}Trying to call reduce for unrecognized function inside of a tensor")
    return function.function(*arguments)


def _moved(data: Any, dtype: Any, device: Any, requires_grad: Any) -> Any:
    del device, requires_grad
    if not isinstance(dtype, np.dtype):
        refuse(f"{WEIGHTS_ONLY}a tensor of a dtype that has no counterpart here")
    return _is_array(data).astype(dtype, copy=False)


def _meta(dtype: Any, size: Any, stride: Any, requires_grad: Any) -> Any:
    del stride, requires_grad
    if not isinstance(dtype, np.dtype) or not all(type(n) is int and 0 <= n < 1 << 48 for n in size):
        refuse(f"{WEIGHTS_ONLY}a tensor on the meta device with absurd sizes or dtype")
    struct: Any = jax.ShapeDtypeStruct  # untyped
    return struct(tuple(size), dtype)


def _sparse(layout: Any, data: Any) -> Sparse:
    if layout == "torch.sparse_coo":
        *parts, size, coalesced = data if len(data) == 4 else (*data, None)
        expected = 2
    elif layout in ("torch.sparse_csr", "torch.sparse_csc", "torch.sparse_bsr", "torch.sparse_bsc"):
        *parts, size = data
        coalesced, expected = None, 3
    else:
        refuse(f"{WEIGHTS_ONLY}rebuilding sparse tensor for an unknown layout")
    if len(parts) != expected or not all(type(n) is int and 0 <= n < 1 << 48 for n in size):
        refuse(f"{WEIGHTS_ONLY}a sparse tensor is damaged")
    return Sparse(str(layout), tuple(_is_array(part) for part in parts), tuple(size), coalesced)


def _layout(name: Any) -> Constant:
    if not isinstance(name, str) or not name.startswith("torch."):
        refuse(f"{WEIGHTS_ONLY}an unknown layout")
    return Constant(name)


def _device(kind: Any, index: Any = None) -> Device:
    if not isinstance(kind, str) or type(index) not in (int, type(None)):
        refuse(f"{WEIGHTS_ONLY}an unknown device")
    return Device(kind if index is None else f"{kind}:{index}")


def _size(numbers: Any = ()) -> Size:
    if not all(type(n) is int for n in numbers):
        refuse(f"{WEIGHTS_ONLY}a torch.Size of other things than numbers")
    return Size(numbers)


def _encode(text: Any, encoding: Any) -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1", "utf-8", "ascii"):
        refuse(f"{WEIGHTS_ONLY}bytes in an unknown encoding")
    return text.encode(encoding)


def _bytearray(data: Any = b"") -> bytearray:
    if not isinstance(data, bytes):  # a number would ask for as much memory
        refuse(f"{WEIGHTS_ONLY}a bytearray of other things than bytes")
    return bytearray(data)


def _set(items: Any = ()) -> set[Any]:
    return {key(item) for item in _is(items, (list, tuple))}


def _ordered(items: Any = ()) -> "OrderedDict[Any, Any]":
    return OrderedDict((key(name), value) for name, value in _is(items, (list, tuple)))


def _counter(items: Any = None) -> "Counter[Any]":
    counts: Counter[Any] = Counter()
    counts.update({key(name): _is(count, (int,)) for name, count in _is(items or {}, (dict,)).items()})
    return counts


def _complex(real: Any, imaginary: Any = 0.0) -> complex:
    return complex(_is(real, (int, float)), _is(imaginary, (int, float)))


def _unsupported(name: str) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        del arguments
        refuse(f"{WEIGHTS_ONLY}{name} makes something that has no counterpart here")

    return call


def _is(value: Any, kinds: tuple[type, ...]) -> Any:
    if not isinstance(value, kinds):
        raise TypeError
    return value


def _is_array(value: Any) -> np.ndarray:
    if not isinstance(value, np.ndarray):
        raise TypeError
    return value


def build(target: Any, state: Any) -> Any:
    """``BUILD``: the attributes of an ordered dict (a state_dict has ``_metadata``); an array takes none."""
    if type(target) is OrderedDict and isinstance(state, dict):
        for name, value in state.items():
            if not isinstance(name, str) or hasattr(OrderedDict, name):
                refuse(f"{WEIGHTS_ONLY}an attribute of an OrderedDict hides one of Python's", got=ascii(name)[:100])
            target.__dict__[name] = value
        return target
    refuse(f"{WEIGHTS_ONLY}Can only build Tensor, Parameter, OrderedDict, but got {type(target)}")


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": _ordered,
    "collections.Counter": _counter,
    "torch.nn.parameter.Parameter": _parameter,
    "torch.serialization._get_layout": _layout,
    "torch.Size": _size,
    "torch.device": _device,
    "_codecs.encode": _encode,
    "builtins.bytearray": _bytearray,
    "builtins.set": _set,
    "builtins.complex": _complex,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor_v2,
    "torch._utils._rebuild_tensor_v3": _tensor_v3,
    "torch._utils._rebuild_sparse_tensor": _sparse,
    "torch._utils._rebuild_meta_tensor_no_storage": _meta,
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": _moved,
    "torch._utils._rebuild_device_tensor_from_numpy": _moved,
    "torch._tensor._rebuild_from_type_v2": _from_type,
}
_WITHOUT_COUNTERPART = (
    "torch.Tensor",
    "torch._utils._rebuild_qtensor",
    "torch._utils._rebuild_nested_tensor",
    "torch._utils._rebuild_wrapper_subclass",
    *CLASSES,
)

NAMES: dict[str, Any] = {
    **{name: Callables(name, function) for name, function in _FUNCTIONS.items()},
    **{name: Callables(name, _unsupported(name)) for name in _WITHOUT_COUNTERPART},
    **DTYPES,
    **{name: Constant(name) for name in CONSTANTS},
    **{name: StorageType(name, dtype) for name, dtype in storage_names().items()},
    **{name: StorageType(name, None) for name in UNREADABLE_STORAGES},
    **{name: StorageType(name, np.dtype(np.uint8), typed=False) for name in UNTYPED},
}
"""Every name that a pickle may speak: the allow-list of ``torch.load(weights_only=True)``."""

_BUILDERS = ("torch._utils.", "torch._tensor.", "torch.nn.parameter.")

NOTHING: dict[str, Any] = {
    name: Callables(name, lambda *arguments: None) if name.startswith(_BUILDERS) else value
    for name, value in NAMES.items()
}
"""The same for a first look, which builds containers and no arrays."""
