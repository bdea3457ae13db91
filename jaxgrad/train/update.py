"""What comes after the backward: clip, step or skip, schedule, average, in the order of torch's loops."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxgrad import optim
from jaxgrad._core.errors import explain
from jaxgrad._core.trees import all_finite
from jaxgrad._core.types import Metrics
from jaxgrad._jaxpr.kept import kept_if
from jaxgrad.amp import GradScaler
from jaxgrad.nn.utils import clip_grad_norm, clip_grad_value
from jaxgrad.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from jaxgrad.optim.swa_utils import AveragedModel
from jaxgrad.train.gradient import Computed, Scale
from jaxgrad.train.schedule import advance_schedule, check_schedule
from jaxgrad.train.state import TrainState, check_scaler


@dataclass(frozen=True)
class Update:
    """The second half of a step; arguments as in ``make_train_step``."""

    tx: optax.GradientTransformation
    clip_grad_norm: float | None = None
    clip_grad_value: float | None = None
    schedule: LRScheduler | None = None
    average: AveragedModel | bool | None = None
    skip_nonfinite: bool = False
    scaler: GradScaler | None = None

    def __post_init__(self) -> None:
        if not hasattr(self.tx, "init"):
            raise TypeError(
                explain(
                    "a train step takes an optimizer",
                    got=type(self.tx).__name__,
                    remedy="train.make_train_step(loss_fn, optim.Adam()); the parameters are init_state's",
                )
            )
        if self.schedule is not None:
            check_schedule(self.schedule)
            if isinstance(self.schedule, ReduceLROnPlateau):
                raise TypeError(
                    explain(
                        "ReduceLROnPlateau judges a metric, which a step does not have",
                        remedy="leave it out of make_train_step: "
                        "state = train.step_schedule(state, schedule, metrics) once an epoch",
                    )
                )
        if self.scaler is not None:
            check_scaler(self.scaler)
        for name in ("clip_grad_norm", "clip_grad_value"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float | jax.Array)):
                raise TypeError(explain(f"{name} is a number", got=repr(value)))

    def scale(self, state: TrainState) -> Scale:
        """What is done to the loss before its backward."""
        if self.scaler is None or not self.scaler.enabled:
            return None
        return partial(self.scaler.scale, state=_required(state, "scaler"))

    def __call__(self, state: TrainState, computed: Computed, lr: Any) -> tuple[TrainState, Metrics]:
        """The state after the step, and what there is to report."""
        metrics: Metrics = {}
        scaler = self.scaler or GradScaler(enabled=False)
        grads, found_inf = scaler.unscale(computed.grads, state.scaler)
        if self.scaler is not None:
            metrics |= {"scale": state.scaler.scale if state.scaler else jnp.float32(1.0), "found_inf": found_inf}
        if self.clip_grad_norm is not None:
            grads, metrics["grad_norm"] = clip_grad_norm(grads, self.clip_grad_norm)
        if self.clip_grad_value is not None:
            grads = clip_grad_value(grads, self.clip_grad_value)
        skips = found_inf
        if self.skip_nonfinite:
            finite = jnp.isfinite(metrics["grad_norm"]) if self.clip_grad_norm is not None else all_finite(grads)
            metrics["skipped"] = ~finite
            skips = skips | metrics["skipped"]

        def step(before: tuple[Any, Any]) -> tuple[Any, Any]:
            params, opt_state = before
            return optim.step(self.tx, params, grads, opt_state, lr=lr)

        before = computed.params, state.opt_state
        params, opt_state = kept_if(skips, before, step) if self.skip_nonfinite or scaler.enabled else step(before)
        scale = scaler.update(state.scaler, found_inf) if scaler.enabled else state.scaler
        kept = state.schedule
        if self.schedule is not None:
            kept, opt_state = advance_schedule(self.schedule, _required(state, "schedule"), opt_state)
        average = state.average
        if self.average:
            average = self._averaged(_required(state, "average"), params, computed.buffers)
        params = {name: params[name] for name in computed.params}
        return TrainState(params, opt_state, computed.buffers, computed.generator, kept, average, scale), metrics

    def _averaged(self, average: AveragedModel, params: Any, buffers: Any) -> AveragedModel:
        given = self.average
        if isinstance(given, AveragedModel) and given.tree_flatten()[1] != average.tree_flatten()[1]:
            raise ValueError(
                explain(
                    "the step and the state have averages of different kinds",
                    remedy="give init_state and make_train_step the same AveragedModel",
                )
            )
        return average.update_parameters((params, buffers if average.buffers else {}))


def _required(state: TrainState, name: str) -> Any:
    value = getattr(state, name)
    if value is None:
        raise ValueError(
            explain(
                f"the step was made with {name}=, and the state has no {name}",
                remedy=f"train.init_state(params, tx, {name}={name}), with the same one",
            )
        )
    return value
