"""Which parameters: the one language that ``inputs=``, ``requires_grad``, ``freeze``, groups, hooks and clipping share.

In torch one writes ``model.head.parameters()`` or loops over ``named_parameters()``. Here parameters are values without
an identity, so a choice speaks of names: a name, a pattern as the shell writes it, several of these, a predicate, or a
mask over the tree.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, KeysView
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any, TypeAlias

import jax
import numpy as np

from jaxgrad._core.errors import explain, is_traced, quoted
from jaxgrad._core.trees import named_leaves
from jaxgrad._core.types import PyTree

Where: TypeAlias = str | Iterable[str] | Callable[[str, Any], bool] | PyTree | None
"""A dotted name or a pattern ("head.weight", "features.*", "*.bias"); several of them; a predicate
``where(name, leaf)``; a tree like the parameters with a boolean for each; None for all."""


class UnknownName(KeyError, ValueError):
    """Raised for a name or pattern that no parameter matches; shown as it is written, which a KeyError is not.

    >>> str(UnknownName("no parameter matches"))
    'no parameter matches'
    """

    __str__ = Exception.__str__


def select(params: PyTree, where: Where) -> list[str]:
    """The dotted names that ``where`` chooses, in the order of the parameters.

    A leaf that is None (a parameter that is elsewhere) may be named, and is left out of the result.

    Args:
        params: any tree of arrays.
        where: see ``Where``. A predicate sees every leaf that is not None.

    Returns:
        Names, each once.

    Raises:
        UnknownName: a name or pattern matches no parameter.
        TypeError: a predicate does not take name and leaf.
        ValueError: a mask has other names than the parameters, or other leaves than booleans.

    >>> params = {"body.weight": 1.0, "body.bias": 2.0, "head.weight": 3.0}
    >>> select(params, ["head.*", "body.bias"])
    ['body.bias', 'head.weight']
    >>> select(params, lambda name, leaf: leaf > 1.5)
    ['body.bias', 'head.weight']
    >>> select(params, {"body.weight": True, "body.bias": False, "head.weight": False})
    ['body.weight']
    >>> select(params, "head.wait")
    Traceback (most recent call last):
        ...
    jaxgrad._core.selection.UnknownName: no parameter matches "head.wait"
      expected: a name or pattern among "body.weight", "body.bias", "head.weight"
      remedy:   "head.weight" is close
    """
    leaves = named_leaves(params)
    if where is None:
        chosen = set(leaves)
    elif callable(where):
        _check_predicate(where)
        chosen = {name for name, leaf in leaves.items() if leaf is not None and where(name, leaf)}
    elif isinstance(where, str):
        chosen = _matches([where], list(leaves))
    elif (names := _as_names(where)) is not None:
        chosen = _matches(names, list(leaves))
    else:
        chosen = _masked(leaves, where)
    return [name for name, leaf in leaves.items() if name in chosen and leaf is not None]


def is_mask(where: Where) -> bool:
    """Whether a choice is a mask: a flag for each parameter, as torch's ``requires_grad``.

    >>> is_mask({"w": True}), is_mask(["w"]), is_mask(None)
    (True, False, False)
    """
    return (
        where is not None
        and not callable(where)
        and not isinstance(where, (str, Iterator))
        and _as_names(where) is None
    )


def _as_names(where: Any) -> list[str] | None:
    """The names among which ``where`` chooses; None where it is no collection of names."""
    if isinstance(where, (Iterator, KeysView, set, frozenset)):
        where = list(where)
    return list(where) if isinstance(where, (list, tuple)) and all(isinstance(name, str) for name in where) else None


def _matches(patterns: Iterable[str], names: list[str]) -> set[str]:
    chosen: set[str] = set()
    for pattern in patterns:
        found = {name for name in names if name == pattern or fnmatchcase(name, pattern)}
        if not found:
            close = get_close_matches(pattern, names, n=1)
            raise UnknownName(
                explain(
                    f'no parameter matches "{pattern}"',
                    expected=f"a name or pattern among {quoted(names)}" if names else "no parameter at all",
                    remedy=f"{quoted(close)} is close" if close else None,
                )
            )
        chosen |= found
    return chosen


def _check_predicate(where: Callable[..., Any]) -> None:
    try:
        inspect.signature(where).bind("name", None)
    except ValueError:
        return  # written in C, without a signature
    except TypeError:
        raise TypeError(
            explain(
                "a predicate of parameters takes the name and the leaf",
                got=f"{getattr(where, '__name__', type(where).__name__)}{inspect.signature(where)}",
                remedy='lambda name, leaf: name.endswith("bias")',
            )
        ) from None


def _masked(leaves: dict[str, Any], mask: PyTree) -> set[str]:
    flags = named_leaves(mask)
    wrong = [name for name, flag in flags.items() if flag is not None and not _is_flag(flag)]
    if flags.keys() != leaves.keys() or wrong:
        raise ValueError(
            explain(
                "a mask needs one boolean for each parameter",
                got=f"no boolean at {quoted(wrong)}" if wrong else quoted(flags),
                expected=quoted(leaves),
                remedy="names, patterns, or a predicate of name and leaf choose parameters too",
            )
        )
    return {name for name, flag in flags.items() if flag is not None and bool(flag)}


def _is_flag(flag: Any) -> bool:
    if isinstance(flag, (bool, np.bool_)):
        return True
    return isinstance(flag, (jax.Array, np.ndarray)) and flag.dtype == bool and flag.ndim == 0 and not is_traced(flag)
