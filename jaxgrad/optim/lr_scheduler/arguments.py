"""The constructor's arguments of a schedule as torch's ``state_dict`` holds them.

Torch's ``load_state_dict`` overwrites the attributes of the scheduler, its arguments among them: a ``StepLR`` with
gamma 0.9 that loads the state of one with 0.5 goes on with 0.5. A schedule here does not change; the state that is
loaded carries the one that was saved instead, and ``step`` obeys it.
"""

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from types import FunctionType
from typing import Any

import jax
import numpy as np

_ELSEWHERE = ("lr", "last_epoch", "lr_lambda", "scale_fn", "schedulers", "lrs", "momentums")
"""Fields that are state in torch, functions, or made of other schedules."""


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class Taken:
    """The schedule that a loaded state goes on with, where it is not the one that loaded it."""

    schedule: Any


def own_arguments(schedule: Any) -> dict[str, Any]:
    """Torch's attributes that hold the arguments, where they have the same names."""
    names = [field.name for field in dataclasses.fields(schedule) if field.name not in _ELSEWHERE]
    return {name: getattr(schedule, name) for name in names}


def changed(schedule: Any, given: Mapping[str, Any]) -> Any:
    """The schedule with these arguments; itself where they are its own."""
    other = {name: value for name, value in given.items() if not _same(getattr(schedule, name), value)}
    return dataclasses.replace(schedule, **other) if other else schedule


def from_file(value: Any) -> Any:
    """A number out of a file as Python's, a list as the tuple that schedules keep."""
    if isinstance(value, (np.ndarray, np.generic, jax.Array)) and np.ndim(value) == 0:
        return value.item()
    return tuple(from_file(each) for each in value) if isinstance(value, (list, tuple)) else value


def stored_functions(functions: Sequence[Any]) -> list[dict[str, Any] | None]:
    """What torch stores of functions: the attributes of a callable object, nothing of a plain function."""
    return [None if isinstance(each, FunctionType) else dict(getattr(each, "__dict__", {})) for each in functions]


def loaded_functions(functions: Sequence[Any], stored: Sequence[dict[str, Any] | None] | None) -> tuple[Any, ...]:
    """The functions with the attributes that were stored; the objects at hand do not change."""
    if stored is None:
        return tuple(functions)
    return tuple(_with_attributes(each, attributes) for each, attributes in zip(functions, stored, strict=True))


def _with_attributes(function: Any, attributes: dict[str, Any] | None) -> Any:
    if not attributes or all(_same(vars(function).get(name), value) for name, value in attributes.items()):
        return function
    other = copy.copy(function)
    vars(other).update(attributes)
    return other


def _same(one: Any, other: Any) -> bool:
    try:
        return one is other or bool(one == other)
    except ValueError:  # arrays
        return False
