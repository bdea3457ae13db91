"""A traced computation as data: what torch's joint graph says, without torch.

A node is one ATen operation. Its arguments are plain values, other nodes (``Ref``) and dtypes (``DType``), so that the
whole can be written as JSON and read where torch is not installed. What a node gives in torch (shape, dtype, order of
its axes in memory) stands beside it: a dropout mask is filled in memory order, which an array does not know.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from jaxgrad.trace.sizes import Size

Role: TypeAlias = Literal["parameter", "buffer", "constant", "input"]


@dataclass(frozen=True)
class Ref:
    """The value of another node or input."""

    name: str


@dataclass(frozen=True)
class DType:
    """A dtype among the arguments, by numpy's name."""

    name: str


@dataclass(frozen=True)
class Meta:
    """What a value is in torch.

    Attributes:
        shape: its shape; a ``Size`` where it depends on the batch.
        dtype: numpy's name of its dtype.
        order: its axes in the order of their strides, outermost first: how torch keeps it in memory.
    """

    shape: tuple[Any, ...]
    dtype: str
    order: tuple[int, ...]


@dataclass(frozen=True)
class Input:
    """What is fed to the graph.

    Attributes:
        name: how nodes refer to it.
        role: parameter, buffer, constant (a tensor the module holds without registering it), or input of the call.
        key: its dotted name, or the place of an input.
        meta: shape and dtype.
    """

    name: str
    role: Role
    key: str
    meta: Meta


@dataclass(frozen=True)
class Node:
    """One operation.

    Attributes:
        name: how other nodes refer to it.
        op: torch's name of the operation, without ``aten.`` and ``.default``.
        args: plain values, ``Ref``, ``DType``, ``Size`` and lists of them.
        kwargs: the same by name.
        metas: of each result; None for what is no tensor.
        place: the module and the source line that it comes from, or that it is the derivative of.
        backward: whether it is part of the derivative.
    """

    name: str
    op: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    metas: tuple[Meta | None, ...]
    place: str = ""
    backward: bool = False


@dataclass(frozen=True)
class Graph:
    """Forward, and backward where there is a loss, as a list of operations in order.

    Attributes:
        inputs: in the order in which torch takes them.
        nodes: every operation after those it reads.
        outputs: what the forward returns: names of nodes, or None.
        gradients: which node is the gradient of which parameter; a tied parameter has several.
        mutated: which node is the new value of which buffer, or of which parameter that the forward itself changes.
        structure: how the batch is nested (``trace.batch``).
        output: how the outputs are nested.
        sizes: the names that the sizes of a batch have in it, with those of the example; empty if it is for one shape.
        guards: what must hold of the sizes for the graph to be torch's.
        returned: which node or input is the output of which module, in the order in which they finish; those that
            nothing depends on are left out.
    """

    inputs: tuple[Input, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[str | None, ...]
    gradients: tuple[tuple[str, str], ...] = ()
    mutated: tuple[tuple[str, str], ...] = ()
    structure: Any = field(default_factory=lambda: {"tuple": []})
    output: Any = 0
    sizes: Mapping[str, int] = field(default_factory=dict)
    guards: tuple[Size, ...] = ()
    returned: tuple[tuple[str, str], ...] = ()

    def of(self, role: Role) -> list[Input]:
        """The inputs of one role, in order."""
        return [each for each in self.inputs if each.role == role]

    def metas(self) -> dict[str, Meta | None]:
        """What each input and node is in torch, where it is one tensor."""
        of_inputs: dict[str, Meta | None] = {each.name: each.meta for each in self.inputs}
        return of_inputs | {node.name: node.metas[0] for node in self.nodes}

    def operations(self) -> set[str]:
        """The names of all operations."""
        return {node.op for node in self.nodes}


def replaced(value: Any, leaf: Callable[[Any], Any]) -> Any:
    """A nesting of lists with every ``Ref``, ``DType`` and ``Size`` in it replaced.

    >>> replaced([Ref("a"), 2], lambda each: each.name)
    ['a', 2]
    """
    if isinstance(value, Ref | DType | Size):
        return leaf(value)
    if isinstance(value, list | tuple):
        return [replaced(each, leaf) for each in value]
    return value


def refs(value: Any) -> Iterator[str]:
    """The names of all nodes in a nesting of arguments."""
    if isinstance(value, Ref):
        yield value.name
    elif isinstance(value, list | tuple):
        for each in value:
            yield from refs(each)
