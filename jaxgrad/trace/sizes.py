"""Numbers of a graph that depend on the sizes of its batch, as data: ``2 * s0``, ``(s0 + 1) // 2``, ``s0 >= 16``.

A form is a number, the name of a size, or an operation with forms: ``("mul", 2, "s0")``. The operations are those of a
table, so that reading a file executes nothing.
"""

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, TypeAlias

Form: TypeAlias = Any


@dataclass(frozen=True)
class Size:
    """A number that depends on the batch.

    Attributes:
        form: how.

    >>> Size(("floordiv", ("add", "s0", 1), 2)).at({"s0": 6})
    3
    """

    form: Form

    def at(self, sizes: Mapping[str, int]) -> Any:
        """Its value for these sizes.

        Raises:
            KeyError: a size or an operation that there is not.
        """
        return value_of(self.form, sizes)

    def __str__(self) -> str:
        return written(self.form)


_COMPARED = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_SIGNS = {"add": "+", "mul": "*", "floordiv": "//", "mod": "%", "truediv": "/", "pow": "**", **_COMPARED}


def written(form: Form) -> str:
    """A form as one would write it.

    >>> written(("ge", ("floordiv", ("add", "s0", 1), 2), 8))
    '(s0 + 1) // 2 >= 8'
    """
    if not isinstance(form, tuple):
        return str(form)
    name, *parts = form
    if name not in _SIGNS:
        return f"{name}({', '.join(map(written, parts))})"
    bare = name in _COMPARED
    texts = (
        f"({written(each)})" if isinstance(each, tuple) and each[0] in _SIGNS and not bare else written(each)
        for each in parts
    )
    return f" {_SIGNS[name]} ".join(texts)


def value_of(form: Form, sizes: Mapping[str, int]) -> Any:
    """The value of a form.

    >>> value_of(("lt", ("mul", "s0", 3), 12), {"s0": 4})
    False
    """
    if isinstance(form, str):
        return sizes[form]
    if not isinstance(form, tuple):
        return form
    name, *parts = form
    if name == "where":  # the other branch may divide by 0
        condition, one, other = parts
        return value_of(one if value_of(condition, sizes) else other, sizes)
    return OPERATIONS[name](*(value_of(each, sizes) for each in parts))


def _all(rule: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    return lambda *parts: reduce(rule, parts)


def _power(base: Any, exponent: Any) -> Any:
    """No number that a file could fill the memory with."""
    if isinstance(base, int) and isinstance(exponent, int) and exponent * base.bit_length() > 64:
        raise OverflowError(f"{base} ** {exponent} is no size")
    return base**exponent


OPERATIONS: Mapping[str, Callable[..., Any]] = {
    "add": _all(operator.add),
    "mul": _all(operator.mul),
    "max": max,
    "min": min,
    "pow": _power,
    "floordiv": operator.floordiv,
    "mod": operator.mod,
    "ceildiv": lambda a, b: -(-a // b),
    "truediv": operator.truediv,
    "float": float,
    "floor": math.floor,
    "ceil": math.ceil,
    "trunc": math.trunc,
    "round": round,
    "sqrt": math.sqrt,
    "log": math.log,
    "log2": math.log2,
    "exp": math.exp,
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "and": lambda *parts: all(parts),
    "or": lambda *parts: any(parts),
    "not": operator.not_,
}
"""What a form may compute, by name; ``where`` beside them takes one of two forms."""


def symbols(form: Form) -> set[str]:
    """The sizes that a form depends on.

    >>> sorted(symbols(("add", "s1", ("mul", 2, "s0"))))
    ['s0', 's1']
    """
    if isinstance(form, str):
        return {form}
    return {each for part in form[1:] for each in symbols(part)} if isinstance(form, tuple) else set()


def checked(form: Any) -> Form:
    """A form that was read from a file, lists as tuples.

    Raises:
        ValueError: it is none.

    >>> checked(["mul", 2, "s0"])
    ('mul', 2, 's0')
    """
    if isinstance(form, list) and form and form[0] in (*OPERATIONS, "where"):
        return (form[0], *(checked(each) for each in form[1:]))
    if isinstance(form, bool) or not isinstance(form, int | float | str):
        raise ValueError(f"a number that depends on the batch was expected, not {form!r:.80}")
    return form
