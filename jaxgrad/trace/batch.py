"""How a batch is nested, as data: what a module's call and its loss take, apart from the arrays themselves.

A structure is ``3`` for the fourth array, ``{"list": [...]}``, ``{"tuple": [...]}``, ``{"dict": {...}}``, or
``{"fixed": value}`` for what is no array (a flag, a word, None): that is part of the graph.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

from jaxgrad._core.errors import explain

Structure: TypeAlias = Any

_FIXED = (bool, str)


def is_array(value: Any) -> bool:
    """Whether a value is one array: a tensor, an array, a number, or numbers in lists.

    >>> is_array([[1.0, 2.0], [3.0, 4.0]]), is_array(2), is_array([]), is_array(True)
    (True, True, False, False)
    """
    if isinstance(value, list):
        return bool(value) and all(is_array(each) and not hasattr(each, "shape") for each in value)
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return True
    return isinstance(value, int | float | complex) and not isinstance(value, bool)


def structure_of(batch: Any) -> tuple[Structure, list[Any]]:
    """The nesting of a batch, and its arrays in order.

    Raises:
        TypeError: something in it is neither an array nor plain data.

    >>> structure_of(([[1.0]], {"mask": None}))
    ({'tuple': [0, {'dict': {'mask': {'fixed': None}}}]}, [[[1.0]]])
    """
    leaves: list[Any] = []

    def walk(value: Any) -> Structure:
        if is_array(value):
            leaves.append(value)
            return len(leaves) - 1
        if isinstance(value, Mapping):
            return {"dict": {str(key): walk(each) for key, each in value.items()}}
        if isinstance(value, tuple | list):
            return {"tuple" if isinstance(value, tuple) else "list": [walk(each) for each in value]}
        if value is None or isinstance(value, _FIXED):
            return {"fixed": value}
        raise TypeError(
            explain(
                "a batch consists of arrays, in tuples, lists and dicts, and of plain values",
                got=type(value).__name__,
            )
        )

    return walk(batch), leaves


def rebuilt(structure: Structure, leaves: Any) -> Any:
    """The batch of a structure with these arrays.

    >>> rebuilt({"tuple": [0, {"dict": {"mask": 1}}]}, ["a", "b"])
    ('a', {'mask': 'b'})
    """
    if isinstance(structure, int):
        return leaves[structure]
    ((kind, content),) = structure.items()
    if kind == "fixed":
        return content
    if kind == "dict":
        return {key: rebuilt(each, leaves) for key, each in content.items()}
    parts = [rebuilt(each, leaves) for each in content]
    return tuple(parts) if kind == "tuple" else parts


def flattened(structure: Structure, batch: Any) -> list[Any]:
    """The arrays of a batch in the order of a structure; lists serve for tuples and tuples for lists.

    Raises:
        ValueError: the batch is nested otherwise, or holds another plain value than the graph was traced with.

    >>> flattened({"tuple": [0, {"dict": {"mask": 1}}]}, ("a", {"mask": "b"}))
    ['a', 'b']
    """
    found: dict[int, Any] = {}
    _walk(structure, batch, found, "batch")
    return [found[place] for place in range(len(found))]


def _walk(structure: Structure, value: Any, found: dict[int, Any], where: str) -> None:
    if isinstance(structure, int):
        found[structure] = value
        return
    ((kind, content),) = structure.items()
    if kind == "fixed":
        if type(value) is not type(content) or value != content:
            _refuse(where, f"{value!r:.80}", f"{content!r}, which is part of the graph (no array)")
    elif kind == "dict":
        if not isinstance(value, Mapping) or set(value) != set(content):
            got = sorted(map(str, value)) if isinstance(value, Mapping) else type(value).__name__
            _refuse(where, got, f"a dict of {sorted(content)}")
        for key, each in content.items():
            _walk(each, value[key], found, f"{where}[{key!r}]")
    else:
        if not isinstance(value, tuple | list) or len(value) != len(content):
            got = f"{type(value).__name__} of {len(value)}" if hasattr(value, "__len__") else type(value).__name__
            _refuse(where, got, f"a {kind} of {len(content)}")
        for place, (each, part) in enumerate(zip(content, value, strict=True)):
            _walk(each, part, found, f"{where}[{place}]")


def _refuse(where: str, got: Any, expected: str) -> None:
    raise ValueError(
        explain(
            f"{where} is not what the module was traced with",
            got=got,
            expected=expected,
            remedy="trace.from_torch(module, loss_fn, batch) again for a batch of this form",
        )
    )


def places_of(structure: Structure) -> list[int]:
    """The places of all arrays of a structure, in order.

    Raises:
        ValueError, TypeError: it is no structure.
    """
    if isinstance(structure, int) and not isinstance(structure, bool):
        return [structure]
    if not isinstance(structure, dict) or len(structure) != 1:
        raise TypeError(f"no structure of a batch: {structure!r:.80}")
    ((kind, content),) = structure.items()
    if kind == "fixed":
        if content is not None and not isinstance(content, _FIXED):
            raise TypeError(f"no plain value: {content!r:.80}")
        return []
    if kind == "dict" and isinstance(content, dict):
        return [place for each in content.values() for place in places_of(each)]
    if kind in ("tuple", "list") and isinstance(content, list):
        return [place for each in content for place in places_of(each)]
    raise TypeError(f"no structure of a batch: {kind!r:.80}")
