"""What happens inside a train step of ours: the same parts, put together so that nothing is thrown away."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.tap import arrays_of, watching
from jaxgrad._core.trees import map_keeping_none
from jaxgrad.amp import GradScaler
from jaxgrad.nn.utils import clip_grad_norm, clip_grad_value
from jaxgrad.parity.record.model import module_name
from jaxgrad.train.gradient import accumulated, gradient
from jaxgrad.train.loss import Loss
from jaxgrad.train.parts import Parts
from jaxgrad.train.state import TrainState

_FORWARD = "outputs of the modules"


class Look:
    """``(state, batch) -> {"forward": ..., "grads": ..., "clipped": ...}``, compiled.

    Args:
        parts: of the train step.
        only: the names of the modules to look at, or None for all.
        whole: whether the state after the step is asked for too.

    Attributes:
        order: the names in ``forward`` in the order in which the modules finished, which a compiled program sorts.
        lines: module -> the line that called it, where a user wrote one.
    """

    def __init__(self, parts: Parts, only: frozenset[str] | None, *, whole: bool = False):
        self.parts, self.only, self.whole = parts, only, whole
        self.order: list[str] = []
        self.lines: dict[str, str] = {}
        self._jitted = jax.jit(self._look)

    def __call__(
        self, state: TrainState, batch: Any, instead: Mapping[str, Any] | None = None, *, skips: bool = False
    ) -> tuple[dict[str, Any], TrainState | None]:
        """What happens in the step from this state, and the state after it if that was asked for.

        ``instead`` of what a module returned, the array of its name in ``forward`` goes on. A step that a scaler
        ``skips`` is one whose gradients are not finite when the scaler sees them.
        """
        seen, after = self._jitted(state, batch, dict(instead or {}), skips and self.parts.update.scaler is not None)
        return jax.device_get(seen), after

    def _look(
        self, state: TrainState, batch: Any, instead: dict[str, Any], skips: Any
    ) -> tuple[dict[str, Any], TrainState | None]:
        parts, update = self.parts, self.parts.update
        loss = _Watched(**vars(parts.loss), look=self)
        held = state.params, (batch, instead), state.buffers, state.generator
        if parts.accumulate == 1:
            computed = gradient(loss, *held, update.scale(state))
        else:
            computed = accumulated(loss, *held, parts.accumulate, parts.reduction, update.scale(state))
        scaler = update.scaler or GradScaler(enabled=False)
        grads, _ = scaler.unscale(computed.grads, state.scaler)
        clipped: dict[str, Any] = {}
        if update.clip_grad_norm is not None:
            clipped, norm = clip_grad_norm(grads, update.clip_grad_norm)
            clipped = {"total_norm": norm, **clipped}
        if update.clip_grad_value is not None:
            norms = {name: clipped[name] for name in ("total_norm",) if name in clipped}
            values = {name: grad for name, grad in (clipped or grads).items() if name != "total_norm"}
            clipped = {**norms, **clip_grad_value(values, update.clip_grad_value)}
        if update.scaler is not None:
            lost = map_keeping_none(lambda grad: jnp.where(skips, jnp.inf, grad).astype(grad.dtype), computed.grads)
            computed = computed._replace(grads=lost)
        after = update(state, computed, None)[0] if self.whole else None
        loss_of_step = {"loss": computed.loss}
        return {"forward": computed.metrics[_FORWARD], "loss": loss_of_step, "grads": grads, "clipped": clipped}, after


@dataclass(frozen=True)
class _Watched(Loss):
    """A loss function that reports what the modules returned among its metrics."""

    look: Look

    def __call__(self, params: Any, batch: Any, **kwargs: Any) -> Any:
        only = self.look.only
        paths = None if only is None else frozenset("" if name == "model" else name for name in only)
        batch, instead = batch
        with watching(paths, instead, within=_Watched.__call__.__code__) as tap:
            loss, aux = super().__call__(params, batch, **kwargs)
        self.look.lines = {module_name(path): line for path, line in tap.lines.items() if line}
        forward: Any = arrays_of(tap.outputs)
        self.look.order = list(forward)
        return loss, replace(aux, metrics={**(aux.metrics or {}), _FORWARD: forward})
