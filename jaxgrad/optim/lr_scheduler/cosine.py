"""Cosine annealing, without restarts (and its return after ``T_max``), and with warm restarts."""

import dataclasses
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.dtypes import common_dtype
from jaxgrad.optim.lr_scheduler.groups import Number
from jaxgrad.optim.lr_scheduler.powers import half_cosine
from jaxgrad.optim.lr_scheduler.scheduler import LRScheduler
from jaxgrad.optim.lr_scheduler.state import Memory, State


@dataclasses.dataclass(frozen=True)
class CosineAnnealingLR(LRScheduler):
    """Mirror of ``torch.optim.lr_scheduler.CosineAnnealingLR``.

    ``eta_min + (base - eta_min) (1 + cos(pi t / T_max)) / 2``, also past ``T_max``: there the lr goes up again, and is
    back at ``base`` after ``2 T_max`` steps, where optax's schedule stays at its minimum.

    Args:
        lr: the base lr, or a list with one per parameter group.
        T_max: steps from the base lr to ``eta_min``.
        eta_min: the lowest lr.
        last_epoch: the index of the last epoch; -1 begins at ``lr``.

    Source: Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, 2017 (without the restarts).

    >>> schedule = CosineAnnealingLR(1.0, T_max=2)
    >>> [round(float(schedule(t)), 6) for t in range(5)]
    [1.0, 0.5, 0.0, 0.5, 1.0]
    """

    lr: Any
    T_max: int
    eta_min: float = 0.0
    last_epoch: int = -1

    def _get_lr(self, memory: Memory, lr: Number, group: int, initial: bool) -> Number:
        epoch, T_max, eta_min, base_lr = memory.last_epoch, self.T_max, self.eta_min, memory.base_lrs[group]
        if initial:
            return lr
        if memory.step_count == 1 and epoch > 0:
            return eta_min + (base_lr - eta_min) * (1 + math.cos(epoch * math.pi / T_max)) / 2
        if (epoch - 1 - T_max) % (2 * T_max) == 0:
            return lr + (base_lr - eta_min) * (1 - math.cos(math.pi / T_max)) / 2
        return (1 + math.cos(math.pi * epoch / T_max)) / (1 + math.cos(math.pi * (epoch - 1) / T_max)) * (
            lr - eta_min
        ) + eta_min

    def _closed_form_lr(self, memory: Memory, lr: Number, group: int) -> Number:
        base_lr = memory.base_lrs[group]
        return self.eta_min + (base_lr - self.eta_min) * (1 + math.cos(math.pi * memory.last_epoch / self.T_max)) / 2

    def _graph_lr(self, count: jax.Array, base_lr: Number, group: int) -> jax.Array:
        return _between(base_lr, self.eta_min, count % (2 * self.T_max), self.T_max)


class _RestartMemory(NamedTuple):
    last_epoch: Any
    step_count: Any
    base_lrs: tuple[Number, ...]
    T_cur: Any
    T_i: Any


@dataclasses.dataclass(frozen=True)
class CosineAnnealingWarmRestarts(LRScheduler):
    """Mirror of ``torch.optim.lr_scheduler.CosineAnnealingWarmRestarts``.

    ``eta_min + (base - eta_min) (1 + cos(pi T_cur / T_i)) / 2``, where ``T_cur`` counts the steps since the last
    restart and ``T_i = T_0 T_mult**i`` those between two. ``step(state, epoch)`` takes a fractional epoch, as in

        state = schedule.step(state, epoch + batch / batches)

    Args:
        lr: the base lr, or a list with one per parameter group.
        T_0: steps until the first restart.
        T_mult: the factor of that number after every restart.
        eta_min: the lowest lr.
        last_epoch: the index of the last epoch; -1 begins at ``lr``.

    Raises:
        ValueError: ``Expected positive integer T_0, but got ...``, ``Expected integer T_mult >= 1, but got ...``,
            ``Expected float or int eta_min, but got ...``; from ``step``: ``Expected non-negative epoch, but got ...``.

    Source: Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, 2017.

    >>> schedule = CosineAnnealingWarmRestarts(1.0, T_0=2, T_mult=2)
    >>> [round(float(schedule(t)), 6) for t in (0, 1, 1.5, 2, 4, 6)]
    [1.0, 0.5, 0.146447, 1.0, 0.5, 1.0]
    """

    lr: Any
    T_0: int
    T_mult: int = 1
    eta_min: float = 0.0
    last_epoch: int = -1

    def _validate(self) -> None:
        if self.T_0 <= 0 or not isinstance(self.T_0, int):
            raise ValueError(f"Expected positive integer T_0, but got {self.T_0}")
        if self.T_mult < 1 or not isinstance(self.T_mult, int):
            raise ValueError(f"Expected integer T_mult >= 1, but got {self.T_mult}")
        if not isinstance(self.eta_min, (float, int)):
            raise ValueError(f"Expected float or int eta_min, but got {self.eta_min} of type {type(self.eta_min)}")

    def _construct(self, state: State) -> State:
        initial_lr = state.initial_lr or state.lr
        memory = _RestartMemory(self.last_epoch, 0, initial_lr, self.last_epoch, self.T_0)
        return self._initial_step(state._replace(initial_lr=initial_lr, memory=memory))

    def _step(self, state: State, epoch: Any = None, initial: bool = False) -> State:
        memory = self._advance(state.memory, epoch)
        lrs = tuple(self._get_lr(memory, lr, i, initial) for i, lr in enumerate(state.lr))
        return state._replace(lr=lrs, memory=memory)

    def _advance(self, memory: _RestartMemory, epoch: Any) -> _RestartMemory:
        T_cur, T_i = memory.T_cur, memory.T_i
        if epoch is None and memory.last_epoch >= 0:
            epoch, T_cur = memory.last_epoch + 1, T_cur + 1
            if T_cur >= T_i:
                T_cur, T_i = T_cur % T_i, T_i * self.T_mult
            return memory._replace(last_epoch=epoch, T_cur=T_cur, T_i=T_i)
        epoch = 0 if epoch is None else epoch
        if epoch < 0:
            raise ValueError(f"Expected non-negative epoch, but got {epoch}")
        if epoch < self.T_0:
            T_cur, T_i = epoch, self.T_0
        elif self.T_mult == 1:
            T_cur = epoch % self.T_0
        else:
            n = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
            T_cur = epoch - self.T_0 * (self.T_mult**n - 1) / (self.T_mult - 1)
            T_i = self.T_0 * self.T_mult**n
        return memory._replace(last_epoch=math.floor(epoch), T_cur=T_cur, T_i=T_i)

    def _get_lr(self, memory: _RestartMemory, lr: Number, group: int, initial: bool) -> Number:
        base_lr = memory.base_lrs[group]
        return self.eta_min + (base_lr - self.eta_min) * (1 + math.cos(math.pi * memory.T_cur / memory.T_i)) / 2

    def _graph_lr(self, count: jax.Array, base_lr: Number, group: int) -> jax.Array:
        T_cur, T_i = self._position(count)
        return _between(base_lr, self.eta_min, T_cur, T_i)

    def _graph_memory(self, memory: _RestartMemory, epoch: Any = None) -> _RestartMemory:
        if epoch is not None:
            T_cur, T_i = self._position(epoch)
            return memory._replace(last_epoch=jnp.floor(epoch).astype(jnp.int32), T_cur=T_cur, T_i=T_i)
        T_cur, T_i = memory.T_cur + 1, memory.T_i
        over = T_cur >= T_i
        T_cur, T_i = jnp.where(over, T_cur % T_i, T_cur), jnp.where(over, T_i * self.T_mult, T_i)
        return memory._replace(last_epoch=memory.last_epoch + 1, T_cur=T_cur, T_i=T_i)

    def _graph_step(self, state: State, epoch: Any) -> State:
        memory = self._graph_memory(state.memory, epoch)
        bases = self.init().memory.base_lrs
        lrs = tuple(_between(base, self.eta_min, memory.T_cur, memory.T_i) for base in bases)
        return state._replace(lr=lrs, memory=memory)

    def _position(self, count: jax.Array) -> tuple[jax.Array, jax.Array]:
        """``T_cur`` and ``T_i`` of a traced count; the restarts are a short table of integers, so no log is rounded."""
        if self.T_mult == 1:
            return count % self.T_0, jnp.full_like(count, self.T_0)
        restarts, periods = [0], [self.T_0]
        while restarts[-1] + periods[-1] < np.iinfo(np.int32).max:
            restarts.append(restarts[-1] + periods[-1])
            periods.append(periods[-1] * self.T_mult)
        starts = jnp.asarray(restarts, count.dtype)
        n = jnp.searchsorted(starts, count, side="right") - 1
        return count - starts[n], jnp.asarray(periods, float)[n]


def _between(base_lr: Number, eta_min: float, steps: Any, period: Any) -> jax.Array:
    """The cosine from ``base_lr`` at 0 to ``eta_min`` at the period, as weights of both: nothing cancels."""
    common = common_dtype(steps, period)  # integers are subtracted as integers
    remaining = jnp.asarray(period, common) - jnp.asarray(steps, common)
    return base_lr * half_cosine(remaining, period) + eta_min * half_cosine(steps, period)
