"""What the two ways of torch's ``state_dict`` share: numbers for names, and values out of a file."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxgrad._core.errors import explain
from jaxgrad.optim._rule.state import OptimizerState


def numbers_of(members: Sequence[Sequence[str]], state: OptimizerState) -> dict[str, int]:
    """Torch's number of each parameter, from what ``init`` noted."""
    return {
        name: int(number)
        for names, group in zip(members, state.param_groups, strict=True)
        for name, number in zip(names, np.asarray(group.params), strict=True)
    }


def check_groups(saved: Sequence[Mapping[str, Any]], members: Sequence[Sequence[str]]) -> None:
    """Raise torch's sentence unless there are as many groups, of the same sizes.

    Raises:
        ValueError: there are not.
    """
    if len(saved) != len(members):
        raise ValueError(
            explain(
                "loaded state dict has a different number of parameter groups",
                got=len(saved),
                expected=len(members),
            )
        )
    for index, (group, names) in enumerate(zip(saved, members, strict=True)):
        if len(group["params"]) != len(names):
            raise ValueError(
                explain(
                    "loaded state dict contains a parameter group that doesn't match the size of optimizer's group",
                    got=f"{len(group['params'])} parameters in group {index}",
                    expected=len(names),
                )
            )


def saved_entries(state: Mapping[Any, Any], names: Mapping[Any, str]) -> dict[str, dict[str, Any]]:
    """The entries under our names, values as numpy's; an entry without a tensor is none.

    Raises:
        KeyError: an entry's number is in no group.
    """
    as_text = {str(number): name for number, name in names.items()}
    found = {}
    for number, entry in state.items():
        if str(number) not in as_text:
            raise KeyError(
                explain(f"the state has an entry {number!r} that no group holds", expected=", ".join(as_text))
            )
        values = {key: as_array(value) for key, value in entry.items() if value is not None}
        if values:
            found[as_text[str(number)]] = values
    return found


def as_array(value: Any) -> np.ndarray[Any, Any]:
    """A tensor, array or number as numpy's; torch's bfloat16 as the float32 that holds it."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.float() if str(value.dtype) == "torch.bfloat16" else value
    return np.asarray(value)


def as_number(value: Any) -> Any:
    """A hyper-parameter out of a file: a float, None, or a tuple of them."""
    if isinstance(value, (list, tuple)):
        return tuple(as_number(each) for each in value)
    return None if value is None else float(as_array(value).reshape(()))


def check_options(options: Mapping[str, Any], group: Mapping[str, Any]) -> None:
    """Refuse a saved group whose options would be another program than the optimizer's.

    Raises:
        ValueError: they would.
    """
    for key, here in options.items():
        if key in group and group[key] != here:
            raise ValueError(
                explain(
                    f"loaded state dict contains a parameter group with {key}={group[key]!r}",
                    got=f"an optimizer with {key}={here!r}, which shapes its program",
                    remedy=f"construct the optimizer, or its group, with {key}={group[key]!r}",
                )
            )
