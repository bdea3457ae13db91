"""A compiled train step of ours as a side of a comparison, with a look inside it."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.dtypes import x64_enabled
from jaxgrad.parity.record.model import StepRecord, Tensors
from jaxgrad.parity.sides.batches import as_arrays, recorded
from jaxgrad.parity.sides.jax_look import Look
from jaxgrad.parity.sides.jax_restore import Restore
from jaxgrad.parity.sides.jax_state import arrays, lr_of, phases_of, widened
from jaxgrad.parity.sides.perturb import one_ulp
from jaxgrad.parity.sides.purity import narrow_parts
from jaxgrad.train.parts import Parts
from jaxgrad.train.state import TrainState
from jaxgrad.train.step import TrainStep


@dataclass(frozen=True)
class JaxStep:
    """What ``from_jax`` makes of a train step of ours.

    >>> import jax.numpy as jnp
    >>> from jaxgrad import optim, parity, train
    >>> tx = optim.SGD(0.5)
    >>> step = train.make_train_step(lambda params, x: (params["w"] * x).sum(), tx)
    >>> side = parity.from_jax(step, train.init_state({"w": jnp.ones(2)}, tx))
    >>> side.start().step(jnp.ones(2))["params"]["w"].tolist()
    [0.5, 0.5]
    """

    train_step: TrainStep
    state: TrainState = field(repr=False)
    names: Any = None
    only: frozenset[str] | None = None
    each_module: bool = False
    _programs: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    def look(self, *, whole: bool) -> Look:
        """The program that looks inside a step; runs of one side share it, so that it is compiled once."""
        return self._programs.setdefault((whole, self.only), Look(self._parts(), self.only, whole=whole))

    def restore(self) -> Restore:
        """What puts values into a state; shared likewise."""
        return self._programs.setdefault("restore", Restore(self._parts().update.tx))

    def _parts(self) -> Parts:
        parts = self.train_step.parts
        assert parts is not None, "from_jax takes steps that know their parts"
        return parts

    def start(self, *, float64: bool = False, perturbed: int | None = None) -> "JaxRun":
        """A run of its own from the start; see ``Side``."""
        run = JaxRun(self, float64=float64)
        if perturbed is not None:
            run.perturb(perturbed)
        return run

    def watching(self, *, module_inputs: bool | None = None, only: frozenset[str] | None = None) -> "JaxStep":
        """The same, looking at some modules only; what goes into modules is not noted."""
        return replace(self, only=self.only if only is None else only)

    def by_module(self) -> "JaxStep":
        """The same, whose modules may be given what the modules before them should have returned."""
        return replace(self, each_module=True)


class JaxRun:
    """One run of a ``JaxStep``.

    The parameters, buffers, optimizer state, stream and loss are those of the compiled step itself; gradients, clipped
    gradients and module outputs come from a second program, which is made of the same parts. In float64, where it is
    the parts that are judged, and module by module, the second program is all there is.

    Attributes:
        instead: what goes on in the next step in place of what the modules of these names return.
        skips: whether the scaler skips the next step, whatever its gradients are.
    """

    def __init__(self, side: JaxStep, *, float64: bool = False):
        self.train_step, self.float64 = side.train_step, float64
        self._look = side.look(whole=float64 or side.each_module)
        self._restore = side.restore()
        self.instead: Tensors = {}
        self.skips = False
        self.parts = parts = self._look.parts
        with self._precision():
            state = jax.tree.map(lambda leaf: jnp.array(leaf, copy=True), side.state)
            self.state = widened(state) if float64 else state
            self.dtype = next((v.dtype for v in state.params.values() if v.dtype.kind == "f"), np.dtype("float32"))
        self._narrow: str | None = None
        self._batch: Any = None
        self.meta: dict[str, Any] = {
            "library": "jaxgrad",
            "versions": {"jax": jax.__version__, "numpy": np.__version__},
            "device": str(next(iter(jax.tree.leaves(self.state)[0].devices()))),
            "dtype": str(self.dtype),
            "optimizer": {"class": getattr(parts.update.tx, "name", type(parts.update.tx).__name__)},
            "accumulate": parts.accumulate,
        }
        self._step = 0

    def initial(self) -> dict[str, Tensors]:
        """What there is before the first step."""
        phases = phases_of(self.state, self.parts.update.tx)
        return {name: value for name, value in phases.items() if name != "scaler"}

    def step(self, batch: Any) -> StepRecord:
        """A step, and what happened in it."""
        with self._precision():
            batch = as_arrays(batch, np.float64 if self.float64 else self.dtype)
            self._batch = batch
            lr = lr_of(self.state.opt_state)
            seen, after = self._look(self.state, batch, self.instead, skips=self.skips)
            if after is None:
                after, metrics = self.train_step(self.state, batch)
                seen["loss"] = {"loss": np.array(metrics["loss"])}
            self.state = after
            phases: dict[str, Tensors] = {
                "inputs": recorded(batch),
                "forward": seen["forward"],
                "loss": seen["loss"],
                "grads": arrays(seen["grads"], copied=False),
                "clipped": arrays(seen["clipped"], copied=False),
                "lr": lr,
                **phases_of(self.state, self.parts.update.tx, copied=not self._look.whole),
            }
        order = [name for name in self.state.params]
        for phase in ("grads", "clipped"):
            found = phases[phase]
            phases[phase] = {name: found[name] for name in ("total_norm", *order) if name in found}
        phases["forward"] = {name: seen["forward"][name] for name in self._look.order}
        self.meta["source"] = self._look.lines
        record = StepRecord(self._step, {name: value for name, value in phases.items() if value})
        self._step += 1
        return record

    def narrow(self) -> str:
        """What the step, given float64, computes in less; see ``narrow_parts``."""
        if self._narrow is None:
            with self._precision():
                self._narrow = narrow_parts(jax.make_jaxpr(self.train_step)(self.state, self._batch).jaxpr)
        return self._narrow

    def restore(self, values: Mapping[str, Tensors], perturbed: int | None = None) -> None:
        """Begin the next step from these values; see ``Run``."""
        with self._precision():
            self.state = self._restore(self.state, values)
        if perturbed is not None:
            self.perturb(perturbed)

    def settings(self) -> TrainState:
        """A copy of the state; see ``Run``."""
        return jax.tree.map(lambda leaf: jnp.array(leaf, copy=True), self.state)

    def set_settings(self, settings: TrainState) -> None:
        """Go on with such a copy."""
        with self._precision():
            state = jax.tree.map(lambda leaf: jnp.array(leaf, copy=True), settings)
            self.state = widened(state) if self.float64 else state

    def perturb(self, seed: int) -> None:
        """Move every parameter by one unit in the last place at most."""
        rng = np.random.default_rng([seed, 77])
        with self._precision():
            moved = {name: jnp.asarray(one_ulp(np.array(v), rng)) for name, v in self.state.params.items()}
            self.state = self.state.replace(params=moved)

    def _precision(self) -> AbstractContextManager[Any]:
        return jax.enable_x64(self.float64 or x64_enabled())
