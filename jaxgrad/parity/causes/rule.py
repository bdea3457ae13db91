"""A rule: the name of a deviation, and what the candidate's numbers would be under it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jaxgrad.parity.causes.context import Context, Tensors


@dataclass(frozen=True)
class Prediction:
    """What the candidate's tensors would be, were this the deviation.

    Args:
        values: tensors of the divergence's phase and step, by name; None for one that it would not have.
        parameters: what describes the deviation, e.g. ``{"momentum": 0.9}``.
        sentence: goes on from "because"; the rule's own if empty.
        fitted: how many numbers were fitted to the candidate's.
        base: what the tensors would be without the deviation; the reference's if None.
        also: tensors of other phases that must fit as well, phase -> name -> tensor.
    """

    values: Mapping[str, Any]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    sentence: str = ""
    fitted: int = 0
    base: Tensors | None = None
    also: Mapping[str, Tensors] = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """A deviation that is looked for.

    Args:
        name: what ``report.cause.name`` will be.
        sentence: goes on from "because".
        phases: of a step, in which it can be the first to show.
        predictions: of a context; may be empty.
    """

    name: str
    sentence: str
    phases: frozenset[str]
    predictions: Callable[[Context], Iterable[Prediction]]


def rule(name: str, sentence: str, *phases: str) -> Callable[[Callable[[Context], Iterable[Prediction]]], Rule]:
    """Make a rule of the function that predicts."""

    def made(predictions: Callable[[Context], Iterable[Prediction]]) -> Rule:
        return Rule(name, sentence, frozenset(phases), predictions)

    return made
