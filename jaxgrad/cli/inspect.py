"""``jaxgrad inspect FILE``: what is in a file of torch, of safetensors or of ``serialization.save``.

Nothing in the file is executed; its checksums are compared.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgrad.serialization import (
    Constant,
    Device,
    SerializationError,
    Size,
    Sparse,
    read_meta,
    read_safetensors,
    read_torch,
    safetensors_metadata,
)
from jaxgrad.serialization._packed import as_saved, check, numbers
from jaxgrad.serialization.store import read_packed

_ZIP = b"PK\x03\x04"
_GENERATOR_BYTES = 5056
_NO_DATA = jax.ShapeDtypeStruct
_ARRAYS = (np.ndarray, Sparse, _NO_DATA)
_INNER = (*_ARRAYS, Mapping, list, tuple)
_WORDS = {type(None): "None", Size: "torch.Size", Device: "torch.device", Constant: "constant of torch"}


class Row(NamedTuple):
    """One array or value of a file."""

    name: str
    dtype: str
    shape: tuple[int, ...] | None
    bytes: int
    value: str


_EXAMPLES = """examples:
  jaxgrad inspect model.pt                       a checkpoint of torch's, without torch
  jaxgrad inspect --json state.safetensors | jq '.rows[].name'

exit status: 0, or 1 if a file cannot be read"""


def declare(parser: argparse.ArgumentParser) -> None:
    """Say what the sub-command takes."""
    parser.description, parser.epilog = __doc__, _EXAMPLES
    parser.add_argument("files", nargs="+", metavar="FILE", help=".pt, .pth, .safetensors, or an index of the latter")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line instead of a table")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Describe every file; 1 if one of them cannot be read."""
    status = 0
    for path in arguments.files:
        try:
            described = describe(path)
        except (SerializationError, OSError, RuntimeError) as error:
            print(f"{path}: {getattr(error, 'strerror', None) or error}", file=sys.stderr)
            status = 1
            continue
        print(json.dumps(described) if arguments.json else _text(described))
    return status


def describe(path: str) -> dict[str, Any]:
    """A file in plain data: ``form``, ``kind``, ``rows``, ``metadata``."""
    form = _form(path)
    metadata: dict[str, Any]
    if form.startswith("safetensors") and not path.endswith(".json") and (meta := read_meta(path)) is not None:
        metadata, kind, form = {"meta": meta}, "a whole training state", "jaxgrad state (safetensors)"
        rows = list(_rows_of_state(path))
    else:
        torchs = form.startswith("torch")
        content = read_torch(path) if torchs else read_safetensors(path, mmap=True)
        metadata = {} if torchs else safetensors_metadata(path)
        kind, rows = _kind(content), list(_rows(content))
    return {
        "file": path,
        "form": form,
        "kind": kind,
        "bytes": os.path.getsize(path),
        "arrays": sum(row.shape is not None for row in rows),
        "numbers": sum(int(np.prod(row.shape, dtype=object)) for row in rows if row.shape is not None),
        "metadata": metadata,
        "rows": [row._asdict() for row in rows],
    }


def _form(path: str) -> str:
    if path.endswith(".json"):
        return "safetensors index"
    with open(path, "rb") as file:
        head = file.read(512)
    if head.startswith(_ZIP):
        return "torch zip"
    if path.endswith(".safetensors") or head[8:9] == b"{":
        return "safetensors"
    return "torch tar" if head[257:262] == b"ustar" else "torch legacy"


def _kind(content: Any) -> str:
    """What kind of state this is, as torch would call it."""
    if isinstance(content, np.ndarray):
        is_stream = content.dtype == np.uint8 and content.shape == (_GENERATOR_BYTES,)
        return "the state of a random generator" if is_stream else "one array"
    if isinstance(content, _ARRAYS):
        return "one sparse array" if isinstance(content, Sparse) else "one array of the meta device, which has no data"
    if not isinstance(content, Mapping):
        several = type(content) in (list, tuple, set)
        return f"a {type(content).__name__}" if several else f"one value ({_type(content)})"
    if {"state", "param_groups"} <= content.keys():
        count = len(content["state"]) if isinstance(content["state"], Mapping) else 0
        return f"the state_dict of an optimizer ({count} parameters with a state)"
    if "last_epoch" in content or "_schedulers" in content or "num_bad_epochs" in content:
        return "the state_dict of a scheduler"
    if {"scale", "_growth_tracker"} <= content.keys():
        return "the state_dict of a GradScaler"
    if content and all(isinstance(value, _ARRAYS) for value in content.values()):
        averaged = "n_averaged" in content
        kind = "the state_dict of an AveragedModel" if averaged else "the state_dict of a model, or a dict of arrays"
        bare = sum(isinstance(value, _NO_DATA) for value in content.values())
        return kind + (f" ({'all' if bare == len(content) else bare} of the meta device: no data)" if bare else "")
    if content and all(isinstance(name, str) for name in content):
        parts = [
            f"{name} ({_kind(value)})" for name, value in content.items() if isinstance(value, (Mapping, *_ARRAYS))
        ]
        return "a checkpoint" + (f": {'; '.join(parts[:8])}" if parts else "")
    return "a dict"


def _rows(content: Any, name: str = "") -> Iterator[Row]:
    if isinstance(content, np.ndarray):
        yield Row(name, content.dtype.name, content.shape, content.nbytes, _value(content))
    elif isinstance(content, Sparse):
        size = sum(part.nbytes for part in content.parts)
        yield Row(name, f"{content.parts[-1].dtype.name} {content.layout}", content.size, size, "")
    elif isinstance(content, _NO_DATA):
        yield Row(name, f"{content.dtype.name} (no data)", content.shape, 0, "")
    elif isinstance(content, Mapping) and content:
        for key, value in content.items():
            yield from _rows(value, f"{name}.{key}" if name else str(key))
    elif type(content) in (list, tuple) and any(isinstance(each, _INNER) for each in content):
        for i, value in enumerate(content):
            yield from _rows(value, f"{name}.{i}" if name else str(i))
    else:
        by_name = str(content) if isinstance(content, np.dtype | Device | Constant) else repr(content)
        yield Row(name, _type(content), None, 0, f"{by_name:.60}")


def _type(value: Any) -> str:
    """What a value is, in torch's words where it is one of torch's."""
    return "torch.dtype" if isinstance(value, np.dtype) else _WORDS.get(type(value), type(value).__name__)


def _rows_of_state(path: str) -> Iterator[Row]:
    arrays, record = read_packed(path, mmap=True)
    check(arrays, record)
    for name, array in arrays.items():
        dtype, shape = as_saved(array, record["forms"].get(name))
        yield Row(name, dtype, shape, array.nbytes, _value(array) if dtype == array.dtype.name else "")
    for name, number in numbers(record).items():
        yield from _rows(number, name)


def _value(array: np.ndarray) -> str:
    return str(array) if array.ndim == 0 else ""


def _text(described: dict[str, Any]) -> str:
    rows = [Row(**row) for row in described["rows"]]
    lines = [
        f"{described['file']}: {described['form']}, {_size(described['bytes'])}",
        f"  {described['kind']}",
        f"  {_counted(described['arrays'], 'array')}, {_counted(described['numbers'], 'number')}",
    ]
    lines += [f"  {name}: {value!s:.200}" for name, value in described["metadata"].items()]
    width = min(max((len(row.name) for row in rows), default=0), 70)
    kinds = min(max((len(row.dtype) for row in rows), default=0), 30)
    for row in rows:
        shape = "" if row.shape is None else f"({', '.join(map(str, row.shape))})"
        size = "" if row.shape is None else _size(row.bytes)
        lines.append(
            f"  {_printable(row.name):{width}}  {row.dtype:{kinds}}  {shape:20} {size:>10}  {row.value}".rstrip()
        )
    return "\n".join(map(_printable, lines))


def _printable(text: str) -> str:
    """A name without control characters, which could speak to the terminal."""
    return "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in text)


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _size(count: int) -> str:
    """Bytes as people read them.

    >>> _size(1_500_000)
    '1.5 MB'
    """
    number = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"
