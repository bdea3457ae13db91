"""A graph whose sizes have names, as the graph for a batch of certain sizes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from jaxgrad.trace.graph import Graph, Input, Meta, Node, replaced
from jaxgrad.trace.sizes import Size


def sizes_of(graph: Graph, shapes: Sequence[tuple[int, ...]]) -> dict[str, int] | None:
    """The named sizes in arrays of these shapes, in the order of the batch; None if the graph is not theirs.

    >>> from jaxgrad.trace.sizes import Size
    >>> meta = Meta((Size("s0"), 3), "float32", (0, 1))
    >>> graph = Graph((Input("x", "input", "0", meta),), (), (), sizes={"s0": 4}, guards=(Size(("ge", "s0", 2)),))
    >>> sizes_of(graph, [(8, 3)]), sizes_of(graph, [(8, 4)]), sizes_of(graph, [(1, 3)])
    ({'s0': 8}, None, None)
    """
    metas = {int(each.key): each.meta for each in graph.of("input")}
    wanted = [metas[place].shape for place in range(len(metas))]
    if [len(shape) for shape in shapes] != [len(shape) for shape in wanted]:
        return None
    pairs = [pair for shape, named in zip(shapes, wanted, strict=True) for pair in zip(shape, named, strict=True)]
    found: dict[str, int] = {}
    for size, named in pairs:
        if isinstance(named, Size) and isinstance(named.form, str):
            found.setdefault(named.form, size)
    if found.keys() != graph.sizes.keys():
        return None
    try:
        fits = all(each.at(found) for each in graph.guards) and all(size == _at(named, found) for size, named in pairs)
    except ArithmeticError:  # of a size that another guard excludes
        fits = False
    return found if fits else None


def graph_of(graph: Graph, sizes: Mapping[str, int]) -> Graph:
    """The graph with numbers for the named sizes."""
    if not graph.sizes:
        return graph

    def fixed(value: Any) -> Any:
        return replaced(value, lambda leaf: _at(leaf, sizes))

    def shaped(meta: Meta) -> Meta:
        return replace(meta, shape=tuple(_at(each, sizes) for each in meta.shape))

    def node(each: Node) -> Node:
        return replace(
            each,
            args=tuple(fixed(list(each.args))),
            kwargs={key: fixed(value) for key, value in each.kwargs.items()},
            metas=tuple(None if meta is None else shaped(meta) for meta in each.metas),
        )

    inputs: tuple[Input, ...] = tuple(replace(each, meta=shaped(each.meta)) for each in graph.inputs)
    return replace(graph, inputs=inputs, nodes=tuple(map(node, graph.nodes)), sizes={}, guards=())


def _at(value: Any, sizes: Mapping[str, int]) -> Any:
    return value.at(sizes) if isinstance(value, Size) else value
