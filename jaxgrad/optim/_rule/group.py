"""The static side of a parameter group: what shapes the code, and the numbers that the state starts with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from jaxgrad._core.errors import explain
from jaxgrad.optim.groups import Selection, selection_of


@dataclass(frozen=True)
class Group:
    """Its parameters, its starting hyper-parameters, the options that shape the code."""

    selection: Selection
    hyperparams: dict[str, Any]
    options: dict[str, Any]
    maximize: bool


def groups_of(
    validate: Callable[..., None],
    hyperparams: dict[str, Any],
    options: dict[str, Any],
    groups: Sequence[dict[str, Any]] | None,
) -> list[Group]:
    """The groups with every default filled in, checked as the defaults are; one group without ``groups``.

    Raises:
        TypeError: a group has an option that the optimizer does not.
    """
    validate(**hyperparams, **options)
    if groups is None:
        return [_group(..., hyperparams, options)]
    found = []
    for group in groups:
        selection = selection_of(group)
        unknown = group.keys() - hyperparams.keys() - options.keys() - {"params"}
        if unknown:
            raise TypeError(
                explain(
                    f"parameter group got an unexpected option {sorted(unknown)[0]!r}",
                    expected=", ".join([*hyperparams, *options]),
                )
            )
        own_hyperparams = {key: group.get(key, value) for key, value in hyperparams.items()}
        own_options = {key: group.get(key, value) for key, value in options.items()}
        validate(**own_hyperparams, **own_options)
        found.append(_group(selection, own_hyperparams, own_options))
    return found


def _group(selection: Selection, hyperparams: dict[str, Any], options: dict[str, Any]) -> Group:
    shaping = {key: value for key, value in options.items() if key != "maximize"}
    return Group(selection, hyperparams, shaping, maximize=options.get("maximize", False))
