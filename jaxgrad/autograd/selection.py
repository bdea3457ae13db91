"""Which leaves to differentiate: torch's ``inputs=``, as names, as a predicate, or as a mask over the tree."""

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import jax

from jaxgrad._core.errors import check_differentiable, explain, quoted
from jaxgrad._core.trees import path_name
from jaxgrad._core.types import PyTree
from jaxgrad._jaxpr.dependence import Leaves

Inputs: TypeAlias = str | Iterable[str] | Callable[[str, Any], bool] | PyTree | None
"""None for all leaves; a dotted name or several; a predicate of name and leaf; a tree of booleans."""


def select(params: PyTree, inputs: Inputs, *, caller: str = "backward") -> Leaves:
    """The leaves that ``inputs`` names, as a set of positions in the flattened ``params``.

    Raises:
        RuntimeError: none is named, or one of them is not floating point or complex.
        KeyError: a name is not in ``params``.
        ValueError: a mask has another structure.
    """
    named = {path_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(params)}
    if inputs is None:
        chosen = list(named)
    elif callable(inputs):
        chosen = [name for name, leaf in named.items() if inputs(name, leaf)]
    elif _are_names(inputs):
        chosen = [inputs] if isinstance(inputs, str) else list(inputs)
        _check_known(chosen, named)
    else:
        chosen = _masked(named, jax.tree.structure(params), inputs)
    if inputs is not None and not chosen:
        raise RuntimeError(f"`inputs` argument to `{caller}()` cannot be empty.")
    check_differentiable({name: named[name] for name in chosen})
    return sum(1 << i for i, name in enumerate(named) if name in set(chosen))


def _are_names(inputs: Any) -> bool:
    return isinstance(inputs, str) or (
        isinstance(inputs, (list, tuple, set, frozenset)) and all(isinstance(name, str) for name in inputs)
    )


def _check_known(chosen: list[str], named: dict[str, Any]) -> None:
    unknown = [name for name in chosen if name not in named]
    if unknown:
        raise KeyError(explain("inputs= names no such parameter", got=quoted(unknown), expected=quoted(named)))


def _masked(named: dict[str, Any], structure: Any, mask: PyTree) -> list[str]:
    flags, given = jax.tree.flatten(mask)
    if given != structure:
        raise ValueError(explain("a mask needs one boolean for each parameter", got=given, expected=structure))
    return [name for name, flag in zip(named, flags, strict=True) if flag]
