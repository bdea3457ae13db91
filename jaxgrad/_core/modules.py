"""A copy of a module that keeps the order of its attributes and shares nothing that can change."""

import copy
from collections import deque
from typing import Any

from flax import nnx

from jaxgrad._core.call import Call


def clone(module: Any) -> Any:
    """``nnx.clone`` without its sorting and without its sharing.

    Flax sorts attributes by name, so that a clone lists "bias" before "weight" and runs child "10" before child "2".
    And it shares the lists and dicts that hold no arrays, so that what a copy appends is found on the original.

    Args:
        module: any NNX module; arrays are shared with the copy, variables and containers are not. If it is part of a
            call, the copy is part of a call of its own in the same mode and from the same point of the stream.

    >>> class Two(nnx.Module):
    ...     def __init__(self):
    ...         self.weight, self.bias, self.seen = nnx.Param(1.0), nnx.Param(2.0), []
    >>> two = Two()
    >>> [name for name in vars(nnx.clone(two)) if name[0] != "_"]
    ['bias', 'seen', 'weight']
    >>> [name for name in vars(clone(two)) if name[0] != "_"]
    ['weight', 'bias', 'seen']
    >>> clone(two).seen is two.seen
    False
    """
    made = nnx.clone(module)
    _mend(module, made, {})
    return made


def _mend(original: Any, made: Any, seen: dict[int, Any]) -> None:
    if id(made) in seen:
        return
    seen[id(made)] = made
    if isinstance(original, (list, tuple)):
        pairs = list(zip(original, made, strict=True))
    elif isinstance(original, dict):
        pairs = [(original[key], made[key]) for key in original]
        _refill(made, original)
    elif isinstance(original, (nnx.Module, nnx.Pytree)):
        for name, value in vars(made).items():
            if value is vars(original).get(name):
                vars(made)[name] = _own(value, seen)
        pairs = [(value, vars(made)[name]) for name, value in vars(original).items() if name in vars(made)]
        _refill(vars(made), vars(original))
    else:
        return
    for inner, inner_made in pairs:
        _mend(inner, inner_made, seen)


def _own(value: Any, seen: dict[int, Any]) -> Any:
    """What flax handed on as it was: a copy of it, if it is something that can change."""
    if isinstance(value, (list, dict, set, deque)):
        if id(value) not in seen:
            new = copy.copy(value)
            seen[id(value)] = seen[id(new)] = new
            _fill(new, value, seen)
        return seen[id(value)]
    if type(value) is tuple:
        return tuple(_own(each, seen) for each in value)
    if isinstance(value, Call):
        return seen.setdefault(id(value), value.fork())
    return value


def _fill(new: Any, value: Any, seen: dict[int, Any]) -> None:
    if isinstance(value, (list, deque)):
        for i, each in enumerate(value):
            new[i] = _own(each, seen)
    elif isinstance(value, dict):
        for key, each in value.items():
            new[key] = _own(each, seen)


def _refill(made: dict[Any, Any], original: dict[Any, Any]) -> None:
    in_order = {key: made[key] for key in original if key in made} | made
    made.clear()
    made.update(in_order)
