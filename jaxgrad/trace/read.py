"""Torch's graph as data of ours: every node, what is fed to it, and what its results mean.

Torch describes each input and output (``meta["desc"]``): which parameter or buffer, which gradient, which new value.
"""

import operator
from typing import Any

import numpy as np

from jaxgrad.trace.batch import Structure
from jaxgrad.trace.graph import DType, Graph, Input, Meta, Node, Ref, Role
from jaxgrad.trace.places import below, is_backward, places
from jaxgrad.trace.returned import taken
from jaxgrad.trace.symbolic import examples, guards, hint, is_symbolic, number
from jaxgrad.trace.tensors import as_numpy, dtype_name, torch

_WITHOUT_MEANING = ("device", "layout", "pin_memory", "memory_format", "non_blocking")


def read(
    traced: Any, whole: Any, structure: Structure, output: Structure, record: Any = None
) -> tuple[Graph, dict[str, np.ndarray]]:
    """A graph of torch as data, and the values of its constants.

    Args:
        traced: the graph module.
        whole: the module that was traced, whose tied parameters share one name.
        structure: of the batch.
        output: of what the module returns.
        record: torch's of the named sizes; None if there are none.

    Raises:
        NoForm: a number that depends on a size in a way that is not known here.
        RuntimeError: the graph does what a pure function of parameters and buffers cannot.
    """
    returned = taken(traced, whole.returned.names) if whole.returned.names else ()
    owners = _owners(whole)
    inputs: list[Input] = []
    nodes: list[Node] = []
    constants: dict[str, np.ndarray] = {}
    where = places(list(traced.graph.nodes))
    for node in traced.graph.nodes:
        if node.op == "placeholder":
            _feed(node, owners, inputs, nodes)
        elif node.op == "get_attr":
            constants[node.target] = _constant(traced, node)
            inputs.append(Input(node.name, "constant", node.target, _meta(getattr(traced, node.target))))
        elif node.op != "output" and not is_symbolic(node.meta.get("val")):  # such a number stands where it is read
            nodes.append(_node(node, where[node.name]))
    outputs, gradients, mutated = _results(next(iter(reversed(traced.graph.nodes))), owners)
    named = ({}, ()) if record is None else (examples(record), guards(record))
    graph = Graph(tuple(inputs), tuple(nodes), outputs, gradients, mutated, structure, output, *named, returned)
    return graph, constants


def _feed(node: Any, owners: dict[str, str], inputs: list[Input], nodes: list[Node]) -> None:
    described, kind = node.meta["desc"], type(node.meta["desc"]).__name__
    value = node.meta["val"]
    if kind == "TangentAOTInput":  # backward() starts from 1 at the loss; a changed parameter is a result too
        start = ([number(n) for n in value.shape], 1.0 if type(described.output).__name__ == "PlainAOTOutput" else 0.0)
        nodes.append(
            Node(node.name, "full", start, {"dtype": DType(dtype_name(value.dtype))}, (_meta(value),), "", True)
        )
        return
    roles: dict[str, tuple[Role, Any]] = {
        "ParamAOTInput": ("parameter", lambda: owners[described.target]),
        "BufferAOTInput": ("buffer", lambda: below(described.target)),
        "PlainAOTInput": ("input", lambda: str(described.idx)),
    }
    if kind not in roles:
        raise RuntimeError(f"tensors that share memory and are changed in place ({described})")
    role, key = roles[kind]
    inputs.append(Input(node.name, role, key(), _meta(value)))


def _results(
    node: Any, owners: dict[str, str]
) -> tuple[tuple[str | None, ...], tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """Outputs, gradients of parameters, new values of buffers and of parameters that the forward itself changes."""
    outputs: dict[int, str | None] = {}
    gradients, mutated = [], []
    for result, described in zip(node.args[0], node.meta["desc"], strict=True):
        kind, name = type(described).__name__, getattr(result, "name", None)
        if described is None and name is None:  # an input without a gradient
            continue
        if kind == "PlainAOTOutput":
            outputs[described.idx] = name
        elif kind == "GradAOTOutput":
            of = described.grad_of
            if name is not None and type(of).__name__ == "ParamAOTInput":
                gradients.append((name, owners[of.target]))
        elif kind == "InputMutationAOTOutput":
            target = described.mutated_input
            key = owners.get(target.target, below(target.target)) if hasattr(target, "target") else None
            if key is not None and name is not None:  # what is written into the batch is not remembered
                mutated.append((name, key))
        elif kind != "IntermediateBaseAOTOutput":
            raise RuntimeError(f"a result of a kind that is not known here ({described})")
    return tuple(outputs[place] for place in sorted(outputs)), tuple(gradients), tuple(mutated)


def _owners(whole: Any) -> dict[str, str]:
    """The first name of every parameter, so that tied ones share one."""
    first: dict[int, str] = {}
    return {
        name: first.setdefault(id(parameter), below(name))
        for name, parameter in whole.named_parameters(remove_duplicate=False)
    }


def _constant(traced: Any, node: Any) -> np.ndarray:
    value = getattr(traced, node.target)
    if not isinstance(value, torch().Tensor):
        raise RuntimeError(f"an operation that holds a graph of its own ({node.target})")
    return as_numpy(value)


def _node(node: Any, place: str) -> Node:
    if node.target is operator.getitem:
        op = "getitem"
    elif isinstance(node.target, torch()._ops.OpOverload):
        op = str(node.target).removeprefix("aten.").removesuffix(".default")
    else:
        raise RuntimeError(f"an operation that holds a graph of its own ({node.target}), used by {place or 'the loss'}")
    if op.startswith("as_strided"):
        _check_dense(node.args[0].meta["val"], place)
    if op == "multinomial" and not node.args[0].meta["val"].is_contiguous():
        raise RuntimeError(f"multinomial of weights that do not lie row by row, used by {place}")
    value = node.meta.get("val")
    values = value if isinstance(value, tuple | list) else (value,)
    return Node(
        node.name,
        op,
        tuple(_argument(each) for each in node.args),
        {key: _argument(each) for key, each in node.kwargs.items() if key not in _WITHOUT_MEANING},
        tuple(_meta(each) if hasattr(each, "stride") else None for each in values),
        place,
        is_backward(node),
    )


def _check_dense(value: Any, place: str) -> None:
    """``as_strided`` reads the memory behind a tensor, which the tensor holds only where it is whole."""
    if hint(value.untyped_storage().nbytes()) != hint(value.numel()) * value.element_size():
        raise RuntimeError(f"as_strided of a part of a tensor, used by {place}")


def _argument(value: Any) -> Any:
    t = torch()
    if isinstance(value, t.fx.Node):
        return number(value.meta["val"]) if is_symbolic(value.meta.get("val")) else Ref(value.name)
    if is_symbolic(value):
        return number(value)
    if isinstance(value, t.dtype):
        return DType(dtype_name(value))
    if isinstance(value, tuple | list):
        return [_argument(each) for each in value]
    if value is None or isinstance(value, bool | int | float | str | complex):
        return value
    if isinstance(value, t.device | t.layout | t.memory_format):
        return None
    raise RuntimeError(f"an argument of a traced operation that is not plain data: {type(value).__name__}")


def _meta(value: Any) -> Meta:
    strides = [hint(each) for each in value.stride()]
    order = sorted(range(value.ndim), key=lambda axis: (-strides[axis], axis))
    return Meta(tuple(number(n) for n in value.shape), dtype_name(value.dtype), tuple(order))
