"""Checks of values that torch leaves in a graph: a compiled program cannot raise, and computes what follows."""

from collections.abc import Callable
from typing import Any


def _unchecked(*_: Any, **__: Any) -> None:
    return None


TABLE: dict[str, Callable[..., Any]] = dict.fromkeys(
    ("_assert_async", "_assert_async.msg", "_assert_scalar", "_assert_tensor_metadata", "sym_constrain_range_for_size"),
    _unchecked,
)
