"""What each module of a traced model returned, so that a run of the graph can show it as a hook shows it in torch.

While torch traces, a hook on every module hands a copy of what it returns to the traced function, as one more result.
Once the graph is there these results are taken out of it again, with all that was computed for them alone: what is left
is the graph as it would have been, and which of its nodes is which module's output.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

from jaxgrad.trace.places import below
from jaxgrad.trace.tensors import torch


class Returned:
    """The outputs of the modules, in the order in which they finish.

    Attributes:
        names: as in a recording: ``fc``, ``model`` for the whole, ``fc@1`` for a second call, ``lstm#0``, ``lstm#1``
            for several tensors.
        tensors: copies of them, without a derivative.
    """

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """A forward pass begins."""
        self.names: list[str] = []
        self.tensors: list[Any] = []
        self._calls: Counter[str] = Counter()

    def note(self, path: str, output: Any) -> None:
        """What the module of this path returned."""
        name = (path or "model") + (f"@{self._calls[path]}" if self._calls[path] else "")
        self._calls[path] += 1
        found = _tensors_in(output)
        for place, each in enumerate(found):
            if not torch()._C._functorch.is_functorch_wrapped_tensor(each):  # it has no value outside of its transform
                self.names.append(name if len(found) == 1 else f"{name}#{place}")
                self.tensors.append(each.detach().clone())


@contextlib.contextmanager
def noted(whole: Any, returned: Returned) -> Iterator[None]:
    """While this holds, what the modules below the traced whole return is noted."""

    def hook(path: str) -> Any:
        return lambda module, args, output: returned.note(path, output)

    handles = [
        module.register_forward_hook(hook(below(name)))
        for name, module in whole.named_modules()
        if name == "module" or name.startswith("module.")
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def taken(traced: Any, names: list[str]) -> tuple[tuple[str, str], ...]:
    """Take the results that are outputs of modules from torch's graph: (their node, their name).

    Args:
        traced: the graph module; its first result is the loss, those of ``names`` follow.
        names: of the modules' outputs.
    """
    result = next(iter(reversed(traced.graph.nodes)))
    of_modules, kept = [], []
    for node, described in zip(result.args[0], result.meta["desc"], strict=True):
        place = getattr(described, "idx", 0) if type(described).__name__ == "PlainAOTOutput" else 0
        if place:
            of_modules.append((place, _source(node)))
        else:
            kept.append((node, described))
    result.args, result.meta["desc"] = (tuple(node for node, _ in kept),), [described for _, described in kept]
    traced.graph.eliminate_dead_code()
    alive = set(traced.graph.nodes)
    of_modules.sort(key=lambda pair: pair[0])
    return tuple((node.name, names[place - 1]) for place, node in of_modules if node in alive)


def _source(node: Any) -> Any:
    """What a copy is a copy of."""
    aten = torch().ops.aten
    while node.target in (aten.clone.default, aten.detach.default, aten.alias.default):
        node = node.args[0]
    return node


def _tensors_in(value: Any) -> list[Any]:
    """The tensors in a nesting of tuples, lists, dicts and records, in order."""
    if isinstance(value, torch().Tensor):
        return [value]
    if isinstance(value, dict):
        return [tensor for each in value.values() for tensor in _tensors_in(each)]
    if isinstance(value, list | tuple):
        return [tensor for each in value for tensor in _tensors_in(each)]
    if hasattr(value, "__dataclass_fields__"):
        return [tensor for name in value.__dataclass_fields__ for tensor in _tensors_in(getattr(value, name))]
    return []
