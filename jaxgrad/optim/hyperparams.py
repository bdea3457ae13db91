"""Reading and changing the numbers that torch keeps in ``optimizer.param_groups``.

They are part of the state, so changing one is a new state and compiles nothing anew. These functions look for the
states of this package's optimizers inside any state: that of ``optax.chain``, of a wrapper, of a train step. Groups
are numbered through in the order in which they are found.
"""

from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.errors import explain
from jaxgrad._core.types import PyTree
from jaxgrad.optim._rule.packed import replaced, unpacked
from jaxgrad.optim._rule.state import OptimizerState


def is_optimizer_state(node: Any) -> bool:
    """Whether a node of a tree is the state of one of this package's optimizers."""
    return isinstance(node, OptimizerState)


def find_states(state: PyTree) -> list[OptimizerState]:
    """The states of this package's optimizers inside ``state``, in order.

    Raises:
        ValueError: there is none.
    """
    if hasattr(state, "opt_state"):
        return find_states(state.opt_state)
    found = [node for node in jax.tree.leaves(state, is_leaf=is_optimizer_state) if is_optimizer_state(node)]
    if not found:
        raise ValueError(explain("no state of a jaxgrad optimizer in this tree", got=type(state).__name__))
    return found


def get_hyperparams(state: PyTree) -> list[dict[str, Any]]:
    """The hyper-parameters of every group as Python floats, torch's ``optimizer.param_groups``.

    Args:
        state: an optimizer's state, or a tree that holds some.

    Returns:
        One dict a group, by torch's names; numpy arrays where the state is that of an ensemble.

    Raises:
        ValueError: the tree holds no state of an optimizer of this package.

    >>> import jax.numpy as jnp
    >>> from jaxgrad import optim
    >>> get_hyperparams(optim.SGD(lr=0.1).init({"w": jnp.ones(1)}))
    [{'dampening': 0.0, 'lr': 0.1, 'momentum': 0.0, 'weight_decay': 0.0}]
    """
    return [unpacked(group.hyperparams) for found in find_states(state) for group in found.param_groups]


def get_lr(state: PyTree) -> list[float]:
    """The learning rate of every group: ``[group["lr"] for group in optimizer.param_groups]``.

    Args:
        state: an optimizer's state, or a tree that holds some.

    Returns:
        One number a group.

    Raises:
        ValueError: the tree holds no state of an optimizer of this package.

    >>> import jax.numpy as jnp
    >>> from jaxgrad import optim
    >>> get_lr(optim.Adam().init({"w": jnp.ones(1)}))
    [0.001]
    """
    return [group["lr"] for group in get_hyperparams(state)]


def set_hyperparams(state: PyTree, group: int | None = None, **values: Any) -> PyTree:
    """A state with other hyper-parameters: ``for group in optimizer.param_groups: group["lr"] = ...``.

    A number given from Python keeps a double's accuracy; inside ``jit`` a float32 array has its own.

    Args:
        state: an optimizer's state, or a tree that holds some.
        group: the group to change; all of them without.
        **values: new values by torch's name. A tuple is one value of several numbers (``betas=(0.8, 0.99)``), a list
            or an array of one axis gives one value for each group; in the state of an ensemble such an array gives one
            for each member.

    Returns:
        The changed state; an optimizer whose hyper-parameter is an array overrules it once that array changes.

    Raises:
        KeyError: no group has such a hyper-parameter, or such an index.
        ValueError: a list or an array of another length than there are groups, or a momentum that has no buffer.

    >>> import jax.numpy as jnp
    >>> from jaxgrad import optim
    >>> state = optim.Adam().init({"w": jnp.ones(1)})
    >>> get_hyperparams(set_hyperparams(state, lr=0.5, betas=(0.8, 0.99)))
    [{'betas': (0.8, 0.99), 'eps': 1e-08, 'lr': 0.5, 'weight_decay': 0.0}]
    """
    if hasattr(state, "opt_state"):
        return state.replace(opt_state=set_hyperparams(state.opt_state, group, **values))
    found = find_states(state)
    count = sum(len(each.param_groups) for each in found)
    if group is not None and not -count <= group < count:
        raise KeyError(explain(f"there is no parameter group {group}", expected=f"an index below {count}"))
    per_group: list[dict[str, Any]] = [{} for _ in range(count)]
    for name, value in values.items():
        chosen = range(count) if group is None else [group % count]
        if getattr(value, "ndim", 0) and not any(map(_is_ensemble, found)):
            value = list(value)
        if isinstance(value, list) and len(value) != len(chosen):
            raise ValueError(
                explain(f"expected one {name} for each of {len(chosen)} parameter groups", got=f"{len(value)} of them")
            )
        for place, index in enumerate(chosen):
            per_group[index][name] = value[place] if isinstance(value, list) else value
    replaced, at = [], 0
    for each in found:
        here = per_group[at : at + len(each.param_groups)]
        at += len(each.param_groups)
        replaced.append(_replaced(each, here))
    waiting = iter(replaced)
    return jax.tree.map(
        lambda node: next(waiting) if is_optimizer_state(node) else node, state, is_leaf=is_optimizer_state
    )


def _is_ensemble(state: OptimizerState) -> bool:
    """Whether the numbers have an axis of members, from ``vmap``; a kept number is a scalar or three parts."""
    numbers = jax.tree.leaves([group.hyperparams for group in state.param_groups])
    return any(jnp.ndim(each) > (each.dtype == jnp.float32) for each in numbers)


def _replaced(state: OptimizerState, values: list[dict[str, Any]]) -> OptimizerState:
    groups = []
    for group, changes in zip(state.param_groups, values, strict=True):
        hyperparams = group.hyperparams
        for name, value in changes.items():
            if name not in hyperparams:
                raise KeyError(explain(f"no hyper-parameter {name!r}", expected=", ".join(sorted(hyperparams))))
            if name == "momentum":
                _check_buffers(state, value)
            hyperparams = replaced(hyperparams, name, value)
        groups.append(group._replace(hyperparams=hyperparams))
    return OptimizerState(state.state, tuple(groups))


def _check_buffers(state: OptimizerState, momentum: Any) -> None:
    if isinstance(momentum, (int, float)) and momentum == 0:
        return
    records = jax.tree.leaves(state.state, is_leaf=lambda node: hasattr(node, "momentum_buffer"))
    if any(getattr(record, "momentum_buffer", 0) is None for record in records):
        raise ValueError(
            explain(
                "momentum cannot be switched on: the optimizer was made with momentum=0 and keeps no momentum_buffer",
                got=momentum,
                remedy="construct it with a momentum other than 0 and set that to 0 until it is wanted",
            )
        )
