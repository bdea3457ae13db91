"""A graph as JSON and back; what is read is checked before it is used, and nothing is executed."""

import json
import math
from collections.abc import Callable
from typing import Any, get_args

from jaxgrad.serialization.errors import refuse
from jaxgrad.trace.batch import places_of
from jaxgrad.trace.graph import DType, Graph, Input, Meta, Node, Ref, Role, refs
from jaxgrad.trace.of_sizes import graph_of, sizes_of
from jaxgrad.trace.sizes import Size, checked

FORMAT = 3
_OLDER = 2

_WRONG = (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError, RecursionError)

_DTYPES = frozenset("bool uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64 complex64 complex128".split())


def to_json(graph: Graph) -> str:
    """A graph as text."""
    return json.dumps(
        {
            "format": FORMAT,
            "inputs": [[each.name, each.role, each.key, _meta_out(each.meta)] for each in graph.inputs],
            "nodes": [
                [
                    node.name,
                    node.op,
                    [_out(each) for each in node.args],
                    {key: _out(each) for key, each in node.kwargs.items()},
                    [None if meta is None else _meta_out(meta) for meta in node.metas],
                    node.place,
                    node.backward,
                ]
                for node in graph.nodes
            ],
            "outputs": list(graph.outputs),
            "gradients": [list(pair) for pair in graph.gradients],
            "mutated": [list(pair) for pair in graph.mutated],
            "returned": [list(pair) for pair in graph.returned],
            "structure": graph.structure,
            "output": graph.output,
            "sizes": dict(graph.sizes),
            "guards": [each.form for each in graph.guards],
        },
        allow_nan=False,
    )


def from_json(text: str) -> Graph:
    """The graph of a text.

    Raises:
        SerializationError: it is not what ``to_json`` writes, or a node reads what no node before it gives.
    """
    try:
        read = json.loads(text)
    except (ValueError, RecursionError) as error:
        refuse("the graph of a traced module is not valid JSON", got=str(error)[:200])
    if not isinstance(read, dict) or read.get("format") not in (FORMAT, _OLDER):
        got = read.get("format") if isinstance(read, dict) else type(read).__name__
        refuse("not the graph of a traced module, or of another version", got=got, expected=f"format {FORMAT}")
    try:
        graph = Graph(
            tuple(_input(each) for each in _list(read["inputs"])),
            tuple(_node(each) for each in _list(read["nodes"])),
            tuple(None if each is None else _text(each) for each in _list(read["outputs"])),
            _pairs(read["gradients"]),
            _pairs(read["mutated"]),
            read["structure"],
            read["output"],
            *(_named(read["sizes"], read["guards"]) if read["format"] != _OLDER else ({}, ())),
            _pairs(read.get("returned", [])),  # which files of older versions have not
        )
        _check_places(graph)
        _check_sizes(graph)
    except _WRONG as error:
        refuse("the graph of a traced module is damaged", got=f"{type(error).__name__}: {error}")
    _check_order(graph)
    return graph


def _check_places(graph: Graph) -> None:
    """The structures name every input and every output once."""
    inputs = sorted(int(each.key) for each in graph.inputs if each.role == "input")
    if sorted(places_of(graph.structure)) != inputs or inputs != list(range(len(inputs))):
        raise ValueError("the nesting of the batch does not name its inputs")
    if sorted(places_of(graph.output)) != list(range(len(graph.outputs))):
        raise ValueError("the nesting of the outputs does not name them")


def _check_order(graph: Graph) -> None:
    known = {each.name for each in graph.inputs}
    if len(known) != len(graph.inputs):
        refuse("the graph of a traced module is damaged", got="two inputs of one name")
    for node in graph.nodes:
        unknown = [name for name in refs([list(node.args), list(node.kwargs.values())]) if name not in known]
        if unknown or node.name in known:
            what = f"it reads {unknown[0]}, which is not computed before it" if unknown else "its name stands twice"
            refuse("the graph of a traced module is damaged", got=f"{node.name}: {what}")
        known.add(node.name)
    named = [name for name, _ in (*graph.gradients, *graph.mutated, *graph.returned)]
    for name in [*named, *(each for each in graph.outputs if each is not None)]:
        if name not in known:
            refuse("the graph of a traced module is damaged", got=f"a result {name} that nothing computes")


def _out(value: Any) -> Any:
    if isinstance(value, Ref):
        return {"ref": value.name}
    if isinstance(value, DType):
        return {"dtype": value.name}
    if isinstance(value, Size):
        return {"size": value.form}
    if isinstance(value, list | tuple):
        return [_out(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    if isinstance(value, complex):
        return {"complex": [value.real, value.imag]}
    return value


_MARKED: dict[str, Callable[[Any], Any]] = {
    "ref": lambda name: Ref(_text(name)),
    "dtype": lambda name: DType(_dtype(name)),
    "size": lambda form: Size(checked(form)),
    "float": lambda text: {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}[text],
    "complex": lambda parts: complex(float(parts[0]), float(parts[1])),
}


def _in(value: Any) -> Any:
    if isinstance(value, dict):
        ((mark, content),) = value.items()
        return _MARKED[mark](content)
    return [_in(each) for each in value] if isinstance(value, list) else value


def _meta_out(meta: Meta) -> list[Any]:
    return [_out(meta.shape), meta.dtype, list(meta.order)]


def _meta(value: Any) -> Meta:
    shape, dtype, order = _list(value)
    sizes = tuple(_in(n) if isinstance(n, dict) else _size(n) for n in _list(shape))
    axes = tuple(_size(n) for n in _list(order))
    if sorted(axes) != list(range(len(sizes))):
        raise ValueError(f"an order of axes {axes} for {len(sizes)} axes")
    return Meta(sizes, _dtype(dtype), axes)


def _named(sizes: Any, guards: Any) -> tuple[dict[str, int], tuple[Size, ...]]:
    if not isinstance(sizes, dict):
        raise TypeError("the sizes of a batch are a dict")
    return {_text(name): _size(size) for name, size in sizes.items()}, tuple(
        Size(checked(each)) for each in _list(guards)
    )


def _check_sizes(graph: Graph) -> None:
    """The example fits the graph that it was traced to, and so has every size that the graph names."""
    example = graph_of(graph, graph.sizes)
    for meta in (*(each.meta for each in example.inputs), *(each for node in example.nodes for each in node.metas)):
        for size in () if meta is None else meta.shape:
            _size(size)
    metas = {int(each.key): each.meta for each in example.of("input")}
    if sizes_of(graph, [metas[place].shape for place in range(len(metas))]) != dict(graph.sizes):
        raise ValueError("the sizes of the example do not fit the graph")


def _input(value: Any) -> Input:
    name, role, key, meta = _list(value)
    if role not in get_args(Role):
        raise ValueError(f"an input of the kind {role!r}")
    return Input(_text(name), role, _text(key), _meta(meta))


def _node(value: Any) -> Node:
    name, op, args, kwargs, metas, place, backward = _list(value)
    if not isinstance(kwargs, dict):
        raise TypeError("keyword arguments are a dict")
    read = {_text(key): _in(each) for key, each in kwargs.items()}
    kept = tuple(None if meta is None else _meta(meta) for meta in _list(metas))
    positional = tuple(_in(each) for each in _list(args))
    return Node(_text(name), _text(op), positional, read, kept or (None,), _text(place), bool(backward))


def _pairs(value: Any) -> tuple[tuple[str, str], ...]:
    return tuple((_text(first), _text(second)) for first, second in _list(value))


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"a list was expected, not {type(value).__name__}")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a name was expected, not {type(value).__name__}")
    return value


def _size(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"a size was expected, not {value!r}")
    return value


def _dtype(value: Any) -> str:
    if value not in _DTYPES:
        raise ValueError(f"no dtype is called {value!r}")
    return str(value)
