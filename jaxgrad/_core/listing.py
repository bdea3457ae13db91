"""What a module holds, under torch's dotted names and in torch's order; any NNX module will do."""

import operator
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, TypeAlias

from flax import nnx

Variable: TypeAlias = nnx.Variable[Any]


def attributes(module: Any) -> list[tuple[str, Any]]:
    """The attributes of a module, or the entries of a container, in the order in which they were set.

    What flax and the call keep on a module for themselves is left out; a user's own ``_name`` is not.
    """
    if isinstance(module, dict):
        return [(str(name), value) for name, value in module.items()]
    if isinstance(module, list | tuple | nnx.List):
        return [(str(i), value) for i, value in enumerate(module)]
    return [(name, value) for name, value in vars(module).items() if name != "_call" and "_pytree__" not in name]


def named_children(module: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The modules right below, each under its name; flax's lists and dicts count as attributes with a dot.

    >>> class Two(nnx.Module):
    ...     def __init__(self):
    ...         self.first, self.rest = nnx.Module(), nnx.List([nnx.Module()])
    >>> [name for name, _ in named_children(Two())]
    ['first', 'rest.0']
    """
    for name, value in attributes(module):
        if isinstance(value, nnx.Module) and not isinstance(value, nnx.List | nnx.Dict):
            yield prefix + name, value
        elif isinstance(value, nnx.List | nnx.Dict | list | tuple | dict):
            yield from named_children(value, f"{prefix}{name}.")


def named_modules(
    module: Any, memo: set[Any] | None = None, prefix: str = "", remove_duplicate: bool = True
) -> Iterator[tuple[str, Any]]:
    """The module and all below it, parents first; a shared one under its first name, or under each.

    Args:
        module: any NNX module.
        memo: modules not to list.
        prefix: what every name begins with.
        remove_duplicate: whether a shared module is listed once.
    """
    memo = set() if memo is None else memo
    if module in memo:
        return
    if remove_duplicate:
        memo.add(module)
    yield prefix, module
    for name, child in named_children(module):
        yield from named_modules(child, memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)


def named_variables(module: Any, prefix: str = "") -> Iterator[tuple[str, Variable]]:
    """Every variable below a module with its dotted name, shared ones under each of their names.

    Torch's order: a module's own parameters, then its own buffers, then its children. The state of flax's own random
    streams is not among them.
    """
    items = attributes(module)
    own = [(name, value) for name, value in items if isinstance(value, nnx.Variable)]
    own = [pair for pair in own if not isinstance(pair[1], nnx.RngState)]
    for name, variable in sorted(own, key=lambda pair: not isinstance(pair[1], nnx.Param)):
        yield prefix + name, variable
    for name, value in items:
        if isinstance(value, nnx.Module | nnx.List | nnx.Dict | list | tuple | dict):
            yield from named_variables(value, f"{prefix}{name}.")


def numbered_lines(values: Iterable[Any]) -> list[str]:
    """What a list prints of its entries, as torch does: equal neighbours once.

    >>> numbered_lines([1, 2, 2])
    ['(0): 1', '(1-2): 2 x 2']
    """
    lines = []
    for each, run in groupby(enumerate(map(repr, values)), key=operator.itemgetter(1)):
        places = [i for i, _ in run]
        several = f"({places[0]}-{places[-1]}): {len(places)} x {each}"
        lines.append(several if len(places) > 1 else f"({places[0]}): {each}")
    return lines
