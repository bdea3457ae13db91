"""A traced module as a file: a run that was begun with torch goes on where torch is not installed.

The file is a safetensors file: parameters, buffers and constants as tensors, the graph as JSON in its metadata. Reading
it executes nothing.
"""

import json
import os
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import jax
import numpy as np

from jaxgrad import random
from jaxgrad._core.types import Array, Buffers, Params
from jaxgrad.serialization.errors import refuse
from jaxgrad.serialization.safetensors import read_arrays, write_safetensors
from jaxgrad.trace.batch import places_of
from jaxgrad.trace.interpret import run
from jaxgrad.trace.schema import from_json, to_json
from jaxgrad.trace.shapes import Captured, feed
from jaxgrad.trace.table import DRAWS
from jaxgrad.trace.table.align import dtype_of
from jaxgrad.trace.traced import Traced, traced_of

_KINDS = {"parameter": "params", "buffer": "buffers"}


def save(traced: Traced, path: str | os.PathLike[str]) -> None:
    """Write a traced module: its graphs (one for each form of batch that it was used with), weights, buffers.

    The file is replaced when it is complete.

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
    graphs = traced.shapes.all()
    arrays = {f"params/{name}": np.asarray(value) for name, value in traced.params.items()}
    arrays |= {f"buffers/{name}": np.asarray(value) for name, value in traced.buffers.items()}
    dtypes = {f"{_KINDS[each.role]}/{each.key}": each.meta.dtype for each in traced.graph.inputs if each.role in _KINDS}
    arrays = {name: array.astype(dtypes.get(name, array.dtype)) for name, array in arrays.items()}  # torch's integers
    for place, each in enumerate(graphs):
        arrays |= {f"constants {place}/{name}": value for name, value in each.constants.items()}
    texts = [to_json(each.graph) for each in graphs]
    notes = {
        "jaxgrad.trace": json.dumps(texts),
        "digest": _digest(texts, arrays),
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

    >>> import tempfile
    >>> import torch
    >>> from jaxgrad import trace
    >>> batch = (torch.zeros(4, 3), torch.zeros(4, 1))
    >>> traced = trace.from_torch(torch.nn.Linear(3, 1), torch.nn.functional.mse_loss, batch)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     trace.save(traced, f"{folder}/traced.safetensors")
    ...     sorted(trace.load(f"{folder}/traced.safetensors").params)
    ['bias', 'weight']
    """
    arrays, notes = read_arrays(path)
    if "jaxgrad.trace" not in notes:
        refuse("the file holds no traced module", expected="a file of trace.save")
    texts, names, frozen = (_names(notes, key) for key in ("jaxgrad.trace", "names", "frozen"))
    if not texts:
        refuse("the file of a traced module is damaged", got="no graph")
    graphs = [from_json(text) for text in texts]
    if sorted(names) != sorted(arrays):
        refuse("the file of a traced module is damaged", got="the list of its tensors is not that of its contents")
    kinds = ["params", "buffers", *(f"constants {place}" for place in range(len(graphs)))]
    held: dict[str, dict[str, np.ndarray]] = {kind: {} for kind in kinds}
    for name in names:
        kind, _, key = name.partition("/")
        if kind not in held:
            refuse("the file of a traced module is damaged", got=f"a tensor of the kind {kind!r}")
        held[kind][key] = arrays[name]
    captured = [Captured(graph, held[f"constants {place}"]) for place, graph in enumerate(graphs)]
    if notes.get("digest") != _digest(texts, arrays):
        refuse("the file of a traced module is damaged", got="its contents are not those that were written")
    for each in captured:
        _check(each.example(), held)
        if places_of(each.graph.structure) != places_of(captured[0].graph.structure):
            refuse("the file of a traced module is damaged", got="graphs of batches that are nested differently")
    traced = traced_of(held["params"], held["buffers"], frozenset(frozen), captured, None)
    for each in captured:
        _try(each.example(), traced)
    return traced


def _digest(texts: list[str], arrays: Mapping[str, np.ndarray]) -> str:
    """What tells a file that was written from one that was changed, by accident or by hand."""
    digest = sha256()
    for text in texts:
        digest.update(text.encode())
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype.name} {arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


def _try(captured: Captured, traced: Traced) -> None:
    """Follow every operation with shapes alone: nothing is computed, and what cannot be is refused here."""
    graph = captured.graph
    batch = tuple(jax.ShapeDtypeStruct(meta.shape, dtype_of(meta.dtype)) for meta in captured.inputs())

    def follow(params: Params, buffers: Buffers, batch: tuple[Array, ...]) -> dict[str, Any]:
        every = [node.name for node in graph.nodes]
        generator = random.manual_seed(0) if any(node.op in DRAWS for node in graph.nodes) else None
        return run(graph, feed(captured, params, batch, buffers), generator, every)[0]

    try:
        jax.eval_shape(follow, dict(traced.params), dict(traced.buffers), batch)
    except Exception as error:
        first = str(error).splitlines()[0] if str(error) else ""
        refuse("the graph of a traced module cannot be run", got=f"{type(error).__name__}: {first:.300}")


def _names(notes: dict[str, str], key: str) -> list[str]:
    try:
        read: Any = json.loads(notes.get(key, ""))
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, list) or not all(isinstance(each, str) for each in read):
        refuse("the file of a traced module is damaged", got=f"no list of {key}")
    return read


def _check(captured: Captured, held: dict[str, dict[str, np.ndarray]]) -> None:
    """Parameters, buffers and constants are those that the graph asks for; its results go to names that are there."""
    graph = captured.graph
    for each in graph.inputs:
        if each.role == "input":
            continue
        own = captured.constants if each.role == "constant" else held[_KINDS[each.role]]
        found = own.get(each.key)
        if found is None or found.shape != each.meta.shape or found.dtype.name != each.meta.dtype:
            got = "nothing" if found is None else f"{found.dtype.name}{list(found.shape)}"
            refuse(
                f"the {each.role} {each.key} of a traced module does not fit its graph",
                got=got,
                expected=f"{each.meta.dtype}{list(each.meta.shape)}",
            )
    metas = graph.metas()
    losses = [metas[name] if name else None for name in graph.outputs]
    if len(losses) != 1 or losses[0] is None or losses[0].shape != ():
        refuse("the graph of a traced module is damaged", got="no loss, which is one number")
    unknown = [name for _, name in graph.gradients if name not in held["params"]]
    unknown += [name for _, name in graph.mutated if name not in held["params"] and name not in held["buffers"]]
    if unknown:
        refuse("the graph of a traced module is damaged", got=f"a result for {unknown[0]}, which there is not")
