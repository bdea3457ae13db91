"""Schedulers that multiply the lr by a factor now and then; the factors of several can be multiplied (chained).

In order of growing complexity. ``base`` is the first argument, ``t`` the number of steps taken.
"""

import dataclasses
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.arguments import wrong_kind
from jaxgrad._core.dtypes import common_dtype
from jaxgrad._core.errors import explain
from jaxgrad.optim.lr_scheduler.arguments import changed, from_file, loaded_functions, stored_functions
from jaxgrad.optim.lr_scheduler.groups import Number, as_groups
from jaxgrad.optim.lr_scheduler.powers import as_float, integer_power
from jaxgrad.optim.lr_scheduler.scheduler import LRScheduler
from jaxgrad.optim.lr_scheduler.state import Memory


@dataclasses.dataclass(frozen=True)
class ExponentialLR(LRScheduler):
    """Mirror of ``torch.optim.lr_scheduler.ExponentialLR``: ``lr_t = gamma lr_{t-1}``.

    Args:
        lr: the base lr, or a list with one per parameter group.
        gamma: the factor of every step.
        last_epoch: the index of the last epoch; -1 begins at ``lr``. As in torch, a resumed schedule
            (``last_epoch >= 0``) leaves the lr that it finds alone in its first step.

    >>> schedule = ExponentialLR(0.5, gamma=0.5)
    >>> schedule.get_last_lr(schedule.step(schedule.init()))
    0.25
    """

    lr: Any
    gamma: float
    last_epoch: int = -1

    _multiplicative = True

    def _get_lr(self, memory: Memory, lr: Number, group: int, initial: bool) -> Number:
        return lr if initial else lr * self.gamma

    def _closed_form_lr(self, memory: Memory, lr: Number, group: int) -> Number:
        return memory.base_lrs[group] * self.gamma**memory.last_epoch

    def _graph_lr(self, count: jax.Array, base_lr: Number, group: int) -> jax.Array:
        return base_lr * integer_power(self.gamma, count)


@dataclasses.dataclass(frozen=True)
class StepLR(LRScheduler):
    """Mirror of ``torch.optim.lr_scheduler.StepLR``: ``base gamma**(t // step_size)``.

    Args:
        lr: the base lr, or a list with one per parameter group.
        step_size: steps between two decays.
        gamma: the factor of a decay.
        last_epoch: the index of the last epoch; -1 begins at ``lr``.

    >>> schedule = StepLR([1.0, 0.5], step_size=2, gamma=0.5)
    >>> state = schedule.init()
    >>> for _ in range(2):
    ...     state = schedule.step(state)
    >>> schedule.get_last_lr(state)
    [0.5, 0.25]
    """

    lr: Any
    step_size: int
    gamma: float = 0.1
    last_epoch: int = -1

    _multiplicative = True

    def _get_lr(self, memory: Memory, lr: Number, group: int, initial: bool) -> Number:
        if memory.last_epoch == 0 or memory.last_epoch % self.step_size != 0:
            return lr
        return lr * self.gamma

    def _closed_form_lr(self, memory: Memory, lr: Number, group: int) -> Number:
        return memory.base_lrs[group] * self.gamma ** (memory.last_epoch // self.step_size)

    def _graph_lr(self, count: jax.Array, base_lr: Number, group: int) -> jax.Array:
        return base_lr * integer_power(self.gamma, count // self.step_size)


@dataclasses.dataclass(frozen=True)
class MultiStepLR(LRScheduler):
    """Mirror of ``torch.optim.lr_scheduler.MultiStepLR``: ``base gamma**(number of milestones <= t)``.

    A milestone that is listed twice multiplies twice; optax's piecewise constant schedule takes it once.

    Args:
        lr: the base lr, or a list with one per parameter group.
        milestones: the steps at which the lr decays.
        gamma: the factor of a decay.
        last_epoch: the index of the last epoch; -1 begins at ``lr``.

    >>> schedule = MultiStepLR(1.0, milestones=[1, 2, 2], gamma=0.5)
    >>> [float(schedule(t)) for t in range(4)]
    [1.0, 0.5, 0.125, 0.125]
    """

    lr: Any
    milestones: Iterable[int]
    gamma: float = 0.1
    last_epoch: int = -1

    _multiplicative = True

    def _validate(self) -> None:
        self._set(milestones=tuple(sorted(self.milestones)))

    def _get_lr(self, memory: Memory, lr: Number, group: int, initial: bool) -> Number:
        times = self._sorted.count(memory.last_epoch)
        return lr if times == 0 else lr * self.gamma**times

    def _closed_form_lr(self, memory: Memory, lr: Number, group: int) -> Number:
        return memory.base_lrs[group] * self.gamma ** bisect_right(self._sorted, memory.last_epoch)

    def _graph_lr(self, count: jax.Array, base_lr: Number, group: int) -> jax.Array:
        # torch only ever multiplies at steps that it takes, so milestones before the first step count for nothing.
        reached = [milestone for milestone in self._sorted if milestone >= 0]
        factors = jnp.asarray([self.gamma**k for k in range(len(reached) + 1)], float)
        return base_lr * factors[jnp.searchsorted(jnp.asarray(reached, count.dtype), count, side="right")]

    def _arguments(self) -> dict[str, Any]:
        return {"milestones": Counter(self._sorted), "gamma": self.gamma}

    def _taking_over(self, state_dict: dict[str, Any]) -> Any:
        counts = {int(step): times for step, times in state_dict.get("milestones", Counter(self._sorted)).items()}
        milestones = tuple(sorted(Counter(counts).elements()))
        return changed(self, {"milestones": milestones, "gamma": from_file(state_dict.get("gamma", self.gamma))})

    @property
    def _sorted(self) -> tuple[int, ...]:
        return tuple(self.milestones)


@dataclasses.dataclass(frozen=True)
class ConstantLR(LRScheduler):
    """Mirror of ``torch.optim.lr_scheduler.ConstantLR``: ``base factor`` for ``t < total_iters``, then ``base``.

    Args:
        lr: the base lr, or a list with one per parameter group.
        factor: the factor of the first epochs, in [0, 1].
        total_iters: when the factor is taken back.
        last_epoch: the index of the last epoch; -1 begins at ``lr * factor``.

    Raises:
        ValueError: ``Constant multiplicative factor expected to be between 0 and 1.``

    >>> schedule = ConstantLR(1.0, factor=0.5, total_iters=2)
    >>> [float(schedule(t)) for t in range(4)]
    [0.5, 0.5, 1.0, 1.0]
    """

    lr: Any
    factor: float = 1.0 / 3
    total_iters: int = 5
    last_epoch: int = -1

    _multiplicative = True

    def _validate(self) -> None:
        if self.factor > 1.0 or self.factor < 0:
            raise ValueError(explain("Constant multiplicative factor expected to be between 0 and 1.", got=self.factor))

    def _get_lr(self, memory: Memory, lr: Number, group: int, initial: bool) -> Number:
        if memory.last_epoch == 0:
            return lr * self.factor
        if memory.last_epoch != self.total_iters:
            return lr
        return lr * (1.0 / self.factor)

    def _closed_form_lr(self, memory: Memory, lr: Number, group: int) -> Number:
        finished = memory.last_epoch >= self.total_iters
        return memory.base_lrs[group] * (self.factor + finished * (1 - self.factor))

    def _graph_lr(self, count: jax.Array, base_lr: Number, group: int) -> jax.Array:
        # The factor is taken back when t passes total_iters: never, if that is where t begins.
        finished = (count >= self.total_iters) & (self.total_iters > 0)
        return base_lr * jnp.where(finished, 1.0, self.factor)


@dataclasses.dataclass(frozen=True)
class LinearLR(LRScheduler):
    """Mirror of ``torch.optim.lr_scheduler.LinearLR``: a line from ``start_factor`` to ``end_factor``, then flat.

    ``base (start_factor + (end_factor - start_factor) min(t, total_iters) / total_iters)``.

    Args:
        lr: the base lr, or a list with one per parameter group.
        start_factor: the factor of the first epoch, in (0, 1].
        end_factor: the factor from ``total_iters`` on, in [0, 1].
        total_iters: steps from one to the other.
        last_epoch: the index of the last epoch; -1 begins at ``lr * start_factor``.

    Raises:
        ValueError: ``Starting multiplicative factor expected to be greater than 0 and less or equal to 1.`` or
            ``Ending multiplicative factor expected to be between 0 and 1.``

    >>> schedule = LinearLR(1.0, start_factor=0.5, total_iters=2)
    >>> [float(schedule(t)) for t in range(4)]
    [0.5, 0.75, 1.0, 1.0]
    """

    lr: Any
    start_factor: float = 1.0 / 3
    end_factor: float = 1.0
    total_iters: int = 5
    last_epoch: int = -1

    _multiplicative = True

    def _validate(self) -> None:
        if self.start_factor > 1.0 or self.start_factor <= 0:
            sentence = "Starting multiplicative factor expected to be greater than 0 and less or equal to 1."
            raise ValueError(explain(sentence, got=self.start_factor))
        if self.end_factor > 1.0 or self.end_factor < 0:
            sentence = "Ending multiplicative factor expected to be between 0 and 1."
            raise ValueError(explain(sentence, got=self.end_factor))

    def _get_lr(self, memory: Memory, lr: Number, group: int, initial: bool) -> Number:
        epoch, rise = memory.last_epoch, self.end_factor - self.start_factor
        if epoch == 0:
            return lr * self.start_factor
        if initial or epoch > self.total_iters:
            return lr
        return lr * (1.0 + rise / (self.total_iters * self.start_factor + (epoch - 1) * rise))

    def _closed_form_lr(self, memory: Memory, lr: Number, group: int) -> Number:
        rise, steps = self.end_factor - self.start_factor, min(self.total_iters, memory.last_epoch)
        return memory.base_lrs[group] * (self.start_factor + rise * steps / self.total_iters)

    def _graph_lr(self, count: jax.Array, base_lr: Number, group: int) -> jax.Array:
        if self.total_iters <= 0:
            return jnp.full_like(count, base_lr * self.start_factor, dtype=float)
        total, steps = self.total_iters, jnp.minimum(self.total_iters, count)
        # Weights of both ends: nothing cancels when the line falls towards 0.
        remaining, steps = as_float(total - steps), as_float(steps)
        return base_lr * (self.start_factor * remaining + self.end_factor * steps) / total


@dataclasses.dataclass(frozen=True)
class PolynomialLR(LRScheduler):
    """Mirror of ``torch.optim.lr_scheduler.PolynomialLR``: ``base (1 - min(t, total_iters) / total_iters)**power``.

    Args:
        lr: the base lr, or a list with one per parameter group.
        total_iters: steps until the lr is 0.
        power: the power of the polynomial.
        last_epoch: the index of the last epoch; -1 begins at ``lr``.

    >>> schedule = PolynomialLR(1.0, total_iters=4, power=2.0)
    >>> [float(schedule(t)) for t in range(6)]
    [1.0, 0.5625, 0.25, 0.0625, 0.0, 0.0]
    """

    lr: Any
    total_iters: int = 5
    power: float = 1.0
    last_epoch: int = -1

    _multiplicative = True

    def _get_lr(self, memory: Memory, lr: Number, group: int, initial: bool) -> Number:
        epoch, total = memory.last_epoch, self.total_iters
        if initial or epoch > total:
            return lr
        return lr * ((1.0 - epoch / total) / (1.0 - (epoch - 1) / total)) ** self.power

    def _closed_form_lr(self, memory: Memory, lr: Number, group: int) -> Number:
        steps = min(self.total_iters, memory.last_epoch)
        return memory.base_lrs[group] * (1.0 - steps / self.total_iters) ** self.power

    def _graph_lr(self, count: jax.Array, base_lr: Number, group: int) -> jax.Array:
        if self.total_iters <= 0:
            return jnp.full_like(count, base_lr, dtype=float)
        remaining = self.total_iters - jnp.minimum(self.total_iters, count)
        return base_lr * (remaining / self.total_iters) ** self.power


@dataclasses.dataclass(frozen=True)
class LambdaLR(LRScheduler):
    """Mirror of ``torch.optim.lr_scheduler.LambdaLR``: ``base lr_lambda(t)``.

    Args:
        lr: the base lr, or a list with one per parameter group.
        lr_lambda: a function of the integer step, or a list with one per group. Inside jit it is called with a traced
            integer, so that it must be written with ``jax.numpy``; any Python function works on the host and in
            ``schedule.tabulate(num_steps)``.
        last_epoch: the index of the last epoch; -1 begins at ``lr * lr_lambda(0)``.

    Raises:
        ValueError: ``Expected {groups} lr_lambdas, but got {number}``.

    >>> schedule = LambdaLR(1.0, lambda epoch: 0.5**epoch)
    >>> schedule.get_last_lr(schedule.state_at(3))
    0.125
    """

    lr: Any
    lr_lambda: Callable[[Any], Any] | list[Callable[[Any], Any]]
    last_epoch: int = -1

    def _validate(self) -> None:
        functions = _one_per_group(self.lr_lambda, self.lr)
        for function in functions:
            if not callable(function):
                raise wrong_kind(function, "lr_lambda", "LambdaLR", "function or list of functions")
        self._set(lr_lambda=functions)

    def _get_lr(self, memory: Memory, lr: Number, group: int, initial: bool) -> Number:
        return memory.base_lrs[group] * _function(self.lr_lambda, group)(memory.last_epoch)

    def _graph_lr(self, count: jax.Array, base_lr: Number, group: int) -> jax.Array:
        factor = _function(self.lr_lambda, group)(count)
        is_array = isinstance(factor, jax.Array)  # of a number the product is formed in double
        return base_lr * (factor.astype(common_dtype(factor, 1.0)) if is_array else factor)

    def _stored_functions(self) -> dict[str, Any]:
        return {"lr_lambdas": stored_functions(_functions(self.lr_lambda))}

    def _taking_over(self, state_dict: dict[str, Any]) -> Any:
        return changed(self, {"lr_lambda": loaded_functions(_functions(self.lr_lambda), state_dict.get("lr_lambdas"))})


@dataclasses.dataclass(frozen=True)
class MultiplicativeLR(LRScheduler):
    """Mirror of ``torch.optim.lr_scheduler.MultiplicativeLR``: ``lr_t = lr_{t-1} lr_lambda(t)``.

    Inside jit the product over all steps is formed anew at every call, in ``count`` multiplications and with their
    rounding; ``schedule.tabulate(num_steps)`` has neither cost.

    Args:
        lr: the base lr, or a list with one per parameter group.
        lr_lambda: a function of the integer step, or a list with one per group; see ``LambdaLR``.
        last_epoch: the index of the last epoch; -1 begins at ``lr``, without a factor.

    Raises:
        ValueError: ``Expected {groups} lr_lambdas, but got {number}``.
        TypeError: ``lr_lambda should be a function, but got {type}``.

    >>> schedule = MultiplicativeLR(1.0, lambda epoch: 1 / epoch)
    >>> [schedule.get_last_lr(schedule.state_at(t)) for t in range(4)]
    [1.0, 1.0, 0.5, 0.16666666666666666]
    """

    lr: Any
    lr_lambda: Callable[[Any], Any] | list[Callable[[Any], Any]]
    last_epoch: int = -1

    _multiplicative = True
    _restarts_at_base = False

    def _validate(self) -> None:
        functions = _one_per_group(self.lr_lambda, self.lr)
        for function in functions:
            if not callable(function):
                raise TypeError(f"lr_lambda should be a function, but got {type(function).__name__}")
        self._set(lr_lambda=functions)

    def _get_lr(self, memory: Memory, lr: Number, group: int, initial: bool) -> Number:
        return lr if initial else lr * _function(self.lr_lambda, group)(memory.last_epoch)

    def _graph_lr(self, count: jax.Array, base_lr: Number, group: int) -> jax.Array:
        factor = _function(self.lr_lambda, group)
        start = jnp.asarray(base_lr, float)
        return jax.lax.fori_loop(1, count + 1, lambda t, lr: jnp.asarray(lr * factor(t), start.dtype), start)

    def _stored_functions(self) -> dict[str, Any]:
        return {"lr_lambdas": stored_functions(_functions(self.lr_lambda))}

    def _taking_over(self, state_dict: dict[str, Any]) -> Any:
        return changed(self, {"lr_lambda": loaded_functions(_functions(self.lr_lambda), state_dict.get("lr_lambdas"))})


def _one_per_group(lr_lambda: Any, lr: Any) -> tuple[Callable[[Any], Any], ...]:
    groups = len(as_groups(lr))
    if not isinstance(lr_lambda, (list, tuple)):
        return (lr_lambda,) * groups
    if len(lr_lambda) != groups:
        raise ValueError(f"Expected {groups} lr_lambdas, but got {len(lr_lambda)}")
    return tuple(lr_lambda)


def _functions(lr_lambda: Any) -> tuple[Any, ...]:
    return tuple(lr_lambda)


def _function(lr_lambda: Any, group: int) -> Callable[[Any], Any]:
    return lr_lambda[group]
