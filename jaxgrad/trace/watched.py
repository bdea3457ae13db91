"""A traced module shows what its modules return, to whoever watches, as a model of ours does (``_core.tap``)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jaxgrad._core.tap import Tap, given_for
from jaxgrad._core.types import Array
from jaxgrad.trace.graph import Graph


@dataclass(frozen=True)
class Watched:
    """What is asked of a run of a graph.

    Attributes:
        outputs: the name of a module's output -> the node that it is.
        instead: node -> the array that goes on in its place.

    >>> Watched().nodes
    []
    """

    outputs: Mapping[str, str] = field(default_factory=dict)
    instead: Mapping[str, Array] = field(default_factory=dict)

    @classmethod
    def by(cls, tap: Tap | None, graph: Graph) -> "Watched":
        """What a tap asks of a graph; nothing where there is none."""
        if tap is None:
            return cls()
        node_of = {name: node for node, name in graph.returned}
        outputs = {name: node for name, node in node_of.items() if tap.asks(name)}
        return cls(outputs, {node: tap.instead[name] for name, node in node_of.items() if name in tap.instead})

    @property
    def nodes(self) -> list[str]:
        """The nodes that are asked for, each once."""
        return list(dict.fromkeys(self.outputs.values()))

    def named(self, values: Mapping[str, Array], own: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name; a module that hands on what another returned has the array that went on from there.

        Args:
            values: of the nodes, as they went on.
            own: of the nodes in whose place another array went on, what they gave themselves.
        """
        named: dict[str, Array] = {}
        met: set[str] = set()
        for name, node in self.outputs.items():
            named[name] = values[node] if node in met else own.get(node, values[node])
            met.add(node)
        return named


class Exchange:
    """Puts arrays in the place of what nodes give.

    Attributes:
        own: what those nodes gave.
    """

    def __init__(self, instead: Mapping[str, Array]):
        self.instead = instead
        self.own: dict[str, Any] = {}

    def __call__(self, node: str, value: Any) -> Any:
        """What goes on from a node that gave this value."""
        if node not in self.instead:
            return value
        self.own[node] = value
        return given_for(value, self.instead[node])
