"""A train state of ours as the phases of a record, and back."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad import optim, random
from jaxgrad._core.errors import explain
from jaxgrad.optim.hyperparams import find_states, is_optimizer_state
from jaxgrad.parity.record.model import Tensors, optimizer_name, split_optimizer_name
from jaxgrad.train.doubles import Doubles
from jaxgrad.train.state import TrainState


def phases_of(state: TrainState, tx: Any) -> dict[str, Tensors]:
    """What a state holds, in the phases that come after a step."""
    scaler = state.scaler
    return {
        "optimizer": optimizer_of(tx, state.params, state.opt_state),
        "params": arrays(state.params),
        "buffers": arrays(state.buffers),
        "scaler": {}
        if scaler is None
        else {"scale": np.array(scaler.scale), "growth_tracker": np.array(scaler.growth_tracker)},
        "generator": generator_of(state.generator),
    }


def arrays(tree: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Copies of the arrays of a flat dict; None is left out."""
    return {name: np.array(value) for name, value in tree.items() if value is not None}


def generator_of(generator: Any) -> dict[str, np.ndarray]:
    """The bytes and the position of a stream of torch's kind."""
    if not isinstance(generator, random.Generator):
        return {}
    return {"state": generator.get_state(), "position": np.array(generator.position, np.int64)}


def optimizer_of(tx: Any, params: Any, opt_state: Any) -> dict[str, np.ndarray]:
    """The optimizer's state under torch's names; empty for one that is not of this package."""
    if not hasattr(getattr(tx, "method", None), "members") or not is_optimizer_state(opt_state):
        return {}
    try:
        entries = optim.state_by_parameter(tx, params, jax.device_get(opt_state))
    except TypeError:  # LBFGS has no entry for each parameter
        return {}
    return {
        optimizer_name(key, name): np.array(value) for name, entry in entries.items() for key, value in entry.items()
    }


def lr_of(opt_state: Any) -> dict[str, np.ndarray]:
    """The learning rate that the next step will have."""
    try:
        lrs = [np.array(lr, np.float64) for lr in optim.get_lr(opt_state)]
    except (ValueError, KeyError):
        return {}
    return {"lr": lrs[0]} if len(lrs) == 1 else {f"lr[{i}]": lr for i, lr in enumerate(lrs)}


def widened(state: TrainState) -> TrainState:
    """The state in double precision, from the same numbers; call it in JAX's 64-bit mode."""
    opt_state = jax.tree.map(_wide_optimizer, state.opt_state, is_leaf=is_optimizer_state)
    return state.replace(
        params={name: wide(value) for name, value in state.params.items()},
        buffers={name: wide(value) for name, value in state.buffers.items()},
        opt_state=optim.with_default_dtype(opt_state, jnp.float64),
        schedule=None if state.schedule is None else Doubles.of(state.schedule.numbers()),
        average=jax.tree.map(wide, state.average),
    )


def wide(leaf: Any) -> Any:
    """A floating leaf in float64; any other as it is."""
    of_reals = hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.floating)
    return jnp.asarray(leaf).astype(jnp.float64) if of_reals else leaf


def _wide_optimizer(node: Any) -> Any:
    if not is_optimizer_state(node):
        return wide(node)
    groups = []
    for group, numbers in zip(node.param_groups, optim.get_hyperparams(node), strict=True):
        kept = {name: jax.tree.map(jnp.float64, value) for name, value in numbers.items()}
        groups.append(group._replace(hyperparams=kept))
    return node._replace(state=jax.tree.map(wide, node.state), param_groups=tuple(groups))


def restored(state: TrainState, tx: Any, values: Mapping[str, Tensors]) -> TrainState:
    """A state that begins its next step from these values; counters of a schedule go on."""
    params = {name: _like(old, values.get("params", {}).get(name)) for name, old in state.params.items()}
    buffers = {name: _like(old, values.get("buffers", {}).get(name)) for name, old in state.buffers.items()}
    generator = state.generator
    if isinstance(generator, random.Generator) and "state" in values.get("generator", {}):
        generator = random.Generator.from_state(values["generator"]["state"])
    opt_state = state.opt_state
    if "optimizer" in values:
        opt_state = _restored_optimizer(tx, params, opt_state, values["optimizer"])
    return state.replace(params=params, buffers=buffers, generator=generator, opt_state=opt_state)


def _restored_optimizer(tx: Any, params: Any, opt_state: Any, values: Tensors) -> Any:
    if not is_optimizer_state(opt_state) or not hasattr(getattr(tx, "method", None), "members"):
        if find_or_none(opt_state) is None and not values:
            return opt_state
        raise TypeError(
            explain(
                "single-step mode must put the reference's values into the optimizer's state",
                got=f"{type(tx).__name__}, whose state is not known",
                expected="an optimizer of jaxgrad.optim",
                remedy="from_jax(fn, state, set_state=...), or mode='free'",
            )
        )
    entries: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        key, parameter = split_optimizer_name(name)
        entries.setdefault(parameter, {})[key] = value
    known = optimizer_keys(tx, params)
    entries = {name: {k: v for k, v in entry.items() if k in known} for name, entry in entries.items()}
    return optim.state_from_parameters(tx, params, {k: v for k, v in entries.items() if v}, opt_state)


def optimizer_keys(tx: Any, params: Any) -> set[str]:
    """The names of torch's tensors that an optimizer of ours keeps for each parameter."""
    fresh = tx.init(params)
    records = jax.tree.leaves(fresh.state, is_leaf=_is_record)
    tensors = {key for record in records if _is_record(record) for key in record._fields}
    return tensors | {key for group in fresh.param_groups for key in group.scalars}


def _is_record(node: Any) -> bool:
    return isinstance(node, tuple) and hasattr(node, "_fields")


def find_or_none(opt_state: Any) -> Any:
    """The first state of an optimizer of ours in a tree, or None."""
    try:
        return find_states(opt_state)[0]
    except ValueError:
        return None


def _like(old: Any, value: Any) -> Any:
    return old if value is None else jnp.asarray(np.asarray(value).astype(old.dtype)).reshape(jnp.shape(old))
