"""A train state of ours that begins its next step with values that were recorded."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad import optim, random
from jaxgrad._core.errors import explain
from jaxgrad.optim.hyperparams import find_states, is_optimizer_state
from jaxgrad.parity.record.model import Tensors, split_optimizer_name
from jaxgrad.train.state import TrainState


class Restore:
    """``(state, values) -> state``; what puts the optimizer's state together is compiled once.

    Args:
        tx: the optimizer.
    """

    def __init__(self, tx: Any):
        self.tx = tx
        self._known: set[str] | None = None
        self._compiled = jax.jit(partial(optim.state_from_parameters, tx))

    def __call__(self, state: TrainState, values: Mapping[str, Tensors]) -> TrainState:
        """A state that begins its next step from these values; counters of a schedule go on."""
        params = {name: _like(old, values.get("params", {}).get(name)) for name, old in state.params.items()}
        buffers = {name: _like(old, values.get("buffers", {}).get(name)) for name, old in state.buffers.items()}
        generator = state.generator
        if isinstance(generator, random.Generator) and "state" in values.get("generator", {}):
            generator = random.Generator.from_state(values["generator"]["state"])
        opt_state = state.opt_state
        if "optimizer" in values:
            opt_state = self._optimizer(params, opt_state, values["optimizer"])
        return state.replace(params=params, buffers=buffers, generator=generator, opt_state=opt_state)

    def _optimizer(self, params: Any, opt_state: Any, values: Tensors) -> Any:
        if not is_optimizer_state(opt_state) or not hasattr(getattr(self.tx, "method", None), "members"):
            if _has_no_state_of_ours(opt_state) and not values:
                return opt_state
            raise TypeError(
                explain(
                    "single-step mode must put the reference's values into the optimizer's state",
                    got=f"{type(self.tx).__name__}, whose state is not known",
                    expected="an optimizer of jaxgrad.optim",
                    remedy="from_jax(fn, state, set_state=...), or mode='free'",
                )
            )
        if self._known is None:
            self._known = _keys(jax.eval_shape(self.tx.init, params))
        entries: dict[str, dict[str, Any]] = {}
        for name, value in values.items():
            key, parameter = split_optimizer_name(name)
            if key in self._known:  # copied, for a step may take over the memory of its state
                entries.setdefault(parameter, {})[key] = np.array(value)
        return self._compiled(params, entries, opt_state)


def _keys(fresh: Any) -> set[str]:
    """The names of torch's tensors that an optimizer of ours keeps for each parameter."""
    records = jax.tree.leaves(fresh.state, is_leaf=_is_record)
    tensors = {key for record in records if _is_record(record) for key in record._fields}
    return tensors | {key for group in fresh.param_groups for key in group.scalars}


def _is_record(node: Any) -> bool:
    return isinstance(node, tuple) and hasattr(node, "_fields")


def _has_no_state_of_ours(opt_state: Any) -> bool:
    try:
        find_states(opt_state)
    except ValueError:
        return True
    return False


def _like(old: Any, value: Any) -> Any:
    return old if value is None else jnp.asarray(np.array(value, old.dtype).reshape(jnp.shape(old)))
