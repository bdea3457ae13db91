"""The cyclical schedule: the lr goes up and down in a triangle, the momentum down and up."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.dtypes import common_dtype
from jaxgrad._core.errors import explain
from jaxgrad.optim.lr_scheduler.arguments import changed, from_file, loaded_functions, stored_functions
from jaxgrad.optim.lr_scheduler.groups import Number, as_groups, per_group
from jaxgrad.optim.lr_scheduler.powers import integer_power
from jaxgrad.optim.lr_scheduler.scheduler import LRScheduler
from jaxgrad.optim.lr_scheduler.state import Memory, State

_MODES = ("triangular", "triangular2", "exp_range")


@dataclasses.dataclass(frozen=True)
class CyclicLR(LRScheduler):
    """Mirror of ``torch.optim.lr_scheduler.CyclicLR``.

    With ``cycle = 1 + floor(t / total)`` and ``height`` the triangle that rises from 0 to 1 in ``step_size_up`` steps
    and falls in ``step_size_down``:

    ``lr_t = base_lr + (max_lr - base_lr) height scale``, ``momentum_t = max_momentum - (max_momentum - base_momentum)
    height scale``, where ``scale`` is 1 (triangular), ``2**(1 - cycle)`` (triangular2), ``gamma**t`` (exp_range), or
    ``scale_fn(cycle)`` or ``scale_fn(t)``.

    Args:
        lr: stands where torch has the optimizer: one number, or a list with one per parameter group. The schedule
            overwrites it with ``base_lr``, as torch does.
        base_lr: the lowest lr, one number or one per group; left out, it is ``lr``.
        max_lr: the highest lr, one number or one per group.
        step_size_up: steps from the lowest to the highest.
        step_size_down: steps back; as many as up when None.
        mode: "triangular", "triangular2" or "exp_range"; without effect when ``scale_fn`` is given.
        gamma: the base of exp_range.
        scale_fn: a function of the cycle number or of the step; inside jit it is called with traced values.
        scale_mode: what ``scale_fn`` is a function of, "cycle" or "iterations".
        cycle_momentum: whether ``get_last_momentum`` runs against the lr. The number is the ``momentum`` of the
            optimizer, or the first of its ``betas``.
        base_momentum: the lowest momentum, at the highest lr.
        max_momentum: the highest momentum, at the lowest lr.
        last_epoch: the index of the last step; -1 begins at ``base_lr``.

    Raises:
        ValueError: ``mode is invalid and scale_fn is None``, or a list with another length than the groups.

    Source: Smith, Cyclical Learning Rates for Training Neural Networks, 2017.

    >>> schedule = CyclicLR(0.1, max_lr=0.5, step_size_up=2)
    >>> state = schedule.state_at(2)
    >>> schedule.get_last_lr(state), schedule.get_last_momentum(state)
    (0.5, 0.8)
    """

    lr: Any
    base_lr: Any = None
    max_lr: Any = None
    step_size_up: int = 2000
    step_size_down: int | None = None
    mode: str = "triangular"
    gamma: float = 1.0
    scale_fn: Callable[[Any], Any] | None = None
    scale_mode: str = "cycle"
    cycle_momentum: bool = True
    base_momentum: Any = 0.8
    max_momentum: Any = 0.9
    last_epoch: int = -1

    def _validate(self) -> None:
        if self.max_lr is None:
            raise TypeError("CyclicLR.__init__() missing 1 required argument: 'max_lr'")
        groups = len(as_groups(self.lr))
        self._set(
            base_lr=per_group("base_lr", self.lr if self.base_lr is None else self.base_lr, groups),
            max_lr=per_group("max_lr", self.max_lr, groups),
        )
        if self.mode not in _MODES and self.scale_fn is None:
            raise ValueError(
                explain("mode is invalid and scale_fn is None", got=f"mode={self.mode!r}", expected=", ".join(_MODES))
            )
        if self.scale_fn is None:
            self._set(scale_mode="iterations" if self.mode == "exp_range" else "cycle")
        if self.cycle_momentum:
            self._set(
                base_momentum=per_group("base_momentum", self.base_momentum, groups),
                max_momentum=per_group("max_momentum", self.max_momentum, groups),
            )

    def _construct(self, state: State) -> State:
        if self.last_epoch == -1:
            state = state._replace(lr=self.base_lr)
            initial_lr = state.initial_lr or state.lr
        else:
            initial_lr = self.base_lr
        # torch sets base_lrs only after the first step, which so begins at an earlier scheduler's initial_lr.
        state = self._initial_step(state._replace(initial_lr=initial_lr, memory=Memory(self.last_epoch, 0, initial_lr)))
        return state._replace(memory=state.memory._replace(base_lrs=self.base_lr))

    def _get_lr(self, memory: Memory, lr: Number, group: int, initial: bool) -> Number:
        base_lr, max_lr = memory.base_lrs[group], self.max_lr[group]
        height, scale = self._height_and_scale(memory.last_epoch)
        return base_lr + (max_lr - base_lr) * height * scale

    def _momentums(self, memory: Memory, momentum: tuple[Number, ...]) -> tuple[Number, ...]:
        if not self.cycle_momentum:
            return momentum
        height, scale = self._height_and_scale(memory.last_epoch)
        pairs = zip(self.base_momentum, self.max_momentum, strict=True)
        return tuple(highest - (highest - lowest) * height * scale for lowest, highest in pairs)

    def _height_and_scale(self, epoch: Any) -> tuple[float, Any]:
        total_size = self._up + self._down
        step_ratio = self._up / total_size
        cycle = math.floor(1 + epoch / total_size)
        x = 1.0 + epoch / total_size - cycle
        height = x / step_ratio if x <= step_ratio else (x - 1) / (step_ratio - 1)
        return height, self._scale(cycle if self.scale_mode == "cycle" else epoch)

    def _scale(self, x: Any) -> Any:
        if self.scale_fn is not None:
            return self.scale_fn(x)
        if self.mode == "triangular2":
            return 1 / 2.0 ** (x - 1)
        return self.gamma**x if self.mode == "exp_range" else 1.0

    def _graph_lr(self, count: jax.Array, base_lr: Number, group: int) -> jax.Array:
        return base_lr + (self.max_lr[group] - base_lr) * self._graph_height(count)

    def _graph_momentums(self, count: jax.Array, init: State) -> tuple[jax.Array, ...]:
        if not self.cycle_momentum:
            return init.momentum
        height = self._graph_height(count)
        pairs = zip(self.base_momentum, self.max_momentum, strict=True)
        return tuple(highest - (highest - lowest) * height for lowest, highest in pairs)

    def _graph_height(self, count: jax.Array) -> jax.Array:
        """Height times scale of a traced count; whole step sizes keep the position in the cycle an integer."""
        up, down = (int(size) if size.is_integer() else size for size in (self._up, self._down))
        position, cycle = count % (up + down), count // (up + down)
        rise = jnp.where(position <= up, position / up, (up + down - position) / down if down else 0.0)
        scale = self._graph_scale(count, cycle.astype(jnp.int32))
        common = common_dtype(rise, scale)
        return jnp.asarray(rise, common) * jnp.asarray(scale, common)

    def _graph_scale(self, count: jax.Array, completed_cycles: jax.Array) -> Any:
        if self.scale_fn is not None:
            return self.scale_fn(completed_cycles + 1 if self.scale_mode == "cycle" else count)
        if self.mode == "triangular2":
            return integer_power(0.5, completed_cycles)
        return integer_power(self.gamma, count) if self.mode == "exp_range" else 1.0

    def _stored_functions(self) -> dict[str, Any]:
        return {"_scale_fn_custom": None if self.scale_fn is None else stored_functions([self.scale_fn])[0]}

    def _arguments(self) -> dict[str, Any]:
        names = ("mode", "gamma", "scale_mode", "cycle_momentum")
        momentums = {"base_momentums": list(self.base_momentum), "max_momentums": list(self.max_momentum)}
        return {
            "max_lrs": list(self.max_lr),
            "total_size": self._up + self._down,
            "step_ratio": self._up / (self._up + self._down),
            **{name: getattr(self, name) for name in names},
            **(momentums if self.cycle_momentum else {}),
        }

    def _taking_over(self, state_dict: dict[str, Any]) -> Any:
        torch_names = {"base_lr": "base_lrs", "max_lr": "max_lrs"}
        torch_names |= {"base_momentum": "base_momentums", "max_momentum": "max_momentums"}
        torch_names |= {name: name for name in ("mode", "gamma", "scale_mode", "cycle_momentum")}
        given = {name: from_file(state_dict[key]) for name, key in torch_names.items() if key in state_dict}
        if not given.get("cycle_momentum", self.cycle_momentum):
            given = {name: value for name, value in given.items() if not name.endswith("_momentum") or name[0] == "c"}
        mine = self._arguments()
        total, ratio = (from_file(state_dict.get(name, mine[name])) for name in ("total_size", "step_ratio"))
        if (total, ratio) != (mine["total_size"], mine["step_ratio"]):
            up = total * ratio
            up = float(round(up)) if abs(up - round(up)) < 1e-9 * total else up  # the ratio was rounded
            given |= {"step_size_up": up, "step_size_down": total - up}
        custom = state_dict.get("_scale_fn_custom")
        if custom and self.scale_fn is not None:
            given["scale_fn"] = loaded_functions([self.scale_fn], [custom])[0]
        return changed(self, given)

    @property
    def _up(self) -> float:
        return float(self.step_size_up)

    @property
    def _down(self) -> float:
        return self._up if self.step_size_down is None else float(self.step_size_down)
