"""Which of the candidate's arrays is which of the reference's: by name, shape, transposition and value."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from jaxgrad.parity.comparison.layout import Layout, kernel_layouts
from jaxgrad.parity.record.model import Tensors

_KINDS = {
    "weight": "weight kernel scale embedding w gamma embeddings",
    "bias": "bias b beta offset",
    "running_mean": "running_mean mean",
    "running_var": "running_var var",
}
"""How a parameter is called elsewhere."""

_NO_NAME = {"params", "param", "model", "value", "layers", "layer", "state", "module", "raw_value", "batch_stats", ""}
"""Parts of a path that say nothing."""

_TRIED_BY_VALUE = 1 << 22
"""Larger arrays are matched by name and shape alone."""


@dataclass(frozen=True)
class Match:
    """One of the candidate's arrays, and how it becomes the reference's."""

    path: str
    layout: Layout


def suggest(reference: Tensors, own: Tensors) -> dict[str, Match]:
    """The candidate's array for each of the reference's, where there is one.

    Equal values tell most (not of an array whose elements are all the same), then the name, then the order.

    Args:
        reference: arrays by torch's names.
        own: the candidate's, by path.

    >>> weight = np.arange(6.0).reshape(2, 3)
    >>> found = suggest({"fc.weight": weight}, {"params.Dense_0.kernel": weight.T, "params.Dense_1.kernel": -weight.T})
    >>> found["fc.weight"].path, found["fc.weight"].layout.axes
    ('params.Dense_0.kernel', (1, 0))
    """
    found = {
        name: Match(name, Layout(tuple(range(array.ndim)), array.shape))
        for name, array in reference.items()
        if name in own and own[name].shape == array.shape
    }
    paths = [path for path in sorted(own, key=_natural) if path not in {match.path for match in found.values()}]
    names = [name for name in reference if name not in found]
    scored = sorted(_scored(names, paths, reference, own), key=lambda each: -each[0])
    taken: set[str] = set()
    for _, name, match in scored:
        if name not in found and match.path not in taken:
            found[name] = match
            taken.add(match.path)
    return {name: found[name] for name in reference if name in found}


def _scored(names: list[str], paths: list[str], reference: Tensors, own: Tensors) -> Iterator[tuple[float, str, Match]]:
    for rank, name in enumerate(names):
        wanted = np.asarray(reference[name])
        for place, path in enumerate(paths):
            array = own[path]
            if array.size != wanted.size or (array.dtype.kind in "iub") != (wanted.dtype.kind in "iub"):
                continue
            flax = path.rpartition(".")[2] in ("kernel",) or ".kernel" in path
            by_name = _likeness(name, path)
            if by_name is None:
                continue
            order = 1.0 - abs(rank / len(names) - place / len(paths))
            for i, layout in enumerate(kernel_layouts(array.shape, wanted.shape, flax=flax)):
                equal = 100.0 if _same(layout.to_reference(array), wanted) else 0.0
                yield equal + by_name + order - 0.01 * i, name, Match(path, layout)


def _likeness(name: str, path: str) -> float | None:
    """How much a path sounds like a name; None if it speaks of another kind of parameter."""
    kind, other = name.rpartition(".")[2], _last_word(path)
    score = 0.0
    for torch_name, words in _KINDS.items():
        if kind == torch_name or kind.startswith(torch_name + "_"):
            if other in words.split():
                score += 5.0
            elif any(other in rest.split() for rest in _KINDS.values()):
                return None
    mine, theirs = set(_words(name)), set(_words(path))
    shared = (mine & theirs) - _NO_NAME
    return score + 3.0 * len(shared) / max(len(mine | theirs), 1)


def _last_word(path: str) -> str:
    words = [word for word in path.split(".") if word not in ("value", "raw_value")]
    return words[-1] if words else ""


def _words(path: str) -> Iterable[str]:
    return re.findall(r"[a-z]+|[0-9]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", path).lower())


def _natural(path: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path)]


def _same(array: np.ndarray, wanted: np.ndarray) -> bool:
    if array.shape != wanted.shape or array.size > _TRIED_BY_VALUE or array.size < 2:
        return False
    flat = wanted.reshape(-1)
    if np.all(flat == flat[0]):
        return False
    if not np.allclose(array.reshape(-1)[:8].astype(np.float64), flat[:8].astype(np.float64), rtol=1e-4, atol=1e-7):
        return False
    return bool(np.allclose(array.astype(np.float64), wanted.astype(np.float64), rtol=1e-4, atol=1e-7))


def by_suffix(path: str, paths: Mapping[str, np.ndarray], shape: tuple[int, ...]) -> str | None:
    """The path with the longest common end, of those whose array has this shape.

    >>> own = {"a.fc.kernel": np.zeros(2), "b.head.kernel": np.zeros(2)}
    >>> by_suffix("params.fc.kernel", own, (2,))
    'a.fc.kernel'
    """
    best, longest = None, 0
    for other, array in paths.items():
        if array.shape != shape:
            continue
        length = _common_end(path, other)
        if length > longest:
            best, longest = other, length
    return best


def _common_end(one: str, other: str) -> int:
    length = 0
    for a, b in zip(reversed(_parts(one)), reversed(_parts(other)), strict=False):
        if a != b:
            break
        length += 1
    return length


def _parts(path: str) -> list[str]:
    return [part for part in path.split(".") if part not in ("value", "raw_value")]
