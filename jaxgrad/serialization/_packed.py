"""A tree as named arrays and a record in JSON, and back; what :func:`save` and checkpoints have in common.

The record has what arrays do not say: Python's numbers, how to read back what safetensors or orbax do not have, and a
checksum of each array and of itself. What the tree *is* (which classes) is not in it: a tree of the same form says it.
"""

import json
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np

from jaxgrad._core.dtypes import keep_dtype
from jaxgrad._core.errors import describe, explain, is_traced, quoted
from jaxgrad._core.trees import path_name
from jaxgrad._core.types import PyTree
from jaxgrad.serialization._checksum import crc32
from jaxgrad.serialization.errors import refuse
from jaxgrad.serialization.safetensors import has_dtype

_FORM = 1
_PARTS = ("numbers", "forms", "crc32", "meta")
_SUM = "sum"
_NUMBERS = (bool, int, float, complex, str)
_ANOTHER = "go on from another checkpoint"


def pack(state: PyTree, meta: Mapping[str, Any] | None, *, spread: bool = False) -> tuple[dict[str, Any], str]:
    """The arrays of a tree by name, and the record of it.

    Args:
        state: arrays, numbers and random keys.
        meta: what else to remember, as JSON has it.
        spread: leave arrays that lie on devices of several processes as they are, without a checksum.

    Raises:
        TypeError: a leaf is not an array or a number, ``meta`` is not JSON, or the state is traced.
        RuntimeError: without ``spread``: an array lies on devices of several processes.
    """
    if not isinstance(meta, Mapping | None):
        raise TypeError(explain("meta must be a dict", got=type(meta).__name__, remedy='meta={"epoch": 3}'))
    if is_traced(state):
        raise TypeError(explain("a traced state has no numbers to write", remedy="save it outside of jit"))
    arrays: dict[str, Any] = {}
    plain: dict[str, list[str]] = {}
    forms: dict[str, str] = {}
    for name, leaf in named(state).items():
        if type(leaf) in _NUMBERS:
            plain[name] = _told(leaf)
            continue
        arrays[name], form = key_words(leaf) if spread and is_spread(leaf) else _packed(name, leaf)
        if form is not None:
            forms[name] = form
    checksums = {name: _checksum(array) for name, array in arrays.items() if isinstance(array, np.ndarray)}
    record = {"form": _FORM, "numbers": plain, "forms": forms, "crc32": checksums, "meta": dict(meta or {})}
    try:
        text = json.dumps(record)
    except (TypeError, ValueError) as error:
        raise TypeError(explain("meta must be what JSON has: dicts, lists, strings, numbers", got=error)) from None
    if json.loads(text)["meta"] != record["meta"] and "NaN" not in text:
        raise TypeError(
            explain("meta does not come back from JSON as it was", remedy="strings as keys, lists instead of tuples")
        )
    return arrays, json.dumps(record | {_SUM: _record_checksum(record)})


def unpack(arrays: Mapping[str, Any], record: Mapping[str, Any], like: PyTree) -> PyTree:
    """The tree of these arrays, in the form of ``like`` and where its leaves are.

    Raises:
        SerializationError: a checksum is wrong.
        RuntimeError: "Error(s) in loading state": names, shapes or dtypes that differ from those of ``like``.
    """
    check(arrays, record)
    found = numbers(record)
    found |= {name: _unpacked(array, record["forms"].get(name)) for name, array in arrays.items()}
    wanted = named(like)
    errors = []
    missing, unexpected = [n for n in wanted if n not in found], [n for n in found if n not in wanted]
    if missing:
        errors.append(f"Missing key(s) in state: {quoted(missing)}. ")
    if unexpected:
        errors.append(f"Unexpected key(s) in state: {quoted(unexpected)}. ")
    errors += [text for name in wanted if name in found and (text := _misfit(name, found[name], wanted[name]))]
    if errors:
        sentence = "\n\t".join(["Error(s) in loading state:", *errors])
        remedy = "make `like` with the same model, optimizer and options, and the same jax_enable_x64, as the saved one"
        raise RuntimeError(explain(sentence, remedy=remedy))
    leaves = [_placed(found[name], leaf) for name, leaf in wanted.items()]
    return jax.tree.unflatten(jax.tree.structure(like), leaves)


def check(arrays: Mapping[str, Any], record: Mapping[str, Any]) -> None:
    """Compare the checksum of every array that this process has whole.

    Raises:
        SerializationError: one is wrong.
    """
    for name, array in arrays.items():
        if isinstance(array, np.ndarray) and _checksum(array) != record["crc32"].get(name):
            refuse(f'the numbers of "{name}" are damaged', remedy=_ANOTHER)


def numbers(record: Mapping[str, Any]) -> dict[str, Any]:
    """Python's numbers and strings among the leaves, by name."""
    return {name: _untold(value) for name, value in record["numbers"].items()}


def as_saved(array: np.ndarray, form: str | None) -> tuple[str, tuple[int, ...]]:
    """Dtype and shape of the leaf that lies in the file as this array.

    >>> as_saved(np.zeros((3, 2), np.uint32), "key:threefry2x32")
    ('key<threefry2x32>', (3,))
    """
    if form is None:
        return array.dtype.name, array.shape
    if form.startswith("key:"):
        return f"key<{form.removeprefix('key:')}>", array.shape[:-1]
    return form, array.shape[:-1] if form.startswith("complex") else array.shape


def read_record(text: str) -> dict[str, Any]:
    """The record of its text.

    Raises:
        SerializationError: it is damaged, or of a later form.
    """
    try:
        record = json.loads(text)
        checksum = record.pop(_SUM, None)  # of later files: the first ones had none
        if record["form"] != _FORM:
            refuse("the file was written by a later jaxgrad", got=f"form {record['form']!s:.20}", expected=_FORM)
        if set(record) != {"form", *_PARTS} or not all(isinstance(record[part], dict) for part in _PARTS):
            raise TypeError
        if checksum not in (None, _record_checksum(record)):
            refuse("the description of the state is damaged: its checksum is wrong", remedy=_ANOTHER)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        refuse("the description of the state is damaged", got=type(error).__name__, remedy=_ANOTHER)
    return dict(record)


def _record_checksum(record: Mapping[str, Any]) -> int:
    """Of the text that JSON has for what it reads: the keys of ``meta`` may have been numbers."""
    return crc32(json.dumps(json.loads(json.dumps(record))).encode())


def is_spread(leaf: Any) -> bool:
    """Whether an array lies on devices of several processes, no one of which has it whole."""
    return isinstance(leaf, jax.Array) and not leaf.is_fully_addressable and not leaf.is_fully_replicated


def key_words(leaf: jax.Array) -> tuple[jax.Array, str | None]:
    """A random key as integers, and what makes a key of them again; any other array is itself."""
    if not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return leaf, None
    return jax.random.key_data(leaf), f"key:{jax.random.key_impl(leaf)}"


def _checksum(array: np.ndarray) -> int:
    return crc32(array.reshape(-1).view(np.uint8))


def named(tree: PyTree) -> dict[str, Any]:
    """The leaves by dotted name, in JAX's order; a name that occurs again is numbered."""
    named: dict[str, Any] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        name = base = path_name(path) or "state"
        again = 1
        while name in named:
            again += 1
            name = f"{base}#{again}"
        named[name] = leaf
    return named


def _packed(name: str, leaf: Any) -> tuple[np.ndarray, str | None]:
    """A leaf as an array that safetensors have, and how to read it back."""
    if is_spread(leaf):
        raise RuntimeError(
            explain(
                f'"{name}" lies on devices of several processes',
                remedy="gather it first (jax.experimental.multihost_utils.process_allgather), or train.Checkpoints",
            )
        )
    if not isinstance(leaf, np.ndarray | np.generic | jax.Array):
        raise TypeError(
            explain(f"a state is made of arrays and numbers, not of {type(leaf).__name__}", got=f'"{name}"')
        )
    if isinstance(leaf, jax.Array):
        leaf, form = key_words(leaf)
        if form is not None:
            return np.ascontiguousarray(leaf), form
    array = np.asarray(leaf)
    array = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("=")) if not array.dtype.isnative else array)
    array = array.reshape(np.shape(leaf))
    if array.dtype.kind == "c":
        return array.reshape(*array.shape, 1).view(array.real.dtype), str(array.dtype)
    if array.dtype.name in ("int4", "uint4", "int2", "uint2"):
        return array.astype(np.int8 if array.dtype.name.startswith("int") else np.uint8), array.dtype.name
    if has_dtype(array.dtype):
        return array, None
    if array.dtype.itemsize == 1 and hasattr(ml_dtypes, array.dtype.name):  # float4 and the rarer float8
        return array.view(np.uint8), array.dtype.name
    raise TypeError(explain(f"a state holds no arrays of dtype {array.dtype}", got=f'"{name}"'))


def _unpacked(array: np.ndarray, form: str | None) -> Any:
    if form is None:
        return array
    try:
        if form.startswith("key:"):
            return jax.random.wrap_key_data(jnp.asarray(array), impl=form.removeprefix("key:"))
        if form.startswith("complex"):
            return array.view(np.dtype(form)).reshape(array.shape[:-1])
        dtype = np.dtype(getattr(ml_dtypes, form))
        return array.astype(dtype) if "int" in form else array.view(dtype)
    except (ValueError, TypeError, AttributeError) as error:
        refuse("the file describes an array in a way that is not known here", got=type(error).__name__)


def _told(number: Any) -> list[str]:
    if isinstance(number, float):
        return ["float", number.hex()]
    if type(number) is int and number.bit_length() > 10_000:  # Python writes so many digits as hexadecimal ones only
        return ["int", hex(number)]
    return [type(number).__name__, str(number)]


def _untold(told: Any) -> Any:
    readers: dict[str, Any] = {"int": lambda text: int(text, 0), "float": float.fromhex, "complex": complex, "str": str}
    try:
        kind, text = told
        return text == "True" if kind == "bool" else readers[kind](text)
    except (ValueError, TypeError, KeyError) as error:
        refuse("a number in the file is damaged", got=type(error).__name__)


def _misfit(name: str, value: Any, leaf: Any) -> str | None:
    if type(leaf) in _NUMBERS or type(value) in _NUMBERS:
        same = type(value) is type(leaf)
        return None if same else f"{name}: the file has {_kind(value)}, the state {_kind(leaf)}."
    if np.shape(value) != np.shape(leaf):
        return (
            f"size mismatch for {name}: copying a param with shape torch.Size({list(np.shape(value))}) from "
            f"checkpoint, the shape in current model is torch.Size({list(np.shape(leaf))})."
        )
    if value.dtype.name != leaf.dtype.name:  # whatever the order of their bytes
        return f"dtype mismatch for {name}: {value.dtype} in the file, {leaf.dtype} in the state."
    return None


def _kind(value: Any) -> str:
    return f"the {type(value).__name__} {value!r:.40}" if type(value) in _NUMBERS else f"an array {describe(value)}"


def _placed(value: Any, leaf: Any) -> Any:
    """The value where the leaf is: on its devices, or in numpy's memory."""
    if isinstance(leaf, np.generic):
        return value[()]
    if isinstance(leaf, np.ndarray) or type(leaf) in _NUMBERS or is_spread(value):
        return value
    if isinstance(value, np.ndarray):
        keep_dtype(value.dtype)
    return jax.device_put(value, getattr(leaf, "sharding", None))
