"""What a walk through the object must not meet: a million levels, a loop, or sharing that unfolds without end."""

from typing import Any

from jaxgrad.serialization._pickle.machine import WEIGHTS_ONLY
from jaxgrad.serialization._pickle.tensors import Storage
from jaxgrad.serialization.errors import refuse

_DEEPEST = 200
_UNFOLDED = 20_000_000
_CONTAINERS = (dict, list, tuple, set)


def check_shape(tree: Any) -> Any:
    """The object, if whoever walks through it comes to an end.

    Raises:
        SerializationError: it contains itself, is nested deeper than 200 levels, or unfolds to absurd sizes.
    """
    sizes: dict[int, int] = {}  # of finished containers, everything below counted as often as it is met
    open_: set[int] = set()
    stack: list[tuple[Any, bool]] = [(tree, False)]
    while stack:
        node, seen = stack.pop()
        if not isinstance(node, _CONTAINERS) or (id(node) in sizes and not seen):
            continue
        if seen:
            open_.discard(id(node))
            size = 1 + sum(sizes.get(id(child), 1) for child in _children(node))
            if size > _UNFOLDED:
                refuse(f"{WEIGHTS_ONLY}the object unfolds to more than {_UNFOLDED} parts")
            sizes[id(node)] = size
            continue
        if id(node) in open_:
            refuse(f"{WEIGHTS_ONLY}the object contains itself")
        open_.add(id(node))
        if len(open_) > _DEEPEST:
            refuse(f"{WEIGHTS_ONLY}the object is nested deeper than {_DEEPEST} levels")
        stack.append((node, True))
        stack.extend((child, False) for child in _children(node) if isinstance(child, _CONTAINERS))
    return tree


def whole_storages(tree: Any) -> Any:
    """The object with a flat array for each bare storage; lists and dicts are filled in place."""
    done: dict[int, tuple[Any, Any]] = {}  # the old tuples too, so that no id is used twice

    def whole(node: Any) -> Any:
        if type(node) is Storage:
            return node.whole()
        if not isinstance(node, _CONTAINERS):
            return node
        if id(node) in done:
            return done[id(node)][1]
        new = node
        if isinstance(node, dict):
            for name, value in node.items():
                node[name] = whole(value)
        elif type(node) is list:
            node[:] = [whole(value) for value in node]
        elif type(node) is tuple:
            values = [whole(value) for value in node]
            if any(one is not other for one, other in zip(values, node, strict=True)):
                new = tuple(values)
        done[id(node)] = (node, new)
        return new

    return whole(tree)


def _children(node: Any) -> Any:
    if isinstance(node, dict):
        return (*node.values(), *getattr(node, "__dict__", {}).values())
    return node
