"""Running a graph in JAX."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.errors import explain
from jaxgrad._core.types import Array
from jaxgrad.random import Generator
from jaxgrad.trace.graph import DType, Graph, Meta, Node, Ref, refs, replaced
from jaxgrad.trace.table import DRAWS, TABLE
from jaxgrad.trace.table.align import dtype_of


def check_supported(graph: Graph) -> None:
    """Raise if an operation is not in the table, before anything is compiled.

    Raises:
        NotImplementedError: names each operation, and the modules and source lines that use it.
    """
    missing = sorted(op for op in graph.operations() if op not in TABLE and op not in DRAWS)
    if missing:
        lines = [f"{op}: {', '.join(graph.where.get(op, ('in the derivative of the model',))[:3])}" for op in missing]
        raise NotImplementedError(
            explain(
                "the traced module needs operations that are not in the table of operations",
                got="; ".join(lines),
                remedy="write these parts otherwise in torch, or the module with jaxgrad.nn",
            )
        )


def run(graph: Graph, fed: Mapping[str, Any], generator: Generator | None) -> tuple[dict[str, Any], Generator | None]:
    """The value of every node.

    Args:
        graph: what to run.
        fed: a value for each input, by the input's name.
        generator: what is drawn from.

    Returns:
        the values by name, and the stream after the last draw.

    Raises:
        TypeError: the graph draws and there is no generator.
    """
    values: dict[str, Any] = dict(fed)
    last_use = _last_uses(graph)
    for place, node in enumerate(graph.nodes):
        args = replaced(node.args, lambda leaf: _value(leaf, values))
        kwargs = {key: replaced(each, lambda leaf: _value(leaf, values)) for key, each in node.kwargs.items()}
        with jax.named_scope(node.name):
            if node.op in DRAWS:
                stream = _stream(generator, node) if draws_something(node) else generator
                result, generator = DRAWS[node.op](stream, node.metas[0], *args, **kwargs)
            else:
                result = TABLE[node.op](*args, **kwargs)
        values[node.name] = _as_in_torch(result, node)
        for name in last_use.get(place, ()):
            del values[name]
    return values, generator


def draws_something(node: Node) -> bool:
    """Whether an operation that may draw does: dropout of 0 and a recurrent layer without dropout draw nothing."""
    if node.op == "jaxgrad.recurrent":
        return bool(node.args[6]) and node.args[5] > 1
    return node.op != "native_dropout" or (node.args[1] not in (0, 1) and node.args[2] is not False)


def _value(leaf: Any, values: Mapping[str, Any]) -> Any:
    return values[leaf.name] if isinstance(leaf, Ref) else dtype_of(leaf.name) if isinstance(leaf, DType) else leaf


def _stream(generator: Generator | None, node: Node) -> Generator:
    if generator is None:
        raise TypeError(
            explain(
                f"the traced module draws random numbers ({node.op}), and there is no generator",
                remedy="traced.loss_fn(params, *batch, buffers=buffers, generator=random.manual_seed(seed))",
            )
        )
    return generator


def _as_in_torch(result: Any, node: Node) -> Any:
    if isinstance(result, tuple | list):
        metas = node.metas if len(node.metas) == len(result) else (None,) * len(result)
        return [_typed(each, meta) for each, meta in zip(result, metas, strict=True)]
    return _typed(result, node.metas[0])


def _typed(value: Any, meta: Meta | None) -> Any:
    """Torch's dtype; a scalar tensor does not widen an array there."""
    if meta is None or value is None:
        return value
    array: Array = jnp.asarray(value)
    wanted = dtype_of(meta.dtype)
    return array if array.dtype == wanted else array.astype(wanted)


def _last_uses(graph: Graph) -> dict[int, list[str]]:
    """Which values are not needed after which node, so that an eager run frees them."""
    kept = {name for name in graph.outputs if name} | {name for name, _ in graph.mutated}
    kept |= {name for name, _ in (*graph.gradients, *graph.input_gradients)}
    last: dict[str, int] = {}
    for place, node in enumerate(graph.nodes):
        for name in refs([list(node.args), list(node.kwargs.values())]):
            last[name] = place
    at: dict[int, list[str]] = {}
    for name, place in last.items():
        if name not in kept:
            at.setdefault(place, []).append(name)
    return at
