"""What the distances of a step mean: equal, within rounding, or different."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from jaxgrad.parity.comparison.bounds import Bounds
from jaxgrad.parity.comparison.measure import Measured, measure
from jaxgrad.parity.record.model import PHASES, Spread, StepRecord, Tensors, in_backward_order, split_optimizer_name
from jaxgrad.parity.report import TensorDistance
from jaxgrad.parity.sides.purity import ARRAYS, NOTHING

_OF_SCALARS = 8 * 2.0**-23
"""How far float32 scalars put a float64 result off, relative to what they multiply."""

_CANCELLED = 1e-3
"""A gradient that two right sides have so differently is the difference of larger numbers, which is 0."""

_LOOSE_DTYPES = {"inputs", "lr", "scaler", "generator", "optimizer"}
"""Phases in which libraries keep the same number in different dtypes."""


@dataclass(frozen=True)
class Lane:
    """One precision of both sides in one step.

    Attributes:
        reference: the reference's step.
        candidate: the candidate's.
        centre: the reference in float64, or itself.
        noise: how far the reference's own runs are from the centre.
        start: phase -> tensors before step 0, of the reference (of ``lr``, at step 0).
    """

    reference: StepRecord
    candidate: StepRecord
    centre: StepRecord
    noise: Spread = field(default_factory=dict)
    start: Mapping[str, Tensors] | None = None

    def measure(self, phase: str, names: Sequence[str], floor: Mapping[str, float] | None = None) -> Measured:
        """The distances in one phase."""
        candidate, reference, centre = (side[phase] for side in (self.candidate, self.reference, self.centre))
        start = (self.start or {}).get(phase) if phase in ("params", "buffers", "lr") else None
        if phase == "lr" and start:  # a lr that has died away need not be right
            floor = {name: float(np.abs(value)) * 2.0**-52 for name, value in start.items()}
        if phase == "clipped":
            floor = {**(floor or {}), "total_norm": self._of_norm()}
        return measure(candidate, reference, centre, names, self.noise.get(phase, {}), start, floor)

    def _of_norm(self) -> float:
        """How far rounding of the gradients usually puts their norm off: by their error along one direction of many.

        Of a single number all runs may be right by luck, and in half precision they are the same luck.
        """
        errors = [norm for norm, _ in self.noise.get("grads", {}).values()]
        count = sum(array.size for array in self.reference["grads"].values())
        return float(np.linalg.norm(errors) / np.sqrt(count)) if errors and count else 0.0


@dataclass(frozen=True)
class Judge:
    """Judges steps.

    Attributes:
        bounds: what a distance may be.
        in_doubles: whether both sides compute in float64 of their own accord.
        order: names of modules in forward order.
        astray: parameters of which an earlier step made what chance had it: their gradient is nothing but rounding, as
            that of a bias before a batch norm, and the optimizer looks at its sign. Nothing follows from where they
            are, nor from what their module returns, nor from the running mean behind it.
        whole: whether a candidate's phase has every tensor of the reference, so that a missing one is a divergence.
    """

    bounds: Bounds
    in_doubles: bool = False
    order: tuple[str, ...] = ()
    astray: set[str] = field(default_factory=set)
    whole: frozenset[str] = frozenset({"params", "grads", "clipped", "buffers", "inputs", "lr", "scaler", "loss"})

    def step(self, own: Lane, doubles: Lane | None, narrow: str = NOTHING) -> Iterator[TensorDistance]:
        """Every tensor of a step, in the order in which a divergence is looked for.

        Args:
            own: both sides in their own precision.
            doubles: both in float64, where that could be run.
            narrow: what the candidate computes in less there, one of ``NOTHING``, ``SCALARS`` and ``ARRAYS``.
        """
        cancelled: set[str] = set()
        lost = own.reference.overflowed() and own.candidate.overflowed()
        for phase in PHASES:
            if phase in own.candidate and phase in own.reference:
                of_phase = self._phase(phase, own, doubles, narrow, cancelled)
                yield from map(_unless_lost, of_phase) if lost and phase in ("grads", "clipped") else of_phase

    def _phase(
        self, phase: str, own: Lane, doubles: Lane | None, narrow: str, cancelled: set[str]
    ) -> Iterator[TensorDistance]:
        reference, candidate = own.reference[phase], own.candidate[phase]
        found: dict[str, TensorDistance] = {}
        odd = {name: self._odd(phase, name, own) for name in reference}
        for name, kind in odd.items():
            if kind is not None:
                found[name] = _unlike(own.reference.step, phase, name, kind, reference, candidate)
        common = [name for name in reference if odd[name] is None and name in candidate and reference[name].size]
        if phase == "generator":
            common = [name for name in common if name == "state"] or common
        if common:
            found |= self._distances(phase, common, own, doubles, narrow, cancelled)
        for name in candidate:
            if name not in reference and phase not in ("forward", "generator"):
                found[name] = _unlike(own.reference.step, phase, name, "extra", {}, candidate)
        for name in self._ordered(phase, found):
            yield self._unless_astray(found[name], cancelled)

    def _unless_astray(self, found: TensorDistance, cancelled: set[str]) -> TensorDistance:
        """What chance had a say in is no divergence."""
        if found.kind != "differs" or not (cancelled or self.astray):
            return found
        modules = [name.rpartition(".")[0] or "model" for name in self.astray]
        behind = {self.order[self.order.index(each) + 1] for each in modules if each in self.order[:-1]}
        if found.phase in ("optimizer", "params"):
            name = split_optimizer_name(found.tensor)[1] if found.phase == "optimizer" else found.tensor
            excused = name in cancelled | self.astray
            if excused:
                self.astray.add(name)
        elif found.phase == "buffers":
            module, _, name = found.tensor.rpartition(".")
            excused = module in behind and name == "running_mean"
        else:
            excused = found.phase == "forward" and found.tensor in modules
        return replace(found, kind="within") if excused else found

    def _odd(self, phase: str, name: str, lane: Lane) -> str | None:
        """The kind of difference that is none of numbers; None if the numbers can be compared."""
        reference, candidate = lane.reference[phase][name], lane.candidate[phase].get(name)
        if candidate is None:
            counts = reference.dtype.kind in "iub" and phase == "buffers"
            return "missing" if phase in self.whole and not counts else None
        if candidate.shape != reference.shape:
            return "shape"
        floats = _is_floating(reference) and _is_floating(candidate)
        if phase not in _LOOSE_DTYPES and (
            (floats and candidate.dtype != reference.dtype) or _is_floating(reference) != _is_floating(candidate)
        ):
            return "dtype"
        if phase == "optimizer" and floats and reference.ndim and candidate.dtype.itemsize < reference.dtype.itemsize:
            return "dtype"  # moments that are kept in less precision
        return None

    def _distances(
        self, phase: str, names: list[str], own: Lane, doubles: Lane | None, narrow: str, cancelled: set[str]
    ) -> dict[str, TensorDistance]:
        exact = [name for name in names if not _is_floating(own.reference[phase][name])]
        real = [name for name in names if name not in exact]
        found: dict[str, TensorDistance] = {}
        if exact:
            same = Lane(own.reference, own.candidate, own.reference)
            found |= _told(phase, same, same.measure(phase, exact), 0.0)
        if not real:
            return {name: found[name] for name in names}
        bounds = self.bounds
        decided = doubles is not None and narrow != ARRAYS
        bound = bounds.semantics if self.in_doubles else bounds.rounding if decided else bounds.alone
        centre = all(name in own.centre[phase] for name in real)
        lane = own if centre else replace(own, centre=own.reference)
        measured = lane.measure(phase, real)
        judged = _told(phase, lane, measured, bound)
        found |= judged
        if doubles is not None:
            ready = [name for name in real if found[name].kind != "nonfinite" and _both(doubles, phase, name)]
            if ready:
                coarse = self._coarse(phase, doubles, measured, narrow)
                fine = _told(phase, doubles, doubles.measure(phase, ready, coarse), bounds.semantics)
                found |= {name: each for name, each in fine.items() if not each.ok}
                judged = fine
        if phase == "grads":
            cancelled.update(name for name, each in judged.items() if each.ok and (each.relative or 0) > _CANCELLED)
        return {name: found[name] for name in names}

    def _coarse(self, phase: str, doubles: Lane, measured: Measured, narrow: str) -> dict[str, float] | None:
        """A least noise of the float64 run of a candidate that computes some of it in less."""
        if narrow == NOTHING:
            return None
        if narrow == ARRAYS:
            kept = self.bounds.alone / self.bounds.semantics
            return {name: noise * kept for name, noise in zip(measured.names, measured.noise.tolist(), strict=True)}
        start = (doubles.start or {}).get(phase, {}) if phase == "params" else {}
        sizes = {name: _size_of(doubles.centre[phase].get(name), start.get(name)) for name in measured.names}
        return {name: size * _OF_SCALARS / self.bounds.semantics for name, size in sizes.items()}

    def _ordered(self, phase: str, names: Mapping[str, Any]) -> list[str]:
        if phase in ("grads", "clipped"):
            norm = [name for name in names if name == "total_norm"]
            return norm + backward_order([name for name in names if name != "total_norm"], self.order)
        return list(names)


def _unless_lost(found: TensorDistance) -> TensorDistance:
    """Which of the gradients overflow hangs on the order of sums; the scaler of both sides throws them all away."""
    return replace(found, kind="within") if found.kind == "nonfinite" else found


def backward_order(names: Sequence[str], order: Sequence[str]) -> list[str]:
    """Parameters as a backward pass comes to them, by the order in which the modules ran where that is known.

    >>> backward_order(["a.weight", "b.weight", "head"], ["b", "a", "model"])
    ['head', 'a.weight', 'b.weight']
    """
    place = {path: i for i, path in enumerate(order)}
    if not all((name.rpartition(".")[0] or "model") in place for name in names):
        return in_backward_order(names)
    return sorted(names, key=lambda name: -place[name.rpartition(".")[0] or "model"])


def _size_of(array: np.ndarray | None, start: np.ndarray | None) -> float:
    """The norm of a tensor, or of what it has moved."""
    if array is None:
        return 0.0
    moved = array.astype(np.float64) - (0.0 if start is None else start.astype(np.float64))
    return float(np.sqrt(np.sum(np.square(np.where(np.isfinite(moved), moved, 0.0)))))


def _told(phase: str, lane: Lane, measured: Measured, bound: float) -> dict[str, TensorDistance]:
    found = {}
    reference, candidate = lane.reference[phase], lane.candidate[phase]
    columns = zip(
        measured.names,
        measured.differs.tolist(),
        measured.nonfinite.tolist(),
        measured.absolute.tolist(),
        measured.relative.tolist(),
        measured.displacement.tolist(),
        measured.noise.tolist(),
        measured.ratio.tolist(),
        measured.worst.tolist(),
        strict=True,
    )
    for name, differs, nonfinite, absolute, relative, moved, noise, ratio, worst in columns:
        if not differs:
            found[name] = TensorDistance(
                lane.reference.step, phase, name, "equal", 0.0, relative, _known(moved), 0, noise, ratio
            )
            continue
        kind = "nonfinite" if nonfinite else "differs" if ratio > bound else "within"
        r, c = reference[name], candidate[name]
        at = worst // 2 if r.dtype.kind == "c" else worst
        element = tuple(int(i) for i in np.unravel_index(at, r.shape))
        one, other = r.reshape(-1)[at].item(), c.reshape(-1)[at].item()
        found[name] = TensorDistance(
            lane.reference.step,
            phase,
            name,
            kind,
            absolute,
            relative,
            _known(moved),
            _ulps(r.reshape(-1)[at], c.reshape(-1)[at]),
            noise,
            float("inf") if nonfinite else ratio,
            element,
            one,
            other,
        )
    return found


def _known(number: float) -> float | None:
    return None if number != number else number


def _ulps(reference: Any, candidate: Any) -> int | None:
    """How many numbers lie between two of one dtype, counted in the reference's last place."""
    if reference.dtype != candidate.dtype or reference.dtype.name not in ("float16", "float32", "float64"):
        return None
    if not np.isfinite(reference) or not np.isfinite(candidate):
        return None
    with np.errstate(all="ignore"):
        steps = abs(float(candidate) - float(reference)) / float(np.spacing(np.abs(reference)))
    return round(steps) if np.isfinite(steps) else None


def _unlike(step: int, phase: str, name: str, kind: str, reference: Tensors, candidate: Tensors) -> TensorDistance:
    def words(side: Tensors) -> str | None:
        if name not in side:
            return None
        return f"{side[name].dtype.name}[{','.join(map(str, side[name].shape))}]"

    return TensorDistance(step, phase, name, kind, reference=words(reference), candidate=words(candidate))


def _both(lane: Lane, phase: str, name: str) -> bool:
    sides = (lane.reference[phase], lane.candidate[phase], lane.centre[phase])
    return all(name in side for side in sides) and len({side[name].shape for side in sides}) == 1


def _is_floating(array: np.ndarray) -> bool:
    return array.dtype.kind in "fcV" or array.dtype.name == "bfloat16"
