"""The state seen parameter by parameter, as torch's ``optimizer.state``, and growing it by a group."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.errors import explain, quoted
from jaxgrad._core.types import Array, InexactTree
from jaxgrad.optim._rule.lifted import Lifted
from jaxgrad.optim._rule.optimizer import Optimizer
from jaxgrad.optim._rule.parameters import in_jax_order
from jaxgrad.optim._rule.state import OptimizerState
from jaxgrad.optim.groups import members_of_groups, selection_of


def state_by_parameter(tx: Optimizer, params: InexactTree, state: OptimizerState) -> dict[str, dict[str, Array]]:
    """``{name: optimizer.state[parameter]}`` with torch's keys; a parameter that never had a gradient is missing.

    Reads values, so it cannot be traced.

    Args:
        tx: the optimizer.
        params: the parameters.
        state: their state.

    Returns:
        A dict by the parameters' names; ``state_dict`` has the same by torch's numbers.

    Raises:
        TypeError: ``tx`` is LBFGS, or not of this package.

    >>> from jaxgrad import optim
    >>> tx = optim.Adam()
    >>> params = {"w": jnp.ones(1), "frozen": jnp.ones(1)}
    >>> params, state = optim.step(tx, params, {"w": jnp.ones(1), "frozen": None}, tx.init(params))
    >>> {name: sorted(entry) for name, entry in state_by_parameter(tx, params, state).items()}
    {'w': ['exp_avg', 'exp_avg_sq', 'step']}
    """
    _check_has_records(tx)
    records = _records(params, state)
    found = {}
    for names, group in zip(tx.method.members(params), state.param_groups, strict=True):
        for index, name in enumerate(names):
            if group.scalars["step"][index] > 0 or tx.method.rule.starts_at_once:
                numbers = {key: vector[index] for key, vector in group.scalars.items()}
                if not tx.method.rule.counts_steps:
                    del numbers["step"]
                tensors = {key: tensor for key, tensor in records[name]._asdict().items() if tensor is not None}
                found[name] = numbers | tensors
    return {name: found[name] for name in records if found.get(name)}


def state_from_parameters(
    tx: Optimizer,
    params: InexactTree,
    entries: dict[str, dict[str, Any]],
    state: OptimizerState | None = None,
    *,
    hyperparams: Sequence[dict[str, Any]] | None = None,
) -> OptimizerState:
    """The inverse of ``state_by_parameter``: a state that has torch's entries, fresh where there is none.

    Args:
        tx: the optimizer.
        params: the parameters.
        entries: ``{name: {"step": ..., "exp_avg": ...}}``, arrays or numbers.
        state: where the hyper-parameters come from; ``tx.init(params)`` without.
        hyperparams: those of each group when the entries were made, where they are not the optimizer's: they say which
            tensors there are (``momentum``).

    Returns:
        The state.

    Raises:
        KeyError: an entry names no parameter, or lacks or adds a key.

    >>> from jaxgrad import optim
    >>> tx, params = optim.SGD(momentum=0.9), {"w": jnp.ones(1)}
    >>> state = state_from_parameters(tx, params, {"w": {"momentum_buffer": jnp.full(1, 5.0)}})
    >>> optim.step(tx, params, {"w": jnp.zeros(1)}, state)[1].state["w"].momentum_buffer.tolist()
    [4.5]
    """
    _check_has_records(tx)
    fresh = tx.init(params) if hyperparams is None else tx.method.with_hyperparams(hyperparams).init(params)
    records = _records(params, fresh)
    unknown = [name for name in entries if name not in records]
    if unknown:
        raise KeyError(explain(f"no parameter named {quoted(unknown)}", expected=quoted(records)))
    groups = []
    for names, group in zip(tx.method.members(params), fresh.param_groups, strict=True):
        scalars = dict(group.scalars)
        for index, name in enumerate(names):
            if name not in entries:
                continue
            entry = dict(entries[name])
            if not tx.method.rule.counts_steps:
                entry["step"] = 1
            records[name] = _filled(name, records[name], entry, set(scalars))
            scalars = {key: _with_entry(vector, index, entry[key]) for key, vector in scalars.items()}
        groups.append(group._replace(scalars=scalars))
    tree = jax.tree.unflatten(jax.tree.structure(params), list(records.values()))
    if state is not None:
        groups = [
            new._replace(hyperparams=old.hyperparams) for new, old in zip(groups, state.param_groups, strict=True)
        ]
    return OptimizerState(tree, tuple(groups))


def add_param_group(
    tx: Optimizer, params: InexactTree, state: OptimizerState, group: dict[str, Any]
) -> tuple[Optimizer, OptimizerState]:
    """``optimizer.add_param_group(group)``: the optimizer and state with one group more.

    Args:
        tx: the optimizer.
        params: the parameters, the new ones included.
        state: the state, which knows the old ones only.
        group: ``{"params": names or patterns, "lr": ...}``; a pattern speaks of the new parameters only.

    Returns:
        The optimizer with the group, and the state with its start.

    Raises:
        TypeError: "param_group must be a dict, but got ...".
        ValueError: "some parameters appear in more than one parameter group", or a new parameter is in none.

    >>> from jaxgrad import optim
    >>> tx = optim.SGD(lr=0.1)
    >>> state = tx.init({"head": jnp.ones(1)})
    >>> params = {"head": jnp.ones(1), "body": jnp.ones(1)}
    >>> tx, state = add_param_group(tx, params, state, {"params": "body", "lr": 0.01})
    >>> optim.get_lr(state)
    [0.1, 0.01]
    """
    _check_has_records(tx)
    selection = selection_of(group)
    is_record = lambda node: isinstance(node, tuple) and hasattr(node, "_fields")  # noqa: E731
    known = in_jax_order(jax.tree.map(lambda _: 0, state.state, is_leaf=is_record))
    new = {name: leaf for name, leaf in in_jax_order(params).items() if name not in known}
    named = [selection] if isinstance(selection, str) else selection
    again = [name for name in known if isinstance(named, (list, tuple)) and name in named]
    if again or not new:
        raise ValueError(explain("some parameters appear in more than one parameter group", got=quoted(again or known)))
    added = group | {"params": members_of_groups([selection], new)[0]}
    old_members = tx.method.members(known)
    old_groups = [{}] if tx.groups is None else tx.groups
    tx = tx.method.regroup([g | {"params": names} for g, names in zip(old_groups, old_members, strict=True)] + [added])
    fresh = tx.init(params)
    old_records = dict(zip(known, jax.tree.leaves(state.state, is_leaf=is_record), strict=True))
    records = [old_records.get(name, record) for name, record in _records(params, fresh).items()]
    tree = jax.tree.unflatten(jax.tree.structure(params), records)
    return tx, OptimizerState(tree, (*state.param_groups, fresh.param_groups[-1]))


def _check_has_records(tx: Optimizer) -> None:
    if not isinstance(getattr(tx, "method", None), Lifted):
        raise TypeError(
            explain(
                "this optimizer keeps no state for each parameter",
                got="LBFGS, or a transformation that is not of jaxgrad.optim",
                remedy="read its state directly; take an optimizer out of its optax.chain",
            )
        )


def _records(params: InexactTree, state: OptimizerState) -> dict[str, Any]:
    treedef: Any = jax.tree.structure(params)
    return dict(zip(in_jax_order(params), treedef.flatten_up_to(state.state), strict=True))


def _filled(name: str, record: Any, entry: dict[str, Any], scalars: set[str]) -> Any:
    wanted = {key for key, tensor in record._asdict().items() if tensor is not None}
    given = {key for key, value in entry.items() if value is not None}
    if given != wanted | scalars:
        raise KeyError(
            explain(
                f'the state of "{name}" does not fit',
                got=quoted(sorted(given)),
                expected=quoted(sorted(wanted | scalars)),
            )
        )
    tensors = {key: jnp.array(entry[key], getattr(record, key).dtype) for key in wanted}
    for key, tensor in tensors.items():
        if tensor.shape != getattr(record, key).shape:
            raise ValueError(
                explain(
                    f'{key} of "{name}" has another shape than the parameter needs',
                    got=tensor.shape,
                    expected=getattr(record, key).shape,
                    remedy="are the parameters in the order in which they were when it was saved?",
                )
            )
    return record._replace(**tensors)


def _with_entry(vector: Array, index: int, value: Any) -> Array:
    """One number of a vector; a float64 one, where that exists, makes the vector float64."""
    number = jnp.asarray(value).reshape(())
    if jnp.issubdtype(vector.dtype, jnp.floating) and number.dtype == jnp.float64:
        vector = vector.astype(jnp.float64)
    return vector.at[index].set(number.astype(vector.dtype))
