"""What is needed of every element of a tensor, in one pass over memory.

A large tensor is read in parts that stay in the processor's cache while all that is asked of them is computed.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np

TOGETHER = 1 << 16
"""Elements that are measured end to end; a larger tensor is measured alone."""

_PART = 1 << 14
"""Elements of a larger tensor that are looked at together."""


@dataclass(frozen=True)
class Sums:
    """What is needed of every element of some tensors; arrays of one entry a tensor.

    ``norm`` and ``most`` of candidate from centre, ``size`` and ``tallest`` of the centre, ``moved`` from the start;
    ``widest`` of candidate from reference, ``absolute`` the same without infinities; ``worst`` is the element that is
    furthest off, by ``peak``.
    """

    norm: np.ndarray
    most: np.ndarray
    size: np.ndarray
    tallest: np.ndarray
    moved: np.ndarray
    widest: np.ndarray
    absolute: np.ndarray
    worst: np.ndarray
    peak: np.ndarray


def sums(sides: list[list[np.ndarray]], sizes: np.ndarray, *, moves: bool) -> Sums:
    """Of tensors end to end, or of one large tensor, whose parts are looked at while they are in the cache.

    Args:
        sides: the tensors of candidate, reference, centre (unless that is the reference), start (if ``moves``).
        sizes: of the tensors.
        moves: whether there is a start.
    """
    if (cuts := _cuts(sides, sizes)) is None:
        return _sums_of([_flat(side) for side in sides], sizes, moves=moves)
    parts = [_sums_of(cut, np.array([len(cut[0])]), moves=moves) for cut in cuts]
    columns = {field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Sums)}
    at = int(np.argmax(columns["peak"]))
    whole = {name: np.array([_joined(columns[name])]) for name in ("norm", "size", "moved")}
    whole |= {name: np.max(columns[name], keepdims=True) for name in ("most", "tallest", "widest", "absolute", "peak")}
    return Sums(**whole, worst=columns["worst"][at : at + 1] + at * _PART)


def _sums_of(sides: list[np.ndarray], sizes: np.ndarray, *, moves: bool) -> Sums:
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.intp)
    start, sides = (sides[-1], sides[:-1]) if moves else (None, sides)
    c, r, t = sides if len(sides) == 3 else [*sides, sides[1]]
    with np.errstate(all="ignore"):
        d, gap, t = _differences(c, r, t)
        norm, most = _norms(d, starts)
        size, tallest = _norms(t, starts)
        widest: np.ndarray = np.maximum.reduceat(gap, starts)
        absolute = np.maximum.reduceat(np.where(np.isinf(gap), 0.0, gap), starts) if np.isinf(widest).any() else widest
        moved = np.zeros(len(sizes)) if start is None else _norms(t - start, starts)[0]
        worst, peak = np.array([_worst(gap, d, at, n) for at, n in zip(starts, sizes, strict=True)]).T
    return Sums(norm, most, size, tallest, moved, widest, absolute, worst.astype(np.intp), peak)


def _differences(c: np.ndarray, r: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Candidate from centre, from reference (inf where one alone is finite), the centre; 0 for the rest."""
    d, gap = c - t, np.abs(c - r)
    if np.isfinite(np.sum(d) + np.sum(gap)):
        return d, gap, t
    same = (c == r) | (np.isnan(c) & np.isnan(r))
    finite = np.isfinite(c) & np.isfinite(r)
    counts = finite & np.isfinite(t)
    gap = np.where(same, 0.0, np.where(finite, gap, np.inf))
    return np.where(counts, d, 0.0), gap, np.where(counts, t, 0.0)


def _worst(gap: np.ndarray, d: np.ndarray, at: int, n: int) -> tuple[int, float]:
    """The flat index of the worst of the elements that differ, and how far off that is."""
    here = gap[at : at + n]
    far = np.where(here > 0, np.maximum(here, np.abs(d[at : at + n])), -1.0)
    place = int(np.argmax(far))
    return place, float(far[place])


def distances(sides: list[list[np.ndarray]], sizes: np.ndarray) -> np.ndarray:
    """Euclidean norm and largest element of each tensor of each run from the centre, whose tensors stand first."""
    if (cuts := _cuts(sides, sizes)) is None:
        return _distances_of([_flat(side) for side in sides], sizes)
    parts = np.array([_distances_of(cut, np.array([len(cut[0])])) for cut in cuts])[..., 0]
    norms = [_joined(parts[:, run, 0]) for run in range(parts.shape[1])]
    return np.stack([np.array(norms), parts[:, :, 1].max(0)], 1)[..., None]


def _distances_of(sides: list[np.ndarray], sizes: np.ndarray) -> np.ndarray:
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.intp)
    centre, *runs = sides
    found = []
    with np.errstate(all="ignore"):
        for run in runs:
            d = run - centre
            if not np.isfinite(np.sum(d)):
                d = np.where(np.isfinite(d), d, 0.0)
            found.append(_norms(d, starts))
    return np.array(found)


def _cuts(sides: list[list[np.ndarray]], sizes: np.ndarray) -> Iterator[list[np.ndarray]] | None:
    """One large tensor of all sides, part by part; None for several tensors, or small or complex ones."""
    if len(sizes) > 1 or sizes[0] <= TOGETHER or any(side[0].dtype.kind == "c" for side in sides):
        return None
    flat = [side[0].reshape(-1) for side in sides]
    return ([_real(each[at : at + _PART]) for each in flat] for at in range(0, int(sizes[0]), _PART))


def _flat(arrays: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([_real(array) for array in arrays]) if len(arrays) > 1 else _real(arrays[0])


def _real(array: np.ndarray) -> np.ndarray:
    array = np.asarray(array)
    if array.dtype.kind == "c":
        array = np.stack([array.real, array.imag], -1)
    return array.astype(np.float64, copy=False).reshape(-1)


def size_of(array: np.ndarray) -> int:
    """How many real numbers an array holds."""
    return array.size * (2 if array.dtype.kind == "c" else 1)


def _joined(norms: np.ndarray) -> float:
    """The norm of parts with these norms; nan beside infinity is nan, as for the whole (``hypot`` says inf)."""
    return math.nan if np.isnan(norms).any() else math.hypot(*norms.tolist())


def _norms(d: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Euclidean norm and largest magnitude of each tensor."""
    alone = len(starts) == 1
    most: np.ndarray = np.maximum(d.max(), -d.min())[None] if alone else np.maximum.reduceat(np.abs(d), starts)
    if not 1e-150 < most.max(initial=0.0) < 1e150:
        return most, most
    if alone:
        return np.maximum(np.sqrt(np.dot(d, d)), most), most
    return np.maximum(np.sqrt(np.add.reduceat(d * d, starts)), most), most  # squares of tiny numbers are lost
