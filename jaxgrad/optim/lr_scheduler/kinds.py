"""Arguments of schedules of the right kind, before their values are looked at."""

import dataclasses
import numbers
from collections.abc import Iterable
from typing import Any

import jax
import numpy as np

from jaxgrad._core.arguments import as_flag, wrong_kind

_NUMBERS: dict[Any, str] = {int: "int", float: "float", int | None: "int", float | None: "float"}
_PER_GROUP = ("base_lr", "max_lr", "base_momentum", "max_momentum", "min_lr", "swa_lr")


_HAVE_A_SENTENCE = (("MultiplicativeLR", "lr_lambda"), ("CosineAnnealingWarmRestarts", "eta_min"))
"""Arguments of which torch itself says what is wrong."""


def check_fields(schedule: Any) -> None:
    """Raise unless the fields of a schedule are numbers, lists of numbers or functions, as each must be.

    Raises:
        TypeError: "StepLR(): argument 'step_size' must be int, not str".
    """
    function = type(schedule).__name__
    for field in dataclasses.fields(schedule):
        value = getattr(schedule, field.name)
        if field.name == "milestones" and value is None:
            raise wrong_kind(value, field.name, function, "list of ints")
        if value is None and (field.default is None or (field.type not in _NUMBERS and field.name != "swa_lr")):
            continue
        if (function, field.name) in _HAVE_A_SENTENCE:
            continue
        if field.type is bool:
            as_flag(value, field.name, function)
        if field.type is str and not isinstance(value, str):
            raise wrong_kind(value, field.name, function, "str")
        if field.type in _NUMBERS and not _is_number(value):
            raise wrong_kind(value, field.name, function, _NUMBERS[field.type])
        if field.name in _PER_GROUP and not _is_number(value) and not _is_list(value):
            raise wrong_kind(value, field.name, function, "float or list of floats")
        if field.name == "milestones" and not _is_list_of(value, _is_number):
            raise wrong_kind(value, field.name, function, "list of ints")
        if field.name == "lr_lambda" and not callable(value) and not _is_list_of(value, lambda each: True):
            raise wrong_kind(value, field.name, function, "function or list of functions")
        if field.name == "scale_fn" and not callable(value):
            raise wrong_kind(value, field.name, function, "function")


def _is_number(value: Any) -> bool:
    if isinstance(value, (np.ndarray, np.generic, jax.Array)):
        return np.ndim(value) == 0 and value.dtype.kind in "fiub"
    return isinstance(value, numbers.Real)


def _is_list_of(value: Any, kind: Any) -> bool:
    if isinstance(value, (str, dict)) or not isinstance(value, Iterable) or getattr(value, "ndim", 1) != 1:
        return False
    return not isinstance(value, (tuple, list)) or all(kind(each) for each in value)


def _is_list(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and all(_is_number(each) for each in value)
