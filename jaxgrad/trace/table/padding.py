"""The backwards of pads; their forwards are indexing in the graph."""

from collections.abc import Callable
from typing import Any

from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F
from jaxgrad.trace.table.align import pullback


def _padded(mode: str) -> Callable[..., Array]:
    return lambda x, pad: F.pad(x, tuple(pad), mode)


TABLE: dict[str, Callable[..., Any]] = {
    f"{word}_pad{n}d{kind}": pullback(_padded(mode)) if kind else _padded(mode)
    for word, mode in (("replication", "replicate"), ("reflection", "reflect"))
    for n in (1, 2, 3)
    for kind in ("", "_backward")
}
