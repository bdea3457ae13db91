"""The scheduler that listens to a metric: its step takes one, and the lr falls when the metric stops improving."""

import dataclasses
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgrad._core.errors import explain, is_traced
from jaxgrad.optim.lr_scheduler.arguments import changed, from_file, own_arguments
from jaxgrad.optim.lr_scheduler.groups import Number, as_groups, as_host_numbers
from jaxgrad.optim.lr_scheduler.scheduler import LRScheduler
from jaxgrad.optim.lr_scheduler.state import State


class PlateauMemory(NamedTuple):
    """torch's attributes of the same names."""

    last_epoch: Any
    best: Any
    cooldown_counter: Any
    num_bad_epochs: Any


@dataclasses.dataclass(frozen=True)
class ReduceLROnPlateau(LRScheduler):
    """Mirror of ``torch.optim.lr_scheduler.ReduceLROnPlateau``: ``state = schedule.step(state, metric)``.

    A metric is better when it lies below ``best (1 - threshold)`` (mode "min"; "max": above ``best (1 + threshold)``),
    or with threshold_mode "abs" below ``best - threshold`` (above ``best + threshold``). After more than ``patience``
    epochs in a row without a better one, ``lr = max(factor lr, min_lr)``, then ``cooldown`` epochs count for nothing.
    nan is never better. optax's transformation of the same name waits one epoch longer and treats cooldown, nan and
    absolute thresholds in another way.

    The schedule is a function of the metrics, not of the step. Inside jit, ``step`` takes and gives a state of arrays
    (a scan can carry it) and computes in JAX's float dtype: a metric that differs from its threshold by less than the
    rounding of that dtype may be judged otherwise than by torch's double.

    Args:
        lr: the base lr, or a list with one per parameter group.
        mode: "min" or "max".
        factor: the factor of a reduction, < 1.
        patience: epochs without improvement that are waited for.
        threshold: what counts as an improvement.
        threshold_mode: "rel" or "abs".
        cooldown: epochs after a reduction in which bad ones are not counted.
        min_lr: the lowest lr, one number or a list with one per group.
        eps: a reduction that changes the lr by no more than this is not made.

    Raises:
        ValueError: ``Factor should be < 1.0.``, ``mode ... is unknown!``, ``threshold mode ... is unknown!``,
            ``expected ... min_lrs, got ...``.

    >>> schedule = ReduceLROnPlateau(1.0, factor=0.5, patience=1)
    >>> state = schedule.init()
    >>> for loss in (3.0, 3.0, 3.0, 2.0):
    ...     state = schedule.step(state, loss)
    ...     print(schedule.get_last_lr(state))
    1.0
    1.0
    0.5
    0.5
    """

    lr: Any
    mode: str = "min"
    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    threshold_mode: str = "rel"
    cooldown: int = 0
    min_lr: Any = 0
    eps: float = 1e-8

    def _validate(self) -> None:
        if self.factor >= 1.0:
            raise ValueError(explain("Factor should be < 1.0.", got=self.factor))
        groups = len(as_groups(self.lr))
        if isinstance(self.min_lr, (list, tuple)):
            if len(self.min_lr) != groups:
                raise ValueError(f"expected {groups} min_lrs, got {len(self.min_lr)}")
            self._set(min_lr=tuple(self.min_lr))
        else:
            self._set(min_lr=(self.min_lr,) * groups)
        if self.mode not in ("min", "max"):
            raise ValueError(explain(f"mode {self.mode} is unknown!", expected="'min' or 'max'"))
        if self.threshold_mode not in ("rel", "abs"):
            raise ValueError(explain(f"threshold mode {self.threshold_mode} is unknown!", expected="'rel' or 'abs'"))

    def init(self, lr: Any = None) -> State:
        """The state before the first metric; ``lr`` continues from an lr other than the base one."""
        groups = as_groups(self.lr)
        worst = math.inf if self.mode == "min" else -math.inf
        start = groups if lr is None else tuple(lr) if isinstance(lr, (list, tuple)) else (lr,) * len(groups)
        return State(start, groups, (), PlateauMemory(0, worst, 0, 0))

    def step(self, state: State, metrics: Any = None, epoch: Any = None) -> State:  # type: ignore[override]
        """The state after ``scheduler.step(metrics)``.

        Args:
            state: from ``init`` or ``step``; plain numbers, or arrays inside jit.
            metrics: the number to judge by.
            epoch: what to set ``last_epoch`` to, instead of one more.

        Raises:
            TypeError: no metric was given.
        """
        if state.taken is not None:
            following = state.taken.schedule.step(state._replace(taken=None), metrics, epoch)
            return following._replace(taken=state.taken)
        if metrics is None:
            raise TypeError("ReduceLROnPlateau.step() missing 1 required positional argument: 'metrics'")
        memory = state.memory
        if is_traced(metrics) or isinstance(memory.num_bad_epochs, jax.Array):
            return self._traced_step(state, metrics, epoch)
        return self._host_step(as_host_numbers(state), float(metrics), epoch)

    def value_at(self, count: Any) -> Any:
        """Raises: the lr depends on the metrics, not on the step."""
        del count
        raise NotImplementedError(
            explain(
                "ReduceLROnPlateau is not a function of the step",
                remedy="carry its state through jit: state = schedule.step(state, metric)",
            )
        )

    def tabulate(self, num_steps: int) -> Any:
        """Raises: the lr depends on the metrics, not on the step."""
        self.value_at(num_steps)

    def state_at(self, count: int) -> State:
        """Raises: the lr depends on the metrics, not on the step."""
        return self.value_at(count)

    def _arguments(self) -> dict[str, Any]:
        arguments = super()._arguments()
        return {**arguments, "min_lrs": arguments.pop("min_lr")}

    def _taking_over(self, state_dict: dict[str, Any]) -> Any:
        names = {**{name: name for name in own_arguments(self)}, "min_lr": "min_lrs"}
        return changed(self, {name: from_file(state_dict[key]) for name, key in names.items() if key in state_dict})

    def _host_step(self, state: State, metric: float, epoch: Any) -> State:
        memory, lrs = state.memory, state.lr
        last_epoch = memory.last_epoch + 1 if epoch is None else epoch
        better = self._is_better(metric, memory.best)
        best = metric if better else memory.best
        cooldown, bad = memory.cooldown_counter, 0 if better else memory.num_bad_epochs + 1
        if cooldown > 0:
            cooldown, bad = cooldown - 1, 0
        if bad > self.patience:
            lrs = tuple(self._reduced(lr, min_lr) for lr, min_lr in zip(lrs, self.min_lr, strict=True))
            cooldown, bad = self.cooldown, 0
        return state._replace(lr=lrs, memory=PlateauMemory(last_epoch, best, cooldown, bad))

    def _reduced(self, lr: Number, min_lr: float) -> Number:
        new_lr = max(lr * self.factor, min_lr)
        return new_lr if lr - new_lr > self.eps else lr

    def _is_better(self, metric: Any, best: Any) -> Any:
        if self.threshold_mode == "rel":
            return (
                metric < best * (1.0 - self.threshold) if self.mode == "min" else metric > best * (self.threshold + 1.0)
            )
        return metric < best - self.threshold if self.mode == "min" else metric > best + self.threshold

    def _traced_step(self, state: State, metric: Any, epoch: Any) -> State:
        """``_host_step`` with ``where`` for ``if``."""
        memory = state.memory
        last_epoch = memory.last_epoch + 1 if epoch is None else epoch
        metric = jnp.asarray(metric, float)
        better = self._is_better(metric, memory.best)
        best = jnp.where(better, metric, memory.best)
        cooldown, bad = memory.cooldown_counter, jnp.where(better, 0, memory.num_bad_epochs + 1)
        cooling = cooldown > 0
        cooldown, bad = jnp.where(cooling, cooldown - 1, cooldown), jnp.where(cooling, 0, bad)
        reduce = bad > self.patience
        lrs = []
        for lr, min_lr in zip(state.lr, self.min_lr, strict=True):
            new_lr = jnp.maximum(jnp.asarray(lr, float) * self.factor, min_lr)
            lrs.append(jnp.where(reduce & (lr - new_lr > self.eps), new_lr, lr))
        cooldown, bad = jnp.where(reduce, self.cooldown, cooldown), jnp.where(reduce, 0, bad)
        return state._replace(lr=tuple(lrs), memory=PlateauMemory(last_epoch, best, cooldown, bad))
