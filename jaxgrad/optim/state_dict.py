"""torch's ``optimizer.state_dict()`` and ``load_state_dict()``: what a checkpoint holds, there as here.

    {"state": {0: {"step": ..., "exp_avg": ...}, 1: ...}, "param_groups": [{"lr": ..., ..., "params": [0, 1]}]}

The numbers stand for parameters in torch's order, which is that of the dict that ``tx.init`` was given.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxgrad._core.errors import explain
from jaxgrad._core.types import InexactTree
from jaxgrad.optim._rule.entries import as_number, check_groups, check_options, numbers_of, saved_entries
from jaxgrad.optim._rule.lifted import Lifted
from jaxgrad.optim._rule.optimizer import Optimizer
from jaxgrad.optim._rule.packed import packed, unpacked
from jaxgrad.optim._rule.state import OptimizerState
from jaxgrad.optim.records import state_by_parameter, state_from_parameters


def state_dict(
    tx: Optimizer, params: InexactTree, state: OptimizerState, *, param_names: bool = False
) -> dict[str, Any]:
    """``optimizer.state_dict()`` of torch: entries by number, and the groups with all their options.

    A parameter that never had a gradient has no entry (but in Adagrad, as in torch). Arrays are copied to numpy, so the
    state may be donated afterwards; what torch keeps as a Python number is one. Reads values, so it cannot be traced.

    Args:
        tx: an optimizer of this package, not a chain.
        params: the parameters.
        state: their state; it knows torch's order of the parameters from ``tx.init``.
        param_names: whether groups have torch's ``"param_names"``, as of an optimizer made with ``named_parameters()``.

    Returns:
        A dict of dicts, lists, numpy arrays and numbers; ``torch.optim.X.load_state_dict`` takes it once the arrays are
        tensors.

    Raises:
        TypeError: ``tx`` is not an optimizer of this package.

    >>> import jax.numpy as jnp
    >>> from jaxgrad import optim
    >>> tx, params = optim.SGD(lr=0.5, momentum=0.9), {"weight": jnp.ones(1), "bias": jnp.ones(1)}
    >>> _, state = optim.step(tx, params, {"weight": jnp.ones(1), "bias": None}, tx.init(params))
    >>> saved = state_dict(tx, params, state)
    >>> saved["state"]
    {0: {'momentum_buffer': array([1.], dtype=float32)}}
    >>> {key: saved["param_groups"][0][key] for key in ("lr", "momentum", "nesterov", "params")}
    {'lr': 0.5, 'momentum': 0.9, 'nesterov': False, 'params': [0, 1]}

    Source: torch/optim/optimizer.py, ``Optimizer.state_dict``.
    """
    method = _method(tx)
    if not isinstance(method, Lifted):
        return method.state_dict(params, state)
    number = numbers_of(method.members(params), state)
    by_name = state_by_parameter(tx, params, state)
    entries = {number[name]: _stored(entry, method) for name, entry in by_name.items()}
    groups = []
    for spec, names, group in zip(method.specs, method.members(params), state.param_groups, strict=True):
        names = sorted(names, key=number.__getitem__)
        options = unpacked(group.hyperparams) | spec.program() | spec.labels
        named = {"param_names": names} if param_names else {}
        groups.append({**options, "params": [number[name] for name in names], **named})
    return {"state": dict(sorted(entries.items())), "param_groups": groups}


def load_state_dict(
    tx: Optimizer, params: InexactTree, state_dict: Mapping[str, Any], state: OptimizerState | None = None
) -> OptimizerState:
    """``optimizer.load_state_dict(state_dict)`` of torch: the state that goes on where the dictionary stops.

    Hyper-parameters are those of the dictionary. Numbers are torch's order of parameters, so ``params`` must be in the
    order in which torch got them, that of construction, which a dict that came out of ``jit`` is not; ``state`` knows
    it. Where groups have ``"param_names"`` that are ours, the names decide.

    Differs from torch, which casts ``mu_product``, ``eta`` and ``mu`` to the dtype of the parameter: they keep theirs.

    Args:
        tx: an optimizer of this package with the groups of the one that was saved.
        params: the parameters.
        state_dict: torch's own or from ``state_dict``; tensors, arrays and numbers, numbers of parameters also as text.
        state: any state of these parameters, for their order; without it that of ``params``.

    Returns:
        The state.

    Raises:
        ValueError: "loaded state dict has a different number of parameter groups", "loaded state dict contains a
            parameter group that doesn't match the size of optimizer's group"; an option that shapes the program
            (``amsgrad``, ``nesterov``, ``maximize`` ...) is not the optimizer's; a tensor has another shape.
        KeyError: an entry lacks or adds a tensor, or its number is in no group.
        TypeError: ``tx`` is not an optimizer of this package.

    >>> import jax.numpy as jnp
    >>> from jaxgrad import optim
    >>> tx, params = optim.SGD(lr=0.5, momentum=0.9), {"weight": jnp.ones(1), "bias": jnp.ones(1)}
    >>> saved = state_dict(tx, params, tx.init(params))
    >>> saved["state"] = {0: {"momentum_buffer": [4.0]}}
    >>> saved["param_groups"][0]["lr"] = 0.25
    >>> state = load_state_dict(tx, params, saved)
    >>> optim.get_lr(state), state.state["weight"].momentum_buffer.tolist()
    ([0.25], [4.0])

    Source: torch/optim/optimizer.py, ``Optimizer.load_state_dict``.
    """
    method = _method(tx)
    if not isinstance(method, Lifted):
        return method.load_state_dict(params, state_dict, state)
    fresh = tx.init(params) if state is None else state
    saved = [dict(group) for group in state_dict["param_groups"]]
    members = method.members(params)
    check_groups(saved, members)
    number = numbers_of(members, fresh)
    names: dict[Any, str] = {}
    hyperparams: list[dict[str, Any]] = []
    for spec, here, group in zip(method.specs, members, saved, strict=True):
        ordered = sorted(here, key=number.__getitem__)
        given = group.get("param_names")
        ordered = list(given) if given is not None and set(given) == set(ordered) else ordered
        names.update(zip(group["params"], ordered, strict=True))
        check_options(spec.program(), group)
        hyperparams.append({key: as_number(group.get(key, start)) for key, start in spec.hyperparams.items()})
    entries = saved_entries(state_dict["state"], names)
    loaded = state_from_parameters(tx, params, entries, hyperparams=hyperparams)
    groups = [
        group._replace(hyperparams=packed(numbers), params=old.params)
        for group, old, numbers in zip(loaded.param_groups, fresh.param_groups, hyperparams, strict=True)
    ]
    return loaded._replace(param_groups=tuple(groups))


def _method(tx: Any) -> Any:
    method = getattr(tx, "method", None)
    if method is None:
        raise TypeError(
            explain(
                f"state_dict of a {type(tx).__name__} is not known",
                expected="an optimizer of jaxgrad.optim",
                remedy="give the optimizer and its part of the state, not the optax.chain around it",
            )
        )
    return method


def _stored(entry: Mapping[str, Any], method: Lifted) -> dict[str, Any]:
    stored: dict[str, Any] = {key: np.array(value) for key, value in entry.items()}
    if "step" in entry:
        stored["step"] = int(entry["step"]) if method.rule.counts_in_python else np.array(entry["step"], np.float32)
    return stored
