"""A train state of ours as the phases of a record, and in double precision."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad import optim, random
from jaxgrad.optim.hyperparams import is_optimizer_state
from jaxgrad.parity.record.model import Tensors, optimizer_name
from jaxgrad.train.doubles import Doubles
from jaxgrad.train.state import TrainState


def phases_of(state: TrainState, tx: Any, *, copied: bool = True) -> dict[str, Tensors]:
    """What a state holds, in the phases that come after a step; copied, unless no later step takes over its memory."""
    scaler = state.scaler
    return {
        "optimizer": optimizer_of(tx, state.params, state.opt_state, copied=copied),
        "params": arrays(state.params, copied=copied),
        "buffers": arrays(state.buffers, copied=copied),
        "scaler": {}
        if scaler is None
        else {"scale": np.array(scaler.scale), "growth_tracker": np.array(scaler.growth_tracker)},
        "generator": generator_of(state.generator),
    }


def arrays(tree: Mapping[str, Any], *, copied: bool = True) -> dict[str, np.ndarray]:
    """The arrays of a flat dict as numpy's; None is left out."""
    return {name: np.array(value, copy=copied or None) for name, value in tree.items() if value is not None}


def generator_of(generator: Any) -> dict[str, np.ndarray]:
    """The bytes and the position of a stream of torch's kind."""
    if not isinstance(generator, random.Generator):
        return {}
    return {"state": generator.get_state(), "position": np.array(generator.position, np.int64)}


def optimizer_of(tx: Any, params: Any, opt_state: Any, *, copied: bool = True) -> dict[str, np.ndarray]:
    """The optimizer's state under torch's names; empty for one that is not of this package."""
    if not hasattr(getattr(tx, "method", None), "members") or not is_optimizer_state(opt_state):
        return {}
    try:
        entries = optim.state_by_parameter(tx, params, jax.device_get(opt_state))
    except TypeError:  # LBFGS has no entry for each parameter
        return {}
    return {
        optimizer_name(key, name): np.array(value, copy=copied or None)
        for name, entry in entries.items()
        for key, value in entry.items()
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
