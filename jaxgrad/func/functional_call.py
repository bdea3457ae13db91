"""A module as a pure function of its parameters."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from flax import nnx

from jaxgrad._core.errors import describe, explain
from jaxgrad._core.modules import clone
from jaxgrad._core.types import Array, Buffers
from jaxgrad.func.extract import named_variables


def functional_call(
    module: nnx.Module,
    parameter_and_buffer_dicts: Mapping[str, Array] | Sequence[Mapping[str, Array]],
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
    return_buffers: bool = False,
) -> Any:
    """Mirror of ``torch.func.functional_call``: ``module(*args, **kwargs)`` with these parameters and buffers.

    The module itself does not change. Differs from torch: buffers that the call updates (running statistics) are not
    written into the dict that was passed; with ``return_buffers=True`` they come out beside the result.

    Args:
        module: any NNX module.
        parameter_and_buffer_dicts: a dict of dotted names, or several with different names. Names that are left out
            keep the module's own values.
        args: one array, or a tuple of positional arguments.
        kwargs: keyword arguments.
        tie_weights: a value given under one name of a shared variable holds for all its names; with False only
            for the names given.
        strict: every name of the module must be given, and no other.
        return_buffers: return ``(output, buffers)``.

    Raises:
        ValueError: a name stands in two dicts, or shared names get two values.
        RuntimeError: ``strict`` and the names differ, or a value has not the shape of the module's.

    >>> import jax.numpy as jnp
    >>> from jaxgrad import func, nn, random
    >>> model = nn.Linear(3, 1, rngs=nn.Rngs(random.manual_seed(0)))
    >>> func.functional_call(model, {"weight": jnp.ones((1, 3)), "bias": jnp.zeros(1)}, jnp.ones(3)).tolist()
    [3.0]

    Source: torch/_functorch/functional_call.py.
    """
    values = _merge(parameter_and_buffer_dicts)
    bound: Any = clone(module)
    variables = dict(named_variables(bound))
    _check(type(module).__name__, values, variables, strict)
    _bind(bound, variables, values, tie_weights)
    positional = () if args is None else args if isinstance(args, tuple) else (args,)
    out = bound(*positional, **(kwargs or {}))
    return (out, _buffers(bound)) if return_buffers else out


def _merge(dicts: Mapping[str, Array] | Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    if isinstance(dicts, Mapping):
        return dict(dicts)
    twice = [name for name, n in Counter(name for each in dicts for name in each).items() if n > 1]
    if twice:
        raise ValueError(f"{twice} appeared in multiple dictionaries; behavior of functional call is ambiguous")
    return {name: value for each in dicts for name, value in each.items()}


def _check(module: str, values: dict[str, Array], variables: dict[str, nnx.Variable], strict: bool) -> None:
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


def _bind(bound: nnx.Module, variables: dict[str, nnx.Variable], values: dict[str, Array], tie_weights: bool) -> None:
    given: dict[int, tuple[str, Array]] = {}
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


def _untie(bound: nnx.Module, name: str, variable: nnx.Variable) -> nnx.Variable:
    """Give one place that shares a variable a variable of its own."""
    *path, last = name.split(".")
    owner: Any = bound
    for step in path:
        owner = owner[int(step)] if isinstance(owner, nnx.List) else getattr(owner, step)
    own = jax.tree.map(lambda leaf: leaf, variable)
    setattr(owner, last, own)
    return own


def _buffers(bound: nnx.Module) -> Buffers:
    return {name: v.get_value() for name, v in named_variables(bound) if not isinstance(v, nnx.Param)}
