r"""Distances between the tensors of a phase, all at once.

For a tensor two norms count: the Euclidean one, and the largest element, since one wrong element of a million is lost
in the first. Both sides are measured from one centre, the reference in float64: :math:`|candidate - centre|` for the
candidate, :math:`\max_i |r_i - centre|` over the reference's own runs for its noise, which is taken as no less than
half a unit in the last place of the tensor.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import ml_dtypes
import numpy as np

from jaxgrad.parity.record.model import PHASES, STATE, StepRecord, Tensors

_TOGETHER = 1 << 16
"""Elements that are measured end to end; a larger tensor is measured alone."""


@dataclass(frozen=True)
class Measured:
    """What was measured of some tensors; arrays of one entry a tensor.

    Attributes:
        names: their names.
        differs: whether any element of the candidate differs from the reference's at all.
        nonfinite: whether one side has a nan or an infinity where the other has none.
        absolute: the largest difference of an element.
        relative: norm of the difference over norm of the centre.
        displacement: the same over the distance moved, nan where there is no start.
        noise: the reference's own distance, in the norm of ``ratio``.
        ratio: the candidate's distance in units of the noise: the larger one of the two norms.
        worst: the flat index of the worst element.
    """

    names: tuple[str, ...]
    differs: np.ndarray
    nonfinite: np.ndarray
    absolute: np.ndarray
    relative: np.ndarray
    displacement: np.ndarray
    noise: np.ndarray
    ratio: np.ndarray
    worst: np.ndarray


def measure(
    candidate: Tensors,
    reference: Tensors,
    centre: Tensors,
    names: Sequence[str],
    noise: Mapping[str, tuple[float, float]],
    start: Tensors | None = None,
    floor: Mapping[str, float] | None = None,
) -> Measured:
    """Measure the tensors ``names``, which all sides have with the same shapes.

    Args:
        candidate: what is judged.
        reference: what it is compared with.
        centre: the reference in float64, or the reference where there is no such run.
        names: of the tensors.
        noise: of ``spread``.
        start: where they began, for the distance moved.
        floor: a least noise of some tensors, absolute.

    Returns:
        The measures.
    """
    if start is not None and not all(name in start for name in names):
        start = None
    parts = [_measure(candidate, reference, centre, group, noise, start, floor) for group in _groups(names, reference)]
    if len(parts) == 1:
        return parts[0]
    columns = {field.name: [getattr(part, field.name) for part in parts] for field in fields(Measured)}
    return Measured(tuple(names), *(np.concatenate(columns[name]) for name in columns if name != "names"))


def _measure(
    candidate: Tensors,
    reference: Tensors,
    centre: Tensors,
    names: Sequence[str],
    noise: Mapping[str, tuple[float, float]],
    start: Tensors | None,
    floor: Mapping[str, float] | None,
) -> Measured:
    """The measures of a group of tensors, end to end in one array."""
    sizes = np.array([_size(reference[name]) for name in names])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.intp)
    c, r = (_flat([side[name] for name in names]) for side in (candidate, reference))
    t = r if centre is reference else _flat([centre[name] for name in names])
    with np.errstate(all="ignore"):
        d, gap, t = _differences(c, r, t)
        norm, most = _norms(d, starts)
        size, tallest = _norms(t, starts)
        last = np.array([_last_place(candidate[name], reference[name]) for name in names])
        half = np.where(sizes == 1, last, last / 2)
        known = [noise.get(name, (0.0, 0.0)) for name in names]
        least = np.array([(floor or {}).get(name, 0.0) for name in names])
        norms, mosts = (np.array([pair[i] for pair in known]) for i in (0, 1))
        usual = np.asarray(np.maximum.reduce([half * size, norms, least]))
        highest = np.asarray(np.maximum.reduce([half * tallest, mosts, least]))
        by_norm, by_element = _over(norm, usual), _over(most, highest)
        widest: np.ndarray = np.maximum.reduceat(gap, starts)
        nonfinite = np.isinf(widest)
        absolute = np.maximum.reduceat(np.where(np.isinf(gap), 0.0, gap), starts) if nonfinite.any() else widest
        moved = np.full(len(names), np.nan)
        if start is not None:
            moved = _over(norm, _norms(t - _flat([start[name] for name in names]), starts)[0])
        return Measured(
            tuple(names),
            widest > 0,
            nonfinite,
            absolute,
            np.asarray(_over(norm, size)),
            moved,
            np.where(by_norm >= by_element, usual, highest),
            np.maximum(by_norm, by_element),
            np.array([_worst(gap, d, at, n) for at, n in zip(starts, sizes, strict=True)]),
        )


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


def _worst(gap: np.ndarray, d: np.ndarray, at: int, n: int) -> int:
    """The flat index of the worst of the elements that differ."""
    here = gap[at : at + n]
    return int(np.argmax(np.where(here > 0, np.maximum(here, np.abs(d[at : at + n])), -1.0)))


def spread(reference: StepRecord, centre: StepRecord, runs: Sequence[StepRecord]) -> dict[str, Any]:
    """How far a reference's own runs are from the centre, and the reference itself; the largest of each.

    Args:
        reference: as it is.
        centre: in float64, or as it is.
        runs: from perturbed starts.

    Returns:
        A ``Spread``.

    >>> one, other = (StepRecord(0, {"loss": {"loss": np.array(x)}}) for x in (1.0, 1.5))
    >>> spread(one, one, [other])
    {'loss': {'loss': (0.5, 0.5)}}
    """
    found: dict[str, Any] = {}
    for phase in reference:
        own = [reference[phase], *(run[phase] for run in runs)]
        names = [name for name, array in centre[phase].items() if _counts(array)]
        names = [name for name in names if all(_fits(run, centre[phase], name) for run in own)]
        if not names or phase not in (*PHASES, STATE):
            continue
        found[phase] = {}
        for group in _groups(names, centre[phase]):
            found[phase] |= _spread(own, centre[phase], group)
    return found


def _spread(runs: Sequence[Tensors], centre: Tensors, names: Sequence[str]) -> dict[str, tuple[float, float]]:
    """The largest distances of any run from the centre, of a group of tensors, end to end in one array."""
    sizes = np.array([_size(centre[name]) for name in names])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.intp)
    t = _flat([centre[name] for name in names])
    norms, most = np.zeros(len(names)), np.zeros(len(names))
    with np.errstate(all="ignore"):
        for run in runs:
            d = _flat([run[name] for name in names]) - t
            if not np.isfinite(np.sum(d)):
                d = np.where(np.isfinite(d), d, 0.0)
            norm, largest = _norms(d, starts)
            norms, most = np.maximum(norms, norm), np.maximum(most, largest)
    return dict(zip(names, zip(norms.tolist(), most.tolist(), strict=True), strict=True))


def _groups(names: Sequence[str], tensors: Tensors) -> list[list[str]]:
    """The names in their order, as many at a time as fit into the processor's cache together."""
    groups: list[list[str]] = [[]]
    together = 0
    for name in names:
        together += _size(tensors[name])
        if groups[-1] and together > _TOGETHER:
            groups.append([])
            together = _size(tensors[name])
        groups[-1].append(name)
    return groups


def _counts(array: np.ndarray) -> bool:
    return array.size > 0 and array.dtype.kind not in "iub"


def _flat(arrays: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([_real(array) for array in arrays]) if len(arrays) > 1 else _real(arrays[0])


def _real(array: np.ndarray) -> np.ndarray:
    array = np.asarray(array)
    if array.dtype.kind == "c":
        array = np.stack([array.real, array.imag], -1)
    return array.astype(np.float64, copy=False).reshape(-1)


def _size(array: np.ndarray) -> int:
    return array.size * (2 if array.dtype.kind == "c" else 1)


def _fits(run: Tensors, reference: Tensors, name: str) -> bool:
    return name in run and run[name].shape == reference[name].shape


def _norms(d: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Euclidean norm and largest magnitude of each tensor."""
    alone = len(starts) == 1
    most: np.ndarray = np.maximum(d.max(), -d.min())[None] if alone else np.maximum.reduceat(np.abs(d), starts)
    if not 1e-150 < most.max(initial=0.0) < 1e150:
        return most, most
    if alone:
        return np.maximum(np.sqrt(np.dot(d, d)), most), most
    return np.maximum(np.sqrt(np.add.reduceat(d * d, starts)), most), most  # squares of tiny numbers are lost


def _over(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.where(a == 0, 0.0, a / b)


def _last_place(*arrays: np.ndarray) -> float:
    """The unit in the last place of 1 in the coarsest of the dtypes; 0 for integers."""
    return max((_EPS.get(array.dtype.name, 0.0) for array in arrays), default=0.0)


_EPS = {
    "float64": 2.0**-52,
    "complex128": 2.0**-52,
    "float32": 2.0**-23,
    "complex64": 2.0**-23,
    "float16": 2.0**-10,
    "bfloat16": float(ml_dtypes.finfo(ml_dtypes.bfloat16).eps),
}
