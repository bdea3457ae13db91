"""From values back to a model."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from flax import nnx

from jaxgrad._core.errors import describe, explain, quoted
from jaxgrad._core.listing import Variable, named_variables
from jaxgrad._core.modules import clone
from jaxgrad._core.types import Buffers, ParamsLike
from jaxgrad.func.leaves import is_nnx, with_leaves

Values = Mapping[str, Any] | Sequence[Mapping[str, Any]]


def bind(model: Any, params: ParamsLike, buffers: Buffers | None = None) -> Any:
    """The model with these values: the way back from what was trained. The given model does not change.

    What ``model.load_state_dict`` is in torch, as a function; names that are left out keep the model's own values.

    Args:
        model: an NNX or equinox module.
        params: under dotted names, or a whole ``state_dict()``.
        buffers: under dotted names.

    Returns:
        A model of the same class.

    Raises:
        RuntimeError: ``Error(s) in loading state_dict for ...``: a name that the model does not have, or another shape.
        ValueError: a name stands in both dicts, or shared names get two values.

    >>> import jax.numpy as jnp
    >>> from jaxgrad import func, nn, random
    >>> model = nn.Linear(2, 1, rngs=nn.Rngs(random.manual_seed(0)))
    >>> trained = func.bind(model, {"weight": jnp.ones((1, 2)), "bias": jnp.zeros(1)})
    >>> trained(jnp.array([1.0, 2.0])).tolist()
    [3.0]
    """
    values = merged((params, buffers or {}))
    if not is_nnx(model):
        return with_leaves(model, values, ignore_unknown=False)
    variables = dict(named_variables(model))
    unexpected = [name for name in values if name not in variables]
    if unexpected:
        raise RuntimeError(
            explain(
                f"Error(s) in loading state_dict for {type(model).__name__}:\n"
                f"\tUnexpected key(s) in state_dict: {quoted(unexpected)}. ",
                expected=quoted(variables),
            )
        )
    return bound_copy(model, values)


def merged(dicts: Values) -> dict[str, Any]:
    """One dict of one or several, none of whose names stands in two."""
    if isinstance(dicts, Mapping):
        dicts = (dicts,)
    if not isinstance(dicts, tuple | list) or not all(isinstance(each, Mapping) for each in dicts):
        raise TypeError(
            explain(
                "the parameters and buffers are a dict of arrays under dotted names, or a tuple of such dicts",
                got=type(dicts).__name__,
                remedy="params, buffers = func.extract(model); func.functional_call(model, (params, buffers), x)",
            )
        )
    twice = [name for name, n in Counter(name for each in dicts for name in each).items() if n > 1]
    if twice:
        raise ValueError(f"{twice} appeared in multiple dictionaries; behavior of functional call is ambiguous")
    return {name: _array(value) for each in dicts for name, value in each.items()}


def _array(value: Any) -> Any:
    return value.get_value() if isinstance(value, nnx.Variable) else value


def bound_copy(module: nnx.Module, values: dict[str, Any], *, tie_weights: bool = True, strict: bool = False) -> Any:
    """A copy of a module with these values.

    Args:
        module: any NNX module.
        values: by dotted names; those that the module does not have are passed over unless ``strict``.
        tie_weights: a value given under one name of a shared variable holds for all its names.
        strict: every name of the module must be given, and no other.
    """
    bound = clone(module)
    variables = dict(named_variables(bound))
    _check(type(module).__name__, values, variables, strict)
    given: dict[int, tuple[str, Any]] = {}
    for name, value in values.items():
        variable = variables.get(name)
        if variable is None:
            continue
        shared = [other for other, v in variables.items() if v is variable]
        if len(shared) > 1 and not tie_weights:
            variable = _untie(bound, name, variable)
        first, other = given.setdefault(id(variable), (name, value))
        if other is not value:
            raise ValueError(
                f"functional_call got multiple values for keys {sorted([first, name])}, which are tied. "
                "Consider using tie_weights=False"
            )
        variable.set_value(value)
    return bound


def _check(module: str, values: dict[str, Any], variables: dict[str, Variable], strict: bool) -> None:
    if strict and values.keys() != variables.keys():
        unexpected = [name for name in values if name not in variables]
        missing = [name for name in variables if name not in values]
        sentence = f"Error(s) in reparametrizing for {module}:"
        for words, names in (("Unexpected", unexpected), ("Missing", missing)):
            if names:
                sentence += f"\n\t{words} key(s): {', '.join(repr(name) for name in names)}."
        raise RuntimeError(sentence)
    for name, value in values.items():
        if name in variables and np.shape(value) != np.shape(variables[name].get_value()):
            raise RuntimeError(
                explain(
                    f'size mismatch for {name}: the shape given does not fit the module "{module}"',
                    got=describe(value),
                    expected=describe(variables[name].get_value()),
                )
            )


def _untie(bound: nnx.Module, name: str, variable: Variable) -> Variable:
    """Give one place that shares a variable a variable of its own."""
    *path, last = name.split(".")
    owner: Any = bound
    for step in path:
        owner = owner[int(step)] if isinstance(owner, nnx.List | list | tuple) else _entry(owner, step)
    own = jax.tree.map(lambda leaf: leaf, variable)
    setattr(owner, last, own)
    return own


def _entry(owner: Any, step: str) -> Any:
    return owner[step] if isinstance(owner, dict) else getattr(owner, step)
