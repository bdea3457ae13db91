"""A module as a pure function of its parameters."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from flax import nnx

from jaxgrad._core.call import Call, call_of, enter
from jaxgrad._core.errors import describe, explain
from jaxgrad._core.listing import named_variables
from jaxgrad._core.modules import clone
from jaxgrad._core.types import Array
from jaxgrad.func.call import Watch


def functional_call(
    module: nnx.Module,
    parameter_and_buffer_dicts: Mapping[str, Array] | Sequence[Mapping[str, Array]],
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    training: bool | None = None,
    generator: Any = None,
    has_aux: bool = False,
    method: str | None = None,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Mirror of ``torch.func.functional_call``: ``module(*args, **kwargs)`` with these parameters and buffers.

    The module itself does not change: a copy runs, and what its ``forward`` writes into attributes, lists and dicts
    goes with it. Differs from torch in what belongs to the call instead of to the module: ``training`` is what
    ``model.train()`` and ``model.eval()`` set, ``generator`` is the global stream. Buffers that the call updates are
    not written into the dict that was passed but come out beside the result, and so does the stream.

    Args:
        module: any NNX module.
        parameter_and_buffer_dicts: a dict of dotted names, or several with different names. Names that are left out
            keep the module's own values.
        args: one array, or a tuple of positional arguments.
        kwargs: keyword arguments.
        training: the mode of the call; may be left out where no layer asks for it. A call inside of a ``forward`` is
            in the mode of the call around it. Flax's own layers are told (``deterministic``,
            ``use_running_average``).
        generator: what layers draw from, a ``random.Generator`` (torch's numbers) or a JAX key.
        has_aux: return ``(output, aux)``; ``aux.buffers``, ``aux.generator`` and ``aux.params`` are what the call left.
        method: the name of another method to call.
        tie_weights: a value given under one name of a shared variable holds for all its names; with False only
            for the names given.
        strict: every name of the module must be given, and no other.

    Returns:
        What the module returns, or ``(output, func.Aux)``.

    Raises:
        ValueError: a name stands in two dicts, or shared names get two values.
        RuntimeError: ``strict`` and the names differ, or a value has not the shape of the module's; the result
            depends on the mode and ``training`` is not said; buffers were updated or numbers drawn without
            ``has_aux``.
        TypeError: a layer draws and there is no ``generator``.

    >>> import jax.numpy as jnp
    >>> from jaxgrad import func, nn, random
    >>> model = nn.Linear(3, 1, rngs=nn.Rngs(random.manual_seed(0)))
    >>> func.functional_call(model, {"weight": jnp.ones((1, 3)), "bias": jnp.zeros(1)}, jnp.ones(3)).tolist()
    [3.0]
    >>> out, aux = func.functional_call(
    ...     nn.Dropout(0.5), {}, jnp.ones(6), training=True, generator=random.manual_seed(0), has_aux=True
    ... )
    >>> sorted(set(out.tolist())), aux.generator
    ([0.0, 2.0], Generator(initial_seed=0, position=12))

    Source: torch/_functorch/functional_call.py.
    """
    values = _merge(parameter_and_buffer_dicts)
    bound: Any = clone(module)
    variables = dict(named_variables(bound))
    _check(type(module).__name__, values, variables, strict)
    _bind(bound, variables, values, tie_weights)
    call = Call(training, generator, around=call_of(module))
    enter(bound, call)
    watch = Watch(dict(named_variables(bound)), bound)
    positional = () if args is None else args if isinstance(args, tuple) else (args,)
    out = (bound if method is None else getattr(bound, method))(*positional, **(kwargs or {}))
    watch.check_nothing_is_lost(call, has_aux)
    return (out, watch.aux(call)) if has_aux else out


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
