"""Values as JSON has them, both ways; what JSON cannot say (nan, infinity, complex) is ``{"number": "nan"}``."""

import json
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")


def to_plain(value: Any) -> Any:
    """Lists, dicts, numbers and texts of a value; a field that has its default is left out.

    Raises:
        TypeError: JSON has nothing for it.

    >>> to_plain({"a": (1, float("nan")), "b": np.float32(0.5)})
    {'a': [1, {'number': 'nan'}], 'b': 0.5}
    """
    if is_dataclass(value) and not isinstance(value, type):
        given = ((each, getattr(value, each.name)) for each in fields(value))
        return {each.name: to_plain(it) for each, it in given if not _is_default(each, it)}
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return to_plain(value.item())
    if isinstance(value, Mapping):
        return {str(name): to_plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset | np.ndarray):
        return [to_plain(each) for each in value]
    if isinstance(value, complex) or (isinstance(value, float) and not math.isfinite(value)):
        return {"number": str(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"JSON has nothing for a {type(value).__name__}: {value!r:.80}")


def from_plain(kind: type[T], data: Mapping[str, Any]) -> T:
    """A dataclass from ``to_plain`` of one; fields that it does not know are left out, so that newer files are read.

    >>> from jaxgrad.parity.report.parts import Draws
    >>> from_plain(Draws, {"step": 3, "reference_sites": ["a.py:1"], "unheard of": 1})
    Draws(step=3, reference=None, candidate=None, reference_sites=('a.py:1',), candidate_sites=())
    """
    hints = typing.get_type_hints(kind)
    known = [each.name for each in fields(kind)]  # type: ignore[arg-type]
    return kind(**{name: _as(hints[name], data[name]) for name in known if name in data})


def dumps(value: Any) -> str:
    """``value`` as one JSON text.

    >>> dumps({"a": float("inf")})
    '{"a": {"number": "inf"}}'
    """
    return json.dumps(to_plain(value), ensure_ascii=False, allow_nan=False)


def _is_default(each: Field[Any], value: Any) -> bool:
    if each.default_factory is not MISSING:
        return not value
    return each.default is not MISSING and (value is each.default or (value == () and each.default == ()))


def _as(hint: Any, value: Any) -> Any:
    """``value`` as a field of type ``hint`` holds it."""
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    for option in options:
        if is_dataclass(option) and isinstance(option, type) and isinstance(value, Mapping):
            return from_plain(option, value)
        if typing.get_origin(option) is tuple and isinstance(value, list):
            return tuple(_as(typing.get_args(option)[0], each) for each in value)
    return _number(value)


def _number(value: Any) -> Any:
    if isinstance(value, Mapping):
        if value.keys() == {"number"}:
            text = value["number"]
            return complex(text) if "j" in text else float(text)
        return {name: _number(each) for name, each in value.items()}
    return [_number(each) for each in value] if isinstance(value, list) else value
