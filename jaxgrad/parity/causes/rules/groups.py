"""Groups of parameters that are taken for one."""

from collections.abc import Iterator, Mapping
from typing import Any

from jaxgrad.parity.causes.context import Context
from jaxgrad.parity.causes.replay import Deviation, predicted
from jaxgrad.parity.causes.rule import Prediction, rule


def _of(lrs: Mapping[int, float], group: Mapping[str, Any]) -> Deviation:
    return Deviation(
        lr=lambda own, step: lrs[step], options=lambda name, right: {**group, "lr": right.get("lr", group.get("lr"))}
    )


@rule("groups_ignored", "all parameters have the options of one group", "params", "optimizer")
def groups_ignored(context: Context) -> Iterator[Prediction]:
    """The first group's or another's, with its learning rate."""
    groups = context.meta.get("optimizer", {}).get("groups", [])
    for index, group in enumerate(groups if len(groups) > 1 else ()):
        name = next(iter(group.get("params", ())), None)
        if name is not None:
            deviation = _of(context.lrs(name), group)
            sentence = f"all parameters have the options of group {index}"
            yield from predicted(context, deviation, sentence=sentence, group=index)
