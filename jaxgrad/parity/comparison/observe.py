"""The runs that a verdict needs, made in step: a side as it is, in float64, and from perturbed starts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from jaxgrad._core.errors import explain
from jaxgrad.parity.comparison.measure import least, spread
from jaxgrad.parity.comparison.naming import Naming
from jaxgrad.parity.record.model import Spread, StepRecord, Tensors
from jaxgrad.parity.sides.purity import NOTHING
from jaxgrad.parity.sides.side import Run, Side

_DOUBLE_MEMBERS = 2

CANNOT_SKIP = "a step overflows and its scaler skips it; in float64 it does not, and a function cannot be told to skip"


def unreachable(side: Any, expected: str, remedy: str | None = None) -> TypeError:
    """What is said of a side whose modules are not known here.

    >>> unreachable(0, "a side of from_torch").args[0].splitlines()[0]
    'the modules of this side cannot be reached'
    """
    return TypeError(
        explain("the modules of this side cannot be reached", got=type(side).__name__, expected=expected, remedy=remedy)
    )


@dataclass(frozen=True)
class Observation:
    """One step of a side.

    Attributes:
        own: as it is.
        doubles: in float64, from the same numbers; None where it cannot be run so.
        noise: how far its runs from perturbed starts, and itself, are from its float64 run.
        double_noise: how far its float64 runs from perturbed starts are from that.
    """

    own: StepRecord
    doubles: StepRecord | None = None
    noise: Spread = field(default_factory=dict)
    double_noise: Spread = field(default_factory=dict)


class Observer:
    """Makes a side's steps.

    Args:
        side: the side.
        members: how many runs from perturbed starts.
        float64: whether to run in float64 too.
        afresh: whether each step starts from given values; the perturbed runs are then made on demand.

    Attributes:
        run: the side as it is.
        naming: how the reference's values become its own; None for the reference.
        why_not: what stood against the run in float64; empty if nothing did.
    """

    def __init__(self, side: Side, members: int = 0, *, float64: bool = True, afresh: bool = False):
        self.run: Run = side.start()
        self.in_doubles = self.run.meta.get("dtype") == "float64"
        self.why_not = "" if float64 else "not asked for"
        self.doubles: Run | None = None
        self.afresh, self._side, self._count = afresh, side, members
        self.naming: Naming | None = None
        self.members: list[Run] = []
        self._least: Spread = {}
        self.double_members: list[Run] = []
        if float64 and not self.in_doubles:
            self._attempt(lambda: setattr(self, "doubles", side.start(float64=True)))
        if not afresh:
            self._start_members()

    def step(self, batch: Any) -> Observation:
        """One step of all runs."""
        own, doubles = self._both(batch, overflowed=False)
        if self.afresh:
            known = self._least if doubles is None else spread(own, doubles, ())
            return Observation(own, doubles, known)
        return self._with_members(own, doubles, batch)

    def alone(self, batch: Any, instead: Observation | None = None, *, overflowed: bool = False) -> Observation:
        """One step of a side that is only to be judged; its modules take what those of ``instead`` returned.

        ``overflowed`` says that the reference's scaler skips the step, for a side that tells of no scaler of its own.
        """
        if instead is not None:
            self._give(instead)
        return Observation(*self._both(batch, overflowed=overflowed))

    @property
    def follows(self) -> bool:
        """Whether its run in float64 skips what its scaler skips, or there is none that could go astray."""
        return self.doubles is None or hasattr(self.doubles, "skips")

    def narrow(self) -> str:
        """What the float64 run computes in less, as far as the side can tell."""
        asked: Any = getattr(self.doubles, "narrow", None)
        return NOTHING if asked is None else str(asked())

    def restore(self, values: Mapping[str, Tensors], *, own: bool = True) -> None:
        """Begin the next step from these values."""
        named = self._own(values)
        for run in (self.run if own else None, self.doubles):
            if run is not None:
                run.restore(named)

    def perturbed(self, observation: Observation, batch: Any, values: Mapping[str, Tensors], settings: Any) -> Any:
        """The same step again from these values perturbed; for a side whose steps start afresh."""
        if not self._count:
            return observation
        if not self.members:
            self._start_members()
        for runs in (self.members, self.double_members):
            for seed, run in enumerate(runs):
                run.set_settings(settings)
                run.restore(values, perturbed=seed)
        made = self._with_members(observation.own, observation.doubles, batch)
        self._least = least(self._least, made.noise)
        return made

    def _both(self, batch: Any, *, overflowed: bool) -> tuple[StepRecord, StepRecord | None]:
        """A step of the side, and in float64: what a scaler skips in the one is skipped in the other."""
        own = self.run.step(batch)
        skips = own.overflowed()
        told: Any
        for told in (self.doubles, *self.double_members):
            if hasattr(told, "skips"):
                told.skips = skips
        if (skips or overflowed) and not self.follows:
            self._without_doubles(CANNOT_SKIP)
        return own, None if self.doubles is None else self._attempt(partial(self.doubles.step, batch))

    def _give(self, outputs: Observation) -> None:
        run: Any = self.run
        run.instead = dict(outputs.own["forward"])
        if self.doubles is not None:
            doubles: Any = self.doubles
            doubles.instead = dict((outputs.doubles or outputs.own)["forward"])

    def _own(self, values: Mapping[str, Tensors]) -> Mapping[str, Tensors]:
        if self.naming is None or getattr(self._side, "set_state", None) is not None:
            return values
        return self.naming.own(values)

    def _with_members(self, own: StepRecord, doubles: StepRecord | None, batch: Any) -> Observation:
        double_runs: Any = ()
        if self.double_members:
            double_runs = self._attempt(lambda: tuple(run.step(batch) for run in self.double_members)) or ()
        return _observed(own, doubles, tuple(run.step(batch) for run in self.members), double_runs)

    def _start_members(self) -> None:
        self.members = [self._side.start(perturbed=seed) for seed in range(self._count)]
        if self.doubles is not None:
            count = min(self._count, _DOUBLE_MEMBERS)
            self.double_members = [self._side.start(float64=True, perturbed=seed) for seed in range(count)]

    def _attempt(self, make: Callable[[], Any]) -> Any:
        """Something in float64, unless a user's code cannot be run so."""
        try:
            return make()
        except Exception as error:  # whatever that code says to float64
            self._without_doubles(f"{type(error).__name__}: {error}".splitlines()[0][:200])
            return None

    def _without_doubles(self, why: str) -> None:
        self.doubles, self.double_members, self.why_not = None, [], why


def _observed(own: StepRecord, doubles: StepRecord | None, runs: Any = (), double_runs: Any = ()) -> Observation:
    """A step with what its other runs say of its rounding; they themselves are not kept."""
    noise = spread(own, doubles or own, runs)
    return Observation(own, doubles, noise, spread(doubles, doubles, double_runs) if doubles and double_runs else {})
