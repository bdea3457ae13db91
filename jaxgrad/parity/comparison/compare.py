"""Two training runs, step by step: are they the same; if not, where do they part first, how badly, and why?"""

import platform
from collections.abc import Iterable
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
from jaxgrad.parity.comparison.observe import Observation, Observer
from jaxgrad.parity.comparison.window import Window
from jaxgrad.parity.record.model import STATE, StepRecord
from jaxgrad.parity.report import Cause, Divergence, Draws, Report, TensorDistance
from jaxgrad.parity.sides.side import Side


def compare(
    reference: Side,
    candidate: Side,
    batches: Iterable[Any],
    mode: str = "free",
    *,
    bounds: Bounds | None = None,
    float64: bool = True,
) -> Report:
    """Run both sides over the batches and compare every phase of every step.

    The verdict is no tolerance: distances are given in units of the reference's own rounding, which is measured by
    running the reference in float64 and from starts that are perturbed by one unit in the last place. Where the
    candidate can be run in float64 too, that run decides whether it computes the same; its own precision then has to
    show only that it does not round worse. See ``Bounds``.

    Args:
        reference: of ``from_torch`` (or any side).
        candidate: of ``from_jax`` (or any side).
        batches: what ``reference`` and ``candidate`` take, arrays of numpy, torch or JAX; gone through once.
        mode: "free": both run on by themselves, and what differs once goes on to differ. "single": every step of the
            candidate starts from the reference's values, so that errors do not add up.
        bounds: the largest distances that are no divergence.
        float64: whether to run both sides in float64 too.

    Returns:
        The report; ``report.ok``, ``report.first``, ``report.cause``, ``report.assert_ok()``.

    Raises:
        ValueError: another mode, or no batches.

    >>> import jax.numpy as jnp
    >>> import torch
    >>> from jaxgrad import optim, parity, train
    >>> from jaxgrad.nn import functional as F
    >>> model = torch.nn.Linear(2, 1)
    >>> reference = parity.from_torch(model, torch.nn.functional.mse_loss, torch.optim.SGD(model.parameters(), lr=0.1))
    >>> params = {name: jnp.asarray(value.detach().numpy()) for name, value in model.named_parameters()}
    >>> def loss_fn(params, x, y):
    ...     return F.mse_loss(F.linear(x, params["weight"], params["bias"]), y)
    >>> tx = optim.SGD(0.1)
    >>> candidate = parity.from_jax(train.make_train_step(loss_fn, tx), train.init_state(params, tx))
    >>> parity.compare(reference, candidate, [(np.ones((4, 2)), np.ones((4, 1)))] * 3).sentence
    'Equal through all 3 steps'
    """
    if mode not in ("free", "single"):
        raise ValueError(explain(f"{mode!r} is not a mode", expected='"free" or "single"'))
    return _Comparison(reference, candidate, mode, bounds or Bounds(), float64).over(batches)


class _Comparison:
    """One comparison under way."""

    def __init__(self, reference: Side, candidate: Side, mode: str, bounds: Bounds, float64: bool):
        self.mode, self.bounds = mode, bounds
        reference = reference.watching(module_inputs=True) if hasattr(reference, "watching") else reference
        self.reference = Observer(reference, bounds.members, float64=float64, afresh=mode == "single")
        self.candidate = Observer(candidate, float64=float64)
        self.start = self.reference.run.initial()
        kind = str(self.reference.run.meta.get("optimizer", {}).get("class", ""))
        own = self.candidate.run.initial()
        self.naming = Naming(self.start, own, getattr(candidate, "names", None), kind)
        self.candidate.naming = self.naming
        self.derived = STATE in own
        self.starts = dict(self.start), self.naming.initial()
        self.window = Window(*self.starts)
        self.distances: list[TensorDistance] = []
        self.draws: list[Draws] = []
        self.stumbled = ""
        self.explicit: set[str] = set()

    def over(self, batches: Iterable[Any]) -> Report:
        """Every step, and the report."""
        steps = 0
        before: Any = self.start
        for batch in batches:
            one, other, found = self._free(batch) if self.mode == "free" else self._single(batch, before)
            self.distances += found
            self.draws.append(_draws(one, other))
            self.window.add(one, other, any(not each.ok for each in found))
            before = one.own
            steps += 1
        if not steps:
            raise ValueError(explain("there is nothing to compare", got="no batches"))
        return self._report(steps)

    def _free(self, batch: Any) -> tuple[Observation, Observation, list[TensorDistance]]:
        one, other = self._stepped(batch)
        return one, other, self._judged(one, other)

    def _stepped(self, batch: Any) -> tuple[Observation, Observation]:
        one = self.reference.step(batch)
        other = self.candidate.step(batch)
        self.explicit |= set(other.own) - {STATE}
        return one, self.candidate.named(other, one)

    def _single(self, batch: Any, before: Any) -> tuple[Observation, Observation, list[TensorDistance]]:
        """A step from the reference's values; the perturbed runs are made only where something seems to differ."""
        settings = self.reference.run.settings()
        self.candidate.restore(before)
        self.reference.restore(before, own=False)
        one, other = self._stepped(batch)
        found = self._judged(one, other)
        if all(each.ok for each in found):
            return one, other, found
        one = self.reference.perturbed(one, batch, before, settings)
        return one, other, self._judged(one, other)

    def _judged(self, one: Observation, other: Observation) -> list[TensorDistance]:
        self.start.setdefault("lr", one.own["lr"])
        order = tuple(self.reference.run.meta.get("called", ()))
        judge = self._judge(order)
        own = Lane(one.own, other.own, one.doubles or one.own, one.runs, self.start)
        doubles = None
        if one.doubles is not None and other.doubles is not None:
            doubles = Lane(one.doubles, other.doubles, one.doubles, one.double_runs, self.start)
        found = list(judge.step(own, doubles, pure=True))
        if doubles is not None and not all(each.ok for each in found):
            run: Any = self.candidate.doubles
            if not getattr(run, "is_pure", lambda: True)():
                return list(judge.step(own, doubles, pure=False))
        return found

    def _first(self, meta: dict[str, Any]) -> Divergence | None:
        """Where they part: at the start, or in a step."""
        starts = [
            StepRecord(0, {key: each[key] for key in ("params", "buffers") if key in each}) for each in self.starts
        ]
        judge = self._judge(())
        at_start = first_divergence(judge.step(Lane(*starts, starts[0]), None, pure=True), meta)
        if at_start is not None:
            return replace(at_start, operation="the start, before step 0", agreeing=())
        return first_divergence(self.distances, meta, soft=self.derived)

    def _judge(self, order: tuple[str, ...]) -> Judge:
        judge = Judge(self.bounds, self.reference.in_doubles and self.candidate.in_doubles, order)
        return replace(judge, whole=judge.whole & self.explicit) if self.derived else judge

    def _cause(self, first: Divergence, decided: bool, meta: dict[str, Any]) -> Cause | None:
        """The known deviation that makes the candidate's numbers of the reference's."""
        sides = self.window.recordings(decided, (meta["reference"], meta["candidate"]))
        try:
            return causes.explain(causes.Context(*sides, first, single=self.mode == "single"))
        except Exception as error:  # a rule that stumbles must not cost the report, which says so
            self.stumbled = f"{type(error).__name__}: {error}"
            return None

    def _report(self, steps: int) -> Report:
        meta = {"reference": dict(self.reference.run.meta), "candidate": dict(self.candidate.run.meta)}
        first = self._first(meta)
        decided = self.reference.doubles is not None and self.candidate.doubles is not None
        cause = None if first is None else self._cause(first, decided, meta)
        noise = {
            "bound": self.bounds.semantics if decided else self.bounds.alone,
            "false_alarms": self.bounds.false_alarms(decided=decided),
            "members": self.bounds.members,
            "floor": "half a unit in the last place of the tensor",
            "decided_by": "float64" if decided else "float32",
            "explaining_failed": self.stumbled,
            "not_found": list(self.naming.unmatched),
            "not_in_float64": {"reference": self.reference.why_not, "candidate": self.candidate.why_not},
        }
        return Report(
            ok=first is None,
            mode=self.mode,
            steps=steps,
            first=first,
            cause=cause,
            distances=tuple(self.distances),
            noise=noise,
            environment=environment(meta),
            reproduction=_reproduction(self.mode, steps if first is None else first.step + 1),
            meta=meta,
            draws=tuple(self.draws),
        )


def environment(meta: dict[str, Any]) -> dict[str, Any]:
    """Versions and devices."""
    sides = {name: {key: each.get(key) for key in ("versions", "device", "dtype")} for name, each in meta.items()}
    here = {"python": platform.python_version(), "numpy": np.__version__, "jax": jax.__version__}
    return {**here, "platform": platform.platform(), **sides}


def _draws(one: Observation, other: Observation) -> Draws:
    at = [side.own["generator"].get("position") for side in (one, other)]
    sites = [tuple(draw.source for draw in side.own.draws) for side in (one, other)]
    return Draws(one.own.step, *(None if each is None else int(each) for each in at), *sites)


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
