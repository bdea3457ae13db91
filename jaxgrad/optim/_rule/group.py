"""The static side of a parameter group: what shapes the code, and the numbers that the state starts with."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from jaxgrad._core.arguments import wrong_kind
from jaxgrad._core.errors import explain
from jaxgrad.optim._rule.flags import FLAGS, check_flags
from jaxgrad.optim._rule.kinds import as_tuple, check_kinds
from jaxgrad.optim._rule.rule import Rule
from jaxgrad.optim.groups import Selection, selection_of

LABELS = (*FLAGS, "name", "initial_lr")
"""Keys that any group may have, as torch's may, and that change no number."""


@dataclass(frozen=True)
class Group:
    """Its parameters, its starting hyper-parameters, the options that shape the code, and what is carried along."""

    selection: Selection
    hyperparams: dict[str, Any]
    options: dict[str, Any]
    maximize: bool
    labels: dict[str, Any]
    """``foreach`` and its like, ``name``, ``initial_lr``: torch's group has them too, and no step reads them."""
    knows_maximize: bool = True

    def program(self) -> dict[str, Any]:
        """The options that decide what a step computes."""
        return {**self.options, **({"maximize": self.maximize} if self.knows_maximize else {})}


def groups_of(
    rule: Rule,
    hyperparams: dict[str, Any],
    options: dict[str, Any],
    flags: dict[str, Any],
    groups: Sequence[dict[str, Any]] | None,
) -> list[Group]:
    """The groups with every default filled in, checked as the defaults are; one group without ``groups``.

    Raises:
        TypeError: a group has an option that the optimizer does not.
    """
    check_kinds(rule.called, hyperparams)
    rule.validate(**hyperparams, **options)
    if groups is None:
        return [_group(..., hyperparams, options, flags)]
    found = []
    if not isinstance(groups, Iterable) or isinstance(groups, (str, dict)) or hasattr(groups, "ndim"):
        raise wrong_kind(groups, "param_groups", rule.called, "list of dicts")
    for group in groups:
        selection = selection_of(group)
        labels = {key: value for key, value in group.items() if key in LABELS and key not in hyperparams}
        check_flags({key: value for key, value in (flags | labels).items() if key in FLAGS})
        unknown = group.keys() - hyperparams.keys() - options.keys() - labels.keys() - {"params"}
        if unknown:
            raise TypeError(
                explain(
                    f"parameter group got an unexpected option {sorted(unknown)[0]!r}",
                    expected=", ".join([*hyperparams, *options, *LABELS]),
                )
            )
        own_hyperparams = {key: _of_form(rule, key, group.get(key, value), value) for key, value in hyperparams.items()}
        own_options = {key: group.get(key, value) for key, value in options.items()}
        check_kinds(rule.called, own_hyperparams)
        rule.validate(**own_hyperparams, **own_options)
        found.append(_group(selection, own_hyperparams, own_options, flags | labels))
    return found


def _of_form(rule: Rule, key: str, value: Any, default: Any) -> Any:
    return as_tuple(value, key, rule.called, len(default)) if isinstance(default, tuple) else value


def _group(selection: Selection, hyperparams: dict[str, Any], options: dict[str, Any], labels: dict[str, Any]) -> Group:
    shaping = {key: value for key, value in options.items() if key != "maximize"}
    maximize = options.get("maximize", False)
    return Group(selection, hyperparams, shaping, maximize, labels, "maximize" in options)
