"""One thing that people do wrong in a port, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.parity.faults.port import Parts

ALL = ("mlp", "cnn", "lstm", "gpt")


@dataclass(frozen=True)
class Fault:
    """One thing wrong.

    Attributes:
        name: what it is.
        phase, step: where it shows first.
        tensor: what the first tensor's name must match, for all models or for each.
        cause: the name of the rule that explains it; None if none is claimed to.
        parts: what is done wrong.
        models: where it can be planted.
        setting: what both sides train otherwise than usual.
    """

    name: str
    phase: str
    cause: str | None
    parts: Parts
    tensor: str | Mapping[str, str] = ".*"
    step: int = 0
    models: tuple[str, ...] = ALL
    setting: Mapping[str, Any] = field(default_factory=dict)

    def tensor_of(self, model: str) -> str:
        return self.tensor if isinstance(self.tensor, str) else self.tensor[model]


ONE = {"mlp": "4.weight", "cnn": "0.weight", "lstm": "lstm.weight_ih_l0", "gpt": "blocks.0.attention.proj.weight"}
"""A parameter of each model."""


def exactly(names: Mapping[str, str]) -> dict[str, str]:
    return {model: name.replace(".", r"\.") for model, name in names.items()}


def chosen(grads: Any) -> str:
    return next(name for name in ONE.values() if name in grads and grads[name].ndim > 1)
