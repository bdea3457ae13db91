"""A traced module as a file: a run that was begun with torch goes on where torch is not installed.

The file is a safetensors file: parameters, buffers and constants as tensors, the graph as JSON in its metadata. Reading
it executes nothing.
"""

import json
import os
from typing import Any

import numpy as np

from jaxgrad.serialization.errors import refuse
from jaxgrad.serialization.safetensors import read_arrays, write_safetensors
from jaxgrad.trace.graph import Graph, Role
from jaxgrad.trace.schema import from_json, to_json
from jaxgrad.trace.traced import Traced, as_params

_KINDS = ("params", "buffers", "constants")

_ROLES: dict[str, Role] = {"params": "parameter", "buffers": "buffer", "constants": "constant"}


def save(traced: Traced, path: str | os.PathLike[str]) -> None:
    """Write a traced module: graph, weights, buffers. The file is replaced when it is complete.

    Args:
        traced: from ``from_torch``.
        path: a name; the form is that of ``.safetensors``.

    >>> import tempfile
    >>> import torch
    >>> from jaxgrad import trace
    >>> batch = (torch.ones(4, 2), torch.zeros(4, 1))
    >>> traced = trace.from_torch(torch.nn.Linear(2, 1), torch.nn.functional.mse_loss, batch)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     trace.save(traced, f"{folder}/linear.safetensors")
    ...     again = trace.load(f"{folder}/linear.safetensors")
    >>> list(again.params)
    ['weight', 'bias']
    """
    kinds = zip(_KINDS, (traced.params, traced.buffers, traced.constants), strict=True)
    dtypes = {(each.role, each.key): each.meta.dtype for each in traced.graph.inputs}
    arrays = {}
    for kind, held in kinds:
        for name, value in held.items():  # integers in torch's width, whatever JAX's mode is
            array = np.asarray(value)
            arrays[f"{kind}/{name}"] = array.astype(dtypes.get((_ROLES[kind], name), array.dtype))
    notes = {
        "jaxgrad.trace": to_json(traced.graph),
        "names": json.dumps(list(arrays)),
        "frozen": json.dumps(sorted(traced.frozen)),
    }
    write_safetensors(path, arrays, notes)


def load(path: str | os.PathLike[str]) -> Traced:
    """Read what :func:`save` wrote; torch is not needed.

    Args:
        path: the file.

    Returns:
        a :class:`Traced`, whose ``params`` and ``buffers`` are those of the file.

    Raises:
        SerializationError: the file is broken, or no traced module.
        NotImplementedError: an operation that this version does not know.
    """
    arrays, notes = read_arrays(path)
    if "jaxgrad.trace" not in notes:
        refuse("the file holds no traced module", expected="a file of trace.save")
    graph = from_json(notes["jaxgrad.trace"])
    names, frozen = _names(notes, "names"), _names(notes, "frozen")
    if sorted(names) != sorted(arrays):
        refuse("the file of a traced module is damaged", got="the list of its tensors is not that of its contents")
    held: dict[str, dict[str, np.ndarray]] = {kind: {} for kind in _KINDS}
    for name in names:
        kind, _, key = name.partition("/")
        if kind not in held:
            refuse("the file of a traced module is damaged", got=f"a tensor of the kind {kind!r}")
        held[kind][key] = arrays[name]
    _check(graph, held)
    return Traced(as_params(held["params"]), as_params(held["buffers"]), frozenset(frozen), graph, held["constants"])


def _names(notes: dict[str, str], key: str) -> list[str]:
    try:
        read: Any = json.loads(notes.get(key, ""))
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, list) or not all(isinstance(each, str) for each in read):
        refuse("the file of a traced module is damaged", got=f"no list of {key}")
    return read


def _check(graph: Graph, held: dict[str, dict[str, np.ndarray]]) -> None:
    places = {role: kind for kind, role in _ROLES.items()}
    for each in graph.inputs:
        if each.role == "input":
            continue
        found = held[places[each.role]].get(each.key)
        if found is None or found.shape != each.meta.shape or found.dtype.name != each.meta.dtype:
            got = "nothing" if found is None else f"{found.dtype.name}{list(found.shape)}"
            refuse(
                f"the {each.role} {each.key} of a traced module does not fit its graph",
                got=got,
                expected=f"{each.meta.dtype}{list(each.meta.shape)}",
            )
