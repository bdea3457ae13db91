"""The schedule of stochastic weight averaging: down (or up) to a constant lr."""

import dataclasses
import math
from typing import Any

import jax.numpy as jnp

from jaxgrad._core.types import Array
from jaxgrad.optim.lr_scheduler.arguments import changed, from_file
from jaxgrad.optim.lr_scheduler.groups import Number, as_groups, per_group
from jaxgrad.optim.lr_scheduler.powers import half_cosine
from jaxgrad.optim.lr_scheduler.scheduler import LRScheduler
from jaxgrad.optim.lr_scheduler.state import Memory


@dataclasses.dataclass(frozen=True)
class SWALR(LRScheduler):
    """Mirror of ``torch.optim.swa_utils.SWALR``: from the lr that it finds to ``swa_lr``, then constant.

    ``(1 - a) lr_0 + a swa_lr`` with ``a = t / anneal_epochs`` (linear) or ``(1 - cos(pi t / anneal_epochs)) / 2``.

    Args:
        lr: the base lr, or a list with one per parameter group.
        swa_lr: the lr at the end, one number or one per group.
        anneal_epochs: steps from one to the other.
        anneal_strategy: "cos" or "linear".
        last_epoch: the index of the last epoch; -1 begins at ``lr``.

    Raises:
        ValueError: ``anneal_strategy must be one of 'cos' or 'linear', instead got ...``, ``anneal_epochs must be equal
            or greater than 0, got ...``, or a list with another length than the groups.

    >>> schedule = SWALR(1.0, swa_lr=0.5, anneal_epochs=2, anneal_strategy="linear")
    >>> [schedule.get_last_lr(schedule.state_at(t)) for t in range(4)]
    [1.0, 0.75, 0.5, 0.5]
    """

    lr: Any
    swa_lr: Any
    anneal_epochs: int = 10
    anneal_strategy: str = "cos"
    last_epoch: int = -1

    _restarts_at_base = False

    def _validate(self) -> None:
        self._set(swa_lr=per_group("swa_lr", self.swa_lr, len(as_groups(self.lr))))
        if self.anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {self.anneal_strategy}")
        if not isinstance(self.anneal_epochs, int) or self.anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {self.anneal_epochs}")

    def _get_lr(self, memory: Memory, lr: Number, group: int, initial: bool) -> Number:
        swa_lr, step = self.swa_lr[group], memory.step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._alpha(step - 1), self._alpha(step)
        start = swa_lr if before == 1 else (lr - before * swa_lr) / (1 - before)
        return swa_lr * now + start * (1 - now)

    def _arguments(self) -> dict[str, Any]:
        return {"anneal_epochs": self.anneal_epochs, "_anneal_strategy": self.anneal_strategy}

    def _taking_over(self, state_dict: dict[str, Any]) -> Any:
        names = {"anneal_epochs": "anneal_epochs", "anneal_strategy": "_anneal_strategy"}
        return changed(self, {name: from_file(state_dict[key]) for name, key in names.items() if key in state_dict})

    def _alpha(self, step: int) -> float:
        t = max(0, min(1, step / max(1, self.anneal_epochs)))
        return t if self.anneal_strategy == "linear" else (1 - math.cos(math.pi * t)) / 2

    def _graph_lr(self, count: Array, base_lr: Number, group: int) -> Array:
        total = max(1, self.anneal_epochs)
        step = jnp.clip(count if self.anneal_epochs else jnp.maximum(1, count), 0, total)
        weight = half_cosine if self.anneal_strategy == "cos" else jnp.divide
        return self.swa_lr[group] * weight(step, total) + base_lr * weight(total - step, total)

    def _epoch(self, memory: Memory) -> Any:
        return memory.step_count - 1
