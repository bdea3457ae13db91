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

from jaxgrad.parity.comparison.sums import TOGETHER, distances, size_of, sums
from jaxgrad.parity.record.model import PHASES, STATE, Spread, StepRecord, Tensors


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
    """The measures of a group of tensors."""
    sizes = np.array([size_of(reference[name]) for name in names])
    sides = [candidate, reference] if centre is reference else [candidate, reference, centre]
    sides = sides if start is None else [*sides, start]
    found = sums([[side[name] for name in names] for side in sides], sizes, moves=start is not None)
    with np.errstate(all="ignore"):
        last = np.array([_last_place(candidate[name], reference[name]) for name in names])
        half = np.where(sizes == 1, last, last / 2)
        known = [noise.get(name, (0.0, 0.0)) for name in names]
        least = np.array([(floor or {}).get(name, 0.0) for name in names])
        norms, mosts = (np.array([pair[i] for pair in known]) for i in (0, 1))
        usual = np.asarray(np.maximum.reduce([half * found.size, norms, least]))
        highest = np.asarray(np.maximum.reduce([half * found.tallest, mosts, least]))
        by_norm, by_element = _over(found.norm, usual), _over(found.most, highest)
        return Measured(
            tuple(names),
            found.widest > 0,
            np.isinf(found.widest),
            found.absolute,
            np.asarray(_over(found.norm, found.size)),
            np.full(len(names), np.nan) if start is None else _over(found.norm, found.moved),
            np.where(by_norm >= by_element, usual, highest),
            np.maximum(by_norm, by_element),
            found.worst,
        )


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


def least(known: Spread, new: Spread) -> Spread:
    """The smaller of two spreads, tensor by tensor; one that only the new one has is as it is there.

    >>> least({"loss": {"loss": (0.5, 0.25)}}, {"loss": {"loss": (0.25, 0.5)}, "grads": {"w": (1.0, 1.0)}})
    {'loss': {'loss': (0.25, 0.25)}, 'grads': {'w': (1.0, 1.0)}}
    """
    return {
        phase: {
            name: (min(norm, before[0]), min(most, before[1]))
            for name, (norm, most) in tensors.items()
            for before in [known.get(phase, {}).get(name, (norm, most))]
        }
        for phase, tensors in new.items()
    }


def _spread(runs: Sequence[Tensors], centre: Tensors, names: Sequence[str]) -> dict[str, tuple[float, float]]:
    """The largest distances of any run from the centre, of a group of tensors."""
    sizes = np.array([size_of(centre[name]) for name in names])
    norms, most = distances([[side[name] for name in names] for side in (centre, *runs)], sizes).max(0)
    return dict(zip(names, zip(norms.tolist(), most.tolist(), strict=True), strict=True))


def _groups(names: Sequence[str], tensors: Tensors) -> list[list[str]]:
    """The names in their order, as many at a time as fit into the processor's cache together."""
    groups: list[list[str]] = [[]]
    together = 0
    for name in names:
        together += size_of(tensors[name])
        if groups[-1] and together > TOGETHER:
            groups.append([])
            together = size_of(tensors[name])
        groups[-1].append(name)
    return groups


def _counts(array: np.ndarray) -> bool:
    return array.size > 0 and array.dtype.kind not in "iub"


def _fits(run: Tensors, reference: Tensors, name: str) -> bool:
    return name in run and run[name].shape == reference[name].shape


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
