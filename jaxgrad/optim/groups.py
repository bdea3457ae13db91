"""Parameter groups: torch's ``[{"params": ..., "lr": ...}, ...]`` over the names of a parameter tree.

A group says which parameters it holds and which options differ from the optimizer's defaults. ``"params"`` is a name,
a pattern (``"*.bias"``), a list of these, a predicate of name and leaf, a mask over the tree, or ``...`` for all that
no other group names.
Every optimizer takes the list as ``param_groups=``; it is resolved against the parameters in ``init`` and ``step``,
so the same list serves every tree that has the names.
"""

from collections.abc import Iterable, Sequence
from types import EllipsisType
from typing import Any, TypeAlias

from jaxgrad._core.errors import explain, quoted
from jaxgrad._core.selection import Where, select
from jaxgrad._core.trees import named_leaves
from jaxgrad._core.types import ArrayTree, InexactTree

Selection: TypeAlias = Where | EllipsisType


def param_groups(params: InexactTree, groups: Iterable[dict[str, Any]], **defaults: Any) -> list[dict[str, Any]]:
    """The groups with their parameters by name and every default filled in, as ``optimizer.param_groups`` of torch.

    Args:
        params: the parameters; only their names are read.
        groups: dicts with ``"params"`` and the options that differ.
        **defaults: options of the groups that do not give them.

    Returns:
        One dict a group, its parameters as a list of names.

    Raises:
        TypeError: a group is no dict, or its parameters are a set (torch's words).
        ValueError: "optimizer got an empty parameter list", "some parameters appear in more than one parameter group",
            a parameter is in no group; a name or pattern matches none (also a KeyError).

    >>> params = {"0.weight": 0.0, "0.bias": 0.0}
    >>> param_groups(params, [{"params": "*.bias", "weight_decay": 0}, {"params": ...}], lr=0.1, weight_decay=0.01)
    [{'params': ['0.bias'], 'weight_decay': 0, 'lr': 0.1}, {'params': ['0.weight'], 'lr': 0.1, 'weight_decay': 0.01}]
    """
    groups = list(groups)
    members = members_of_groups([selection_of(group) for group in groups], params)
    return [
        {"params": chosen} | {key: value for key, value in group.items() if key != "params"} | _missing(group, defaults)
        for group, chosen in zip(groups, members, strict=True)
    ]


def _missing(group: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in defaults.items() if key not in group}


def selection_of(group: Any) -> Selection:
    """What a group says of its parameters, checked for type in torch's words."""
    if not isinstance(group, dict):
        raise TypeError(f"param_group must be a dict, but got {type(group)}")
    if "params" not in group:
        raise KeyError("params")
    selection = group["params"]
    if isinstance(selection, set):
        raise TypeError(
            "optimizer parameters need to be organized in ordered collections, but "
            "the ordering of tensors in sets will change between runs. Please use a list instead."
        )
    if isinstance(selection, (list, tuple)):
        for name in selection:
            if not isinstance(name, (str, bool)):
                raise TypeError(
                    explain(
                        f"optimizer can only optimize Tensors, but one of the params is {type(name).__name__}",
                        expected="names or patterns of parameters",
                    )
                )
        if len(set(selection)) != len(selection):
            raise ValueError(
                explain("optimizer contains a parameter group with duplicate parameters", got=quoted(selection))
            )
    elif not (isinstance(selection, (str, dict)) or selection is ... or callable(selection)):
        raise TypeError(
            explain(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, "
                f"but got {type(selection).__name__}",
                expected="a name or pattern, a list of them, a predicate of name and leaf, a mask, or ...",
            )
        )
    return selection


def members_of_groups(selections: Sequence[Selection], params: ArrayTree) -> list[list[str]]:
    """The names that each group holds, in the order of the parameters; leaves that are None belong to nobody."""
    names = [name for name, leaf in named_leaves(params).items() if leaf is not None]
    if not names or not selections:
        raise ValueError("optimizer got an empty parameter list")
    chosen = [set() if selection is ... else set(select(params, selection)) for selection in selections]
    named = set().union(*chosen)
    chosen = [
        set(names) - named if selection is ... else one for selection, one in zip(selections, chosen, strict=True)
    ]
    twice = [name for name in names if sum(name in one for one in chosen) > 1]
    if twice:
        raise ValueError(explain("some parameters appear in more than one parameter group", got=quoted(twice)))
    none = [name for name in names if not any(name in one for one in chosen)]
    if none:
        raise ValueError(
            explain(
                "some parameters appear in no parameter group",
                got=quoted(none),
                remedy='add a group {"params": ...} for the rest; freeze a parameter by a None gradient',
            )
        )
    return [[name for name in names if name in one] for one in chosen]
