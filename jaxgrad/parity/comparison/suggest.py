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

    Equal values tell most (not of an array whose elements are all the same). What is left goes by the kind of parameter
    that the name speaks of, then by where its siblings were found, by words in common, and by the order.

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
    paths = sorted(own, key=_natural)
    pairs = list(_pairs([name for name in reference if name not in found], paths, reference, own))
    for _, name, match in sorted((each for each in pairs if each[0] >= _EQUAL), key=lambda each: -each[0]):
        _take(found, name, match)
    for name in reference:
        if name not in found:
            taken = {match.path for match in found.values()}
            free = [(score, match) for score, other, match in pairs if other == name and match.path not in taken]
            near = [(score + _nearness(name, match.path, found), match) for score, match in free]
            if near:
                found[name] = max(near, key=lambda each: each[0])[1]
    return {name: found[name] for name in reference if name in found}


_EQUAL = 100.0


def _take(found: dict[str, Match], name: str, match: Match) -> None:
    if name not in found and match.path not in {each.path for each in found.values()}:
        found[name] = match


def _pairs(names: list[str], paths: list[str], reference: Tensors, own: Tensors) -> Iterator[tuple[float, str, Match]]:
    """Every array that could be each, with what speaks for it."""
    for name in names:
        wanted = np.asarray(reference[name])
        same_kind = [other for other in names if _last_word(other) == _last_word(name)]
        alike = [other for other in same_kind if reference[other].size == wanted.size]
        fitting = [path for path in paths if _could_be(own[path], wanted) and _likeness(name, path) is not None]
        for place, path in enumerate(fitting):
            order = 1.0 - abs(alike.index(name) / len(alike) - place / len(fitting))
            flax = "kernel" in path.split(".")
            for i, layout in enumerate(kernel_layouts(own[path].shape, wanted.shape, flax=flax)):
                equal = _EQUAL if _same(layout.to_reference(own[path]), wanted) else 0.0
                yield equal + (_likeness(name, path) or 0.0) + order - 0.01 * i, name, Match(path, layout)


def _could_be(array: np.ndarray, wanted: np.ndarray) -> bool:
    return array.size == wanted.size and (array.dtype.kind in "iub") == (wanted.dtype.kind in "iub")


def _nearness(name: str, path: str, found: Mapping[str, Match]) -> float:
    """How near an array lies to those of the same module, and whether it lies where the others were found."""
    module = name.rpartition(".")[0]
    siblings = [match.path for other, match in found.items() if other.rpartition(".")[0] == module]
    near = max((len(set(_parts(path)[:-1]) & set(_parts(other)[:-1])) for other in siblings), default=0)
    roots = [_parts(match.path)[0] for match in found.values() if _parts(match.path)]
    same_root = roots.count(_parts(path)[0]) / len(roots) if roots and _parts(path) else 0.0
    return 4.0 * near + 2.0 * same_root


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
