"""The verdict on two runs, step by step as they are made or as they are read from files."""

import platform
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from jaxgrad._core.errors import explain
from jaxgrad.parity import causes
from jaxgrad.parity.comparison.bounds import Bounds
from jaxgrad.parity.comparison.judge import Judge, Lane
from jaxgrad.parity.comparison.locate import first_divergence
from jaxgrad.parity.comparison.naming import Naming
from jaxgrad.parity.comparison.observe import Observation
from jaxgrad.parity.comparison.window import Window
from jaxgrad.parity.record.model import OPTIMIZER_STATE, STATE, StepRecord, Tensors
from jaxgrad.parity.report import Cause, Divergence, Draws, Report, TensorDistance
from jaxgrad.parity.sides.purity import NOTHING

AT_START = "the start, before step 0"
"""Where two runs part that do not begin alike."""

_KEPT = 100_000
"""How many distances a report holds before only the worst of each phase are kept."""


class Verdict:
    """Takes the steps of both sides in order, and gives the report.

    Args:
        starts: what there is before step 0: the reference's, and the candidate's under its own names.
        metas: of both, which may grow while the runs go on.
        names: what the user said of the candidate's names.
        mode: of ``compare``.
        bounds: the largest distances that are no divergence.
        narrow: what the candidate's float64 run computes in less; asked only where it matters.
        again: ``(recording, step, float64=)`` makes a step of the reference again with something changed.

    Attributes:
        naming: how the candidate's records become the reference's.
        apart: whether something that the reference has, too, has differed so far.
    """

    def __init__(
        self,
        starts: tuple[Mapping[str, Tensors], Mapping[str, Tensors]],
        metas: tuple[Mapping[str, Any], Mapping[str, Any]],
        names: Any,
        mode: str,
        bounds: Bounds,
        narrow: Callable[[], str],
        again: Callable[..., Any] | None = None,
    ):
        self.mode, self.bounds, self.metas = mode, bounds, metas
        starts = as_params(starts[0]), starts[1]
        kind = str(metas[0].get("optimizer", {}).get("class", ""))
        self.naming = Naming(starts[0], starts[1], names, kind)
        self._starts = dict(starts[0]), self.naming.initial()
        self._derived = STATE in starts[1]
        self._explicit: set[str] = set()
        self._in_doubles = all(meta.get("dtype") == "float64" for meta in metas)
        self._narrow, self._again = narrow, again
        self._window = Window(*self._starts)
        self._reach: dict[str, Tensors] = dict(starts[0])
        self._distances: list[TensorDistance] = []
        self._draws: list[Draws] = []
        self._decided = True
        self.apart = False
        self._stumbled = ""
        self._astray: set[str] = set()

    def named(self, other: Observation, one: Observation) -> Observation:
        """A candidate's step under the reference's names."""
        self._explicit |= set(other.own) - {STATE, OPTIMIZER_STATE}
        doubles = other.doubles
        if doubles is not None:
            doubles = self.naming.record(doubles, one.doubles or one.own)
        return replace(other, own=self.naming.record(other.own, one.own), doubles=doubles)

    def reference(self, one: Observation) -> Observation:
        """A reference's step; the arrays in the state of one that is a function are its parameters."""
        if STATE not in one.own:
            return one
        doubles = None if one.doubles is None else replace(one.doubles, phases=as_params(one.doubles.phases))
        noises = (as_params(noise) for noise in (one.noise, one.double_noise))
        return Observation(replace(one.own, phases=as_params(one.own.phases)), doubles, *noises)

    def judged(self, one: Observation, other: Observation) -> list[TensorDistance]:
        """The distances of a step; nothing is kept."""
        self._reach.setdefault("lr", one.own["lr"])
        judge = replace(self._judge(tuple(self.metas[0].get("called", ()))), astray=set(self._astray))
        own = Lane(one.own, other.own, one.doubles or one.own, one.noise, self._reach)
        doubles = None
        if one.doubles is not None and other.doubles is not None:
            doubles = Lane(one.doubles, other.doubles, one.doubles, one.double_noise, self._reach)
        found = list(judge.step(own, doubles))
        if self.mode == "free":  # where the state goes on, so does what chance made of it
            self._astray |= judge.astray
        if doubles is None or all(each.ok for each in found):
            return found
        narrow = self._narrow()
        return found if narrow == NOTHING else list(judge.step(own, doubles, narrow))

    def add(self, one: Observation, other: Observation, found: list[TensorDistance]) -> None:
        """A step and its distances."""
        full = len(self._distances) > _KEPT
        self._distances += _worst_of_each_phase(found) if full else found
        self._draws.append(_drawn(one, other))
        differs = any(not each.ok for each in found)
        self.apart = self.apart or any(not each.ok and each.kind != "extra" for each in found)
        self._window.add(one, other, differs)
        self._decided = self._decided and one.doubles is not None and other.doubles is not None

    def report(self, why_not: Mapping[str, str], *, explain_it: bool = True) -> Report:
        """The report on the steps so far.

        Args:
            why_not: what stood against running the sides in float64.
            explain_it: whether to look for the cause of a divergence.
        """
        steps = len(self._draws)
        if not steps:
            raise ValueError(explain("there is nothing to compare", got="no batches"))
        meta = {"reference": dict(self.metas[0]), "candidate": dict(self.metas[1])}
        first = self._first(meta)
        cause = None if first is None or not explain_it else self._cause(first, meta)
        return Report(
            ok=first is None,
            mode=self.mode,
            steps=steps,
            first=first,
            cause=cause,
            distances=tuple(self._distances),
            noise=self._noise(why_not),
            environment=environment(meta),
            reproduction=_reproduction(self.mode, steps if first is None else first.step + 1),
            meta=meta,
            draws=tuple(self._draws),
        )

    def _noise(self, why_not: Mapping[str, str]) -> dict[str, Any]:
        decided = self._decided or self._in_doubles
        return {
            "bound": self.bounds.semantics if decided else self.bounds.alone,
            "bounds": {key: getattr(self.bounds, key) for key in ("semantics", "rounding", "alone")},
            "false_alarms": self.bounds.false_alarms(decided=decided),
            "members": self.bounds.members,
            "floor": "half a unit in the last place of the tensor",
            "decided_by": "float64" if decided else str(self.metas[0].get("dtype", "float32")),
            "explaining_failed": self._stumbled,
            "not_found": list(self.naming.unmatched),
            "not_in_float64": dict(why_not),
        }

    def _first(self, meta: dict[str, Any]) -> Divergence | None:
        """Where they part: at the start, or in a step."""
        starts = [StepRecord(0, {key: each.get(key, {}) for key in ("params", "buffers")}) for each in self._starts]
        starts[1] = StepRecord(0, {key: each for key, each in starts[1].phases.items() if each})
        at_start = first_divergence(self._judge(()).step(Lane(starts[0], starts[1], starts[0]), None), meta)
        if at_start is not None:
            return replace(at_start, operation=AT_START, agreeing=())
        return first_divergence(self._distances, meta, soft=self._derived)

    def _judge(self, order: tuple[str, ...]) -> Judge:
        judge = Judge(self.bounds, self._in_doubles, order)
        return replace(judge, whole=judge.whole & self._explicit) if self._derived else judge

    def _cause(self, first: Divergence, meta: dict[str, Any]) -> Cause | None:
        """The known deviation that makes the candidate's numbers of the reference's."""
        if first.operation == AT_START:
            return None
        try:
            found = self._explained(first, meta, self._decided)
            return self._explained(first, meta, False) if found is None and self._decided else found
        except Exception as error:  # a rule that stumbles must not cost the report, which says so
            self._stumbled = f"{type(error).__name__}: {error}"
            return None

    def _explained(self, first: Divergence, meta: dict[str, Any], doubles: bool) -> Cause | None:
        """The cause in float64, or in the run as it is: what is lost by rounding shows only there."""
        sides = self._window.recordings(doubles, (meta["reference"], meta["candidate"]))
        again = None if self._again is None else self._again(sides[0], first.step, float64=doubles)
        return causes.explain(causes.Context(*sides, first, single=self.mode != "free", again=again))


def as_params(phases: Mapping[str, Any]) -> dict[str, Any]:
    """The arrays of a state as parameters, where no others are known."""
    known = {key: each for key, each in phases.items() if key not in (STATE, OPTIMIZER_STATE)}
    return {"params": phases[STATE], **known} if STATE in phases else known


def environment(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Versions and devices."""
    sides = {name: {key: each.get(key) for key in ("versions", "device", "dtype")} for name, each in meta.items()}
    here = {"python": platform.python_version(), "numpy": np.__version__, "jax": jax.__version__}
    return {**here, "platform": platform.platform(), **sides}


def _worst_of_each_phase(found: list[TensorDistance]) -> list[TensorDistance]:
    worst: dict[str, TensorDistance] = {}
    for each in found:
        held = worst.get(each.phase)
        if held is None or (held.ok, -(held.ratio or 0)) > (each.ok, -(each.ratio or 0)):
            worst[each.phase] = each
    return list(worst.values())


def _drawn(one: Observation, other: Observation) -> Draws:
    at = [side.own["generator"].get("position") for side in (one, other)]
    sites = [tuple(draw.source or draw.operation for draw in side.own.draws) for side in (one, other)]
    here, there = (None if each is None else int(each) for each in at)
    return Draws(one.own.step, here, there, sites[0], sites[1])


def _reproduction(mode: str, steps: int) -> str:
    return "\n".join(
        [
            "from jaxgrad import parity",
            "reference = parity.from_torch(model, loss_fn, optimizer)",
            "candidate = parity.from_jax(step, state)",
            f"report = parity.compare(reference, candidate, batches[:{steps}], mode={mode!r})",
            "print(report)",
        ]
    )
