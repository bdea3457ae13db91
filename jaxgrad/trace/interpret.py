"""Running a graph in JAX."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.errors import explain
from jaxgrad._core.types import Array
from jaxgrad.random import Generator
from jaxgrad.trace.graph import DType, Graph, Meta, Node, Ref, refs, replaced
from jaxgrad.trace.table import DRAWS, FILLING, LAYOUT, TABLE
from jaxgrad.trace.table.align import dtype_of


def check_supported(graph: Graph) -> None:
    """Raise if an operation is not in the table, before anything is compiled.

    Raises:
        NotImplementedError: names each operation, and the modules and source lines that use it.
    """
    places: dict[str, dict[str, None]] = {}
    for node in graph.nodes:
        if not any(node.op in table for table in (TABLE, DRAWS, LAYOUT)):
            place = node.place or "an unknown place"
            places.setdefault(node.op, {})[f"the derivative of {place}" if node.backward else place] = None
    if places:
        lines = [f"{op}: {', '.join(list(found)[:3])}" for op, found in sorted(places.items())]
        raise NotImplementedError(
            explain(
                "the traced module needs operations that are not in the table of operations",
                got="; ".join(lines),
                remedy="write these parts otherwise in torch, or the module with jaxgrad.nn",
            )
        )


def run(
    graph: Graph,
    fed: Mapping[str, Any],
    generator: Generator | None,
    wanted: Collection[str],
    instead: Callable[[str, Any], Any] | None = None,
) -> tuple[dict[str, Any], Generator | None]:
    """The values of some nodes; what they do not need is not computed, but for the draws.

    Args:
        graph: what to run.
        fed: a value for each input, by the input's name.
        generator: what is drawn from.
        wanted: names of nodes or inputs.
        instead: ``(name, value) -> value`` that goes on from a node; asked once, when it is computed.

    Returns:
        the values by name, and the stream after the last draw.

    Raises:
        TypeError: the graph draws and there is no generator.
    """
    values: dict[str, Any] = dict(fed)
    nodes, metas = needed(graph, wanted), graph.metas()
    last_use = _last_uses(nodes, wanted)
    for place, node in enumerate(nodes):
        args = replaced(node.args, lambda leaf: _value(leaf, values))
        kwargs = {key: replaced(each, lambda leaf: _value(leaf, values)) for key, each in node.kwargs.items()}
        with jax.named_scope(node.name):
            value, generator = apply(node, args, kwargs, generator, metas)
            values[node.name] = value if instead is None else instead(node.name, value)
        for name in last_use.get(place, ()):
            del values[name]
    return {name: values[name] for name in wanted}, generator


def apply(
    node: Node, args: Any, kwargs: Any, generator: Generator | None, metas: Mapping[str, Meta | None]
) -> tuple[Any, Generator | None]:
    """One operation on these arguments, in torch's dtypes; and the stream after it."""
    if node.op in DRAWS:
        stream = _stream(generator, node) if draws_something(node) else generator
        result, generator = DRAWS[node.op](stream, _filled(node, metas), *args, **kwargs)
    elif node.op in LAYOUT:
        meta = metas[node.args[0].name]
        result = LAYOUT[node.op](tuple(range(args[0].ndim)) if meta is None else meta.order, *args, **kwargs)
    else:
        result = TABLE[node.op](*args, **kwargs)
    return _as_in_torch(result, node), generator


def _filled(node: Node, metas: Mapping[str, Meta | None]) -> Meta | None:
    """What a draw fills: ``x.bernoulli_(p)`` the memory of ``x``, which its form in the graph does not say."""
    meta = node.metas[0]
    own = metas.get(node.args[0].name) if node.op in FILLING and isinstance(node.args[0], Ref) else None
    return meta if meta is None or own is None or own.shape != meta.shape else replace(meta, order=own.order)


def needed(graph: Graph, wanted: Collection[str]) -> list[Node]:
    """The nodes that the wanted ones are computed from, and those that draw in the forward, in order."""
    names = set(wanted)
    kept = []
    for node in reversed(graph.nodes):
        if node.name in names or (node.op in DRAWS and draws_something(node)):
            kept.append(node)
            names.update(refs([list(node.args), list(node.kwargs.values())]))
    return kept[::-1]


def draws_something(node: Node) -> bool:
    """Whether an operation that may draw does: dropout of 0 and a recurrent layer without dropout draw nothing."""
    if node.op == "jaxgrad.recurrent":
        return bool(node.args[6]) and node.args[5] > 1
    if node.op == "rrelu_with_noise_functional":
        return len(node.args) > 4 and bool(node.args[4])
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
    """In torch's dtypes; a result of another shape than torch's is refused, before it is broadcast further on."""
    first = result[0] if isinstance(result, tuple | list) and result else result
    meta = node.metas[0]
    if meta is not None and first is not None and jnp.shape(first) != meta.shape:
        raise ValueError(f"{node.op} ({node.name}) gives {list(jnp.shape(first))} where torch has {list(meta.shape)}")
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


def _last_uses(nodes: list[Node], wanted: Collection[str]) -> dict[int, list[str]]:
    """Which values are not needed after which node, so that an eager run frees them."""
    last: dict[str, int] = {}
    for place, node in enumerate(nodes):
        last.setdefault(node.name, place)
        for name in refs([list(node.args), list(node.kwargs.values())]):
            last[name] = place
    at: dict[int, list[str]] = {}
    for name, place in last.items():
        if name not in wanted:
            at.setdefault(place, []).append(name)
    return at
