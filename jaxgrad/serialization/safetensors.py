"""The safetensors format: a header of JSON and the data after it, nothing else; also in several files with an index.

Written by the ``safetensors`` library. Read here, because the library's numpy side knows no float8 and says little
about what is wrong with a file; the rules are the library's: sorted, without holes, without overlaps, to the last byte.
"""

import json
import os
from collections.abc import Mapping
from typing import IO, Any

import jax
import ml_dtypes
import numpy as np
from safetensors import TensorSpec, serialize_file

from jaxgrad._core.errors import explain, is_traced
from jaxgrad.serialization.atomic import replacing
from jaxgrad.serialization.errors import SerializationError, refuse
from jaxgrad.serialization.source import Source, open_source

_LONGEST_HEADER = 100_000_000
_NAMES = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U64": np.uint64,
    "U32": np.uint32,
    "U16": np.uint16,
    "U8": np.uint8,
    "BOOL": np.bool_,
    "C64": np.complex64,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E4M3FNUZ": ml_dtypes.float8_e4m3fnuz,
    "F8_E5M2": ml_dtypes.float8_e5m2,
    "F8_E5M2FNUZ": ml_dtypes.float8_e5m2fnuz,
    "F8_E8M0": ml_dtypes.float8_e8m0fnu,
}
_DTYPES = {name: np.dtype(dtype) for name, dtype in _NAMES.items()}


def read_safetensors(path: str | os.PathLike[str] | IO[bytes], *, mmap: bool = False) -> dict[str, np.ndarray]:
    """Mirror of ``safetensors.numpy.load_file``, also for float8 and for files in parts.

    Args:
        path: a ``.safetensors`` file, or the ``.safetensors.index.json`` of several, or a file opened in binary mode.
        mmap: leave the data in the file and look at it through a read-only map.

    Returns:
        arrays by name, in the order of the file.

    Raises:
        SerializationError: the file is broken.
        FileNotFoundError: there is no such file, or a part of it is missing.

    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.safetensors")
    ...     write_safetensors(path, {"w": np.arange(3)}, {"made by": "hand"})
    ...     read_safetensors(path), safetensors_metadata(path)
    ({'w': array([0, 1, 2])}, {'made by': 'hand'})
    """
    if isinstance(path, str | os.PathLike) and os.fspath(path).endswith(".json"):
        return _read_parts(os.fspath(path), mmap)
    return read_arrays(path, mmap)[0]


def read_arrays(
    path: str | os.PathLike[str] | IO[bytes], mmap: bool = False
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays and the metadata of one file."""
    source = open_source(path, mmap)
    try:
        entries, metadata, start = _header(source)
        return {name: _array(source, start, *entry) for name, entry in entries.items()}, metadata
    finally:
        source.close()


def safetensors_metadata(path: str | os.PathLike[str] | IO[bytes]) -> dict[str, Any]:
    """The metadata of a file, or of an index.

    Args:
        path: of a file or of an index; or a file opened in binary mode.

    Returns:
        Strings by name; empty where the file has none. Of an index, its ``metadata``.

    Raises:
        SerializationError: the file is broken.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_safetensors(f"{folder}/m.safetensors", {"w": np.zeros(2)}, {"by": "me"})
    ...     safetensors_metadata(f"{folder}/m.safetensors")
    {'by': 'me'}
    """
    if isinstance(path, str | os.PathLike) and os.fspath(path).endswith(".json"):
        return dict(_index(os.fspath(path)).get("metadata", {}))
    source = open_source(path, mmap=isinstance(path, str | os.PathLike))
    try:
        return _header(source)[1]
    finally:
        source.close()


def write_safetensors(
    path: str | os.PathLike[str],
    tensors: Mapping[str, Any],
    metadata: Mapping[str, str] | None = None,
    *,
    max_shard_size: int | None = None,
) -> None:
    """Mirror of ``safetensors.numpy.save_file``, argument order apart; the file is replaced when it is complete.

    Args:
        path: a name ending in ``.safetensors``.
        tensors: arrays of numpy or JAX by name; tied ones are written under each name.
        metadata: strings by name.
        max_shard_size: bytes of data after which another file is begun: ``model-00001-of-00002.safetensors`` ... and
            ``model.safetensors.index.json``, as the Hugging Face hub has them. The index is written last.

    Raises:
        TypeError: a dtype that the format does not have (complex128), a name or metadata that is not a string.
        ValueError: an array named ``__metadata__``, or a shard size below 1.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_safetensors(f"{folder}/m.safetensors", {"w": np.arange(3)})
    ...     read_safetensors(f"{folder}/m.safetensors")["w"].tolist()
    [0, 1, 2]
    """
    if not isinstance(tensors, Mapping):
        raise TypeError(explain("safetensors hold arrays by name", got=type(tensors).__name__, expected="a dict"))
    if max_shard_size is not None and (type(max_shard_size) is not int or max_shard_size < 1):
        raise ValueError(explain("max_shard_size is a number of bytes", got=repr(max_shard_size), expected="1 or more"))
    arrays = {_string(name, "a name"): _contiguous(name, value) for name, value in tensors.items()}
    notes = {_string(name, "a name in the metadata"): _string(v, "metadata") for name, v in (metadata or {}).items()}
    _check_names(arrays, notes)  # before the first of several files is written
    if max_shard_size is None:
        return write_arrays(path, arrays, notes)
    shards: list[dict[str, np.ndarray]] = [{}]
    for name, array in arrays.items():
        if shards[-1] and sum(each.nbytes for each in shards[-1].values()) + array.nbytes > max_shard_size:
            shards.append({})
        shards[-1][name] = array
    stem = os.fspath(path).removesuffix(".safetensors")
    places: dict[str, str] = {}
    for i, shard in enumerate(shards):
        part = f"{stem}-{i + 1:05d}-of-{len(shards):05d}.safetensors"
        write_arrays(part, shard, notes)
        places |= dict.fromkeys(shard, os.path.basename(part))
    total = sum(array.nbytes for array in arrays.values())
    with replacing(f"{stem}.safetensors.index.json") as temporary, open(temporary, "x", encoding="utf-8") as file:
        json.dump({"metadata": {"total_size": total, **notes}, "weight_map": places}, file, indent=2)
    return None


def write_arrays(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray], metadata: dict[str, str]) -> None:
    """One file of contiguous arrays, whole or not at all.

    Raises:
        ValueError: a name that the format does not have.
    """
    _check_names(arrays, metadata)
    specs = {
        name: TensorSpec(dtype=array.dtype.name, shape=array.shape, data_ptr=array.ctypes.data, data_len=array.nbytes)
        for name, array in arrays.items()
    }
    with replacing(path) as temporary:
        serialize_file(specs, temporary, metadata=metadata or None)


def _check_names(arrays: Mapping[str, Any], metadata: Mapping[str, str]) -> None:
    for name in (*arrays, *metadata):
        if not name.isascii() and name != name.encode("utf-8", "replace").decode():
            raise ValueError(explain("a name in safetensors is text that utf-8 has", got=ascii(name)))
    if "__metadata__" in arrays:  # the header has one entry of this name: the array would be lost
        raise ValueError(
            explain(
                "the safetensors format keeps the name __metadata__ for itself", remedy="another name for the array"
            )
        )


def _contiguous(name: str, value: Any) -> np.ndarray:
    if not isinstance(value, np.ndarray | jax.Array):
        raise TypeError(explain("safetensors hold arrays only", got=f'"{name}": {type(value).__name__}'))
    if is_traced(value):
        raise TypeError(explain("a traced array has no numbers to write", remedy="write the file outside of jit"))
    if not isinstance(value.dtype, np.dtype):
        raise TypeError(
            explain(f"the safetensors format has no {value.dtype}", got=f'"{name}"', remedy="jax.random.key_data(key)")
        )
    array = np.ascontiguousarray(np.asarray(value)).reshape(value.shape)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if not has_dtype(array.dtype):
        raise TypeError(
            explain(
                f"the safetensors format has no {array.dtype}",
                got=f'"{name}"',
                expected=", ".join(sorted(dtype.name for dtype in _DTYPES.values())),
                remedy="write_torch, or the real and imaginary parts" if array.dtype.kind == "c" else None,
            )
        )
    return array


def has_dtype(dtype: np.dtype) -> bool:
    """Whether the format has a dtype.

    >>> has_dtype(np.dtype("float32")), has_dtype(np.dtype("complex128"))
    (True, False)
    """
    return dtype in _DTYPES.values()


def _string(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise TypeError(explain(f"{what} must be a string in safetensors", got=type(value).__name__))
    return value


_Entry = tuple[np.dtype, tuple[int, ...], int, int]


def _header(source: Source) -> tuple[dict[str, _Entry], dict[str, str], int]:
    """Entries (dtype, shape, begin, end), metadata, and where the data begins."""
    if source.size < 8:
        refuse("Error while deserializing header: header too small", got=f"{source.size} bytes")
    if source.bytes_at(0, 4) == b"PK\x03\x04":
        refuse("this is a zip archive and not a safetensors file", remedy="serialization.read_torch(path)")
    length = int.from_bytes(source.bytes_at(0, 8), "little")
    if length > _LONGEST_HEADER:
        refuse("Error while deserializing header: header too large", got=f"{length} bytes")
    start = 8 + length
    if start > source.size:
        refuse("Error while deserializing header: invalid header length", got=length, expected=source.size - 8)
    try:
        header = json.loads(source.bytes_at(8, length).decode("utf-8"), object_pairs_hook=_unique)
        if not isinstance(header, dict):
            raise TypeError
        metadata = header.pop("__metadata__", {})
        if not all(isinstance(text, str) for pair in metadata.items() for text in pair):
            raise TypeError
        entries = {name: _entry(entry) for name, entry in header.items()}
    except SerializationError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        refuse("Error while deserializing header: invalid JSON in header", got=type(error).__name__)
    at = 0
    for name, (dtype, shape, begin, end) in sorted(entries.items(), key=lambda item: item[1][2:]):
        count = 1
        for n in shape:
            count *= n
        if begin != at or end < begin:
            refuse(f"Error while deserializing header: invalid offset for tensor {ascii(name)[:80]}", expected=at)
        if end - begin != count * dtype.itemsize:
            refuse(
                f"Error while deserializing header: invalid shape, data type, or offset for tensor {ascii(name)[:80]}"
            )
        at = end
    if start + at != source.size:
        refuse(
            "Error while deserializing header: incomplete metadata, file not fully covered",
            got=f"{source.size - start} bytes of data",
            expected=f"{at} bytes",
        )
    return entries, metadata, start


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _entry(entry: Any) -> _Entry:
    if set(entry) != {"dtype", "shape", "data_offsets"}:
        raise KeyError
    begin, end = entry["data_offsets"]
    numbers = (*entry["shape"], begin, end)
    if not isinstance(entry["shape"], list) or not all(type(n) is int and 0 <= n < 1 << 63 for n in numbers):
        raise ValueError
    if len(entry["shape"]) > 64:
        raise ValueError
    if entry["dtype"] not in _DTYPES:
        refuse(f"a tensor of dtype {ascii(entry['dtype'])[:40]}, which has no counterpart here")
    return _DTYPES[entry["dtype"]], tuple(entry["shape"]), begin, end


def _array(source: Source, start: int, dtype: np.dtype, shape: tuple[int, ...], begin: int, end: int) -> np.ndarray:
    data = source.array_at(start + begin, end - begin)
    if dtype.kind == "b" and data.size and data.max() > 1:
        refuse("a tensor of bools holds bytes that are neither 0 nor 1")
    if not data.size:
        if max(shape) >= 1 << 48:
            refuse("an empty tensor of absurd sizes")
        return np.empty(shape, dtype)
    return np.ndarray(shape, dtype, data)


def _index(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            index = json.load(file, object_pairs_hook=_unique)
        if not isinstance(index["weight_map"], dict) or not isinstance(index.get("metadata", {}), dict):
            raise TypeError
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        refuse("the index of the safetensors files is damaged", got=type(error).__name__)
    for name, part in index["weight_map"].items():
        if not isinstance(part, str) or os.path.basename(part) != part or part in ("", ".", ".."):
            refuse(f"the index puts {ascii(name)[:80]} into a file outside of its folder", got=ascii(part)[:80])
        if part.endswith(".json") or not part.isprintable() or len(os.fsencode(part)) > 255:
            # An index that names an index could name itself; the rest is no name that a system takes.
            refuse(f"the index puts {ascii(name)[:80]} into what is no safetensors file", got=ascii(part)[:80])
    return dict(index)


def _read_parts(path: str, mmap: bool) -> dict[str, np.ndarray]:
    places = _index(path)["weight_map"]
    folder = os.path.dirname(path)
    parts = {part: read_safetensors(os.path.join(folder, part), mmap=mmap) for part in dict.fromkeys(places.values())}
    for name, part in places.items():
        if name not in parts[part]:
            refuse(f"{part!a} does not hold {ascii(name)[:80]}, as the index says")
    extra = [name for part, arrays in parts.items() for name in arrays if places.get(name) != part]
    if extra:
        refuse("the files hold tensors that the index does not name", got=ascii(extra[:5]))
    return {name: parts[part][name] for name, part in places.items()}
