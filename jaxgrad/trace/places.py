"""Where in the model an operation comes from: which module, at which line of whose code.

While torch traces, hooks follow which module is running, and a mode of torch sees every call of its functions; it
writes the place into the metadata that torch hands on to each node. A node of the backward has the number of the
operation that it is the derivative of.
"""

import contextlib
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

_KEY = "jaxgrad.place"

_PYTHON = str(Path(contextlib.__file__).parent / "contextlib.py")
_LIBRARY = str(Path(__file__).parent)
_CAPTURE = str(Path(__file__).parent / "capture.py")


@contextlib.contextmanager
def followed(torch: Any, whole: Any, seen: list[str]) -> Iterator[None]:
    """While this holds, nodes that torch's tracer makes know their place; the latest is kept in ``seen``."""
    import torch.fx.traceback as notes
    from torch.overrides import TorchFunctionMode

    running: list[str] = []

    class Place(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            line = _line(torch)
            if line:  # not what torch does as it leaves the model
                seen[:] = [f"{running[-1] if running else ''} ({line})".strip()]
            if notes.has_preserved_node_meta():
                notes.current_meta["custom"] = {**notes.current_meta.get("custom", {}), _KEY: seen[0] if line else ""}
            return func(*args, **(kwargs or {}))

    def leave(*_: Any) -> None:
        running.pop()

    handles = []
    for name, module in whole.named_modules():
        if name:
            enter = partial(lambda name, *_: running.append(name), below(name))
            handles += [module.register_forward_pre_hook(enter), module.register_forward_hook(leave, always_call=True)]
    try:
        with Place():
            yield
    finally:
        for handle in handles:
            handle.remove()


def below(name: str) -> str:
    """A name within the traced whole as a name within the user's module."""
    return name.removeprefix("module").removeprefix(".")


def _line(torch: Any) -> str:
    """The innermost line that is neither torch's nor ours; torch's own module where a container calls it."""
    inside = str(Path(torch.__file__).parent)
    frame, fallback = sys._getframe(2), ""
    while frame is not None:
        file = frame.f_code.co_filename
        if file == _CAPTURE:
            return fallback
        place = f"{Path(file).name}:{frame.f_lineno}"
        if not file.startswith((inside, _LIBRARY, _PYTHON, "<")):
            return place
        if not fallback and "/nn/modules/" in file:
            fallback = place
        frame = frame.f_back  # type: ignore[assignment]
    return fallback


def places(nodes: list[Any]) -> dict[str, str]:
    """The place of every node of torch's graph, by its name; '' where none is known."""
    found: dict[str, str] = {}
    by_number: dict[int, str] = {}
    for node in nodes:
        if not is_backward(node):
            found[node.name] = node.meta.get("custom", {}).get(_KEY, "")
            by_number.setdefault(node.meta.get("seq_nr", -1), found[node.name])
    for node in nodes:
        if is_backward(node):
            found[node.name] = by_number.get(node.meta.get("seq_nr", -1), "")
    return found


def is_backward(node: Any) -> bool:
    """Whether a node is part of the derivative."""
    return bool(node.meta.get("autograd_backward")) or node.meta.get("partitioner_tag") == "is_backward"
