"""What is written down of a training run: its start, and every step in phases.

A step goes through phases in the order of a PyTorch loop, and a tensor has a name within its phase:

==============  =====================================================================================================
``inputs``      the batch: ``"0"``, ``"1"``, ... or the keys of a dict
``forward``     the output of each module by its path, in the order in which they finish; the whole model is ``model``;
                several outputs are ``path#0``, ``path#1``; the second call of a module is ``path@1``
``loss``        ``loss``
``grads``       gradients by parameter, as ``backward()`` (and ``unscale_``) left them; none where ``.grad`` is None
``clipped``     ``total_norm`` before the clipping, and the clipped gradients by parameter
``lr``          the learning rate of this step: ``lr``, or ``lr[0]``, ``lr[1]`` with several groups
``optimizer``   what the optimizer remembers after the step: ``exp_avg['fc1.weight']``
``params``      parameters after the step
``buffers``     buffers after the step
``scaler``      ``scale`` and ``growth_tracker`` after the step
``generator``   ``state`` (the bytes of torch's generator) and ``position`` (words used of its block) after the step
==============  =====================================================================================================
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

PHASES = (
    "inputs",
    "forward",
    "loss",
    "grads",
    "clipped",
    "lr",
    "optimizer",
    "params",
    "buffers",
    "scaler",
    "generator",
)
"""In the order in which they happen."""

MODULE_INPUTS = "module_inputs"
"""Beside the phases: what went into each module, ``path#0``, ``path#1``, where that was asked for."""

STATE = "state"
"""Beside the phases: the arrays of a candidate's state by path, before it is known which is which."""

OPTIMIZER_STATE = "optimizer_state"
"""The same of those in the states of optax's transformations."""

START_PHASES = ("optimizer", "params", "buffers", "generator")
"""What there is before step 0."""

Tensors: TypeAlias = Mapping[str, np.ndarray]
"""Arrays by name; a number is an array without axes."""


@dataclass(frozen=True)
class StepRecord(Mapping[str, Tensors]):
    """One step: ``record["grads"]["fc1.weight"]``; a phase that was not recorded is an empty dict.

    Attributes:
        step: its number, from 0.
        phases: phase -> name -> array.
        draws: what drew from the random stream in this step, in order, where that is known.

    >>> record = StepRecord(0, {"loss": {"loss": np.array(2.0)}})
    >>> float(record["loss"]["loss"]), dict(record["grads"]), list(record)
    (2.0, {}, ['loss'])
    """

    step: int
    phases: Mapping[str, Tensors]
    draws: tuple["Draw", ...] = ()

    def __getitem__(self, phase: str) -> Tensors:
        return self.phases.get(phase, {})

    def __contains__(self, phase: object) -> bool:
        return phase in self.phases

    def __iter__(self) -> Any:
        return iter(self.phases)

    def __len__(self) -> int:
        return len(self.phases)

    def overflowed(self) -> bool:
        """Whether its gradients are not finite, which a scaler takes for a step to skip.

        >>> grads = {"w": np.array([1.0, np.inf])}
        >>> StepRecord(0, {"grads": grads, "scaler": {"scale": np.array(2.0)}}).overflowed()
        True
        >>> StepRecord(0, {"grads": grads}).overflowed()
        False
        """
        return bool(self["scaler"]) and not all(np.isfinite(array).all() for array in self["grads"].values())

    def size(self) -> int:
        """The bytes of its arrays."""
        return sum(array.nbytes for tensors in self.phases.values() for array in tensors.values())


@dataclass(frozen=True)
class Draw:
    """One draw from the random stream.

    Attributes:
        operation: the operation that drew, ``bernoulli_``.
        module: the path of the module that it happened in.
        source: ``file.py:12  the line``, where it is known.
        before, after: words used of the stream's block of 624.

    >>> Draw("bernoulli_", "drop", "", 0, 32).after
    32
    """

    operation: str
    module: str
    source: str
    before: int
    after: int


Spread: TypeAlias = Mapping[str, Mapping[str, tuple[float, float]]]
"""Phase -> tensor -> how far the reference's own runs are from its centre: Euclidean norm, largest element."""

Noise: TypeAlias = tuple[Spread, Spread]
"""The spread of the runs as they are, and of those in float64."""


@dataclass(frozen=True)
class Recording:
    """A run: how it began, its steps, and what kind of run it was.

    Attributes:
        initial: before step 0, the phases of ``START_PHASES``.
        steps: the steps in order; those of a file are read when they are looked at. A comparison that is short of
            memory keeps some of them only: ask ``at(step)``.
        meta: JSON-able. ``optimizer``: ``{"class": "AdamW", "groups": [{"params": [...], "lr": ..., ...}]}`` with
            torch's names of options; ``modules``: ``{path: {"class": "Conv2d", "options": {"stride": [1, 1]}}}``;
            ``tied``: lists of names of one parameter; ``clip``, ``accumulate``, ``scheduler``, ``versions``,
            ``device``, ``dtype``; ``source``: ``{path or tensor: "file.py:123 line of code"}``.
        float64: the same run in double precision, from the same numbers; None where it was not made.
        noise: of each step, the spreads of the reference's own runs; empty for a side that is only to be judged.

    >>> run = Recording({}, [StepRecord(0, {}), StepRecord(1, {})], {"dtype": "float32"})
    >>> run.at(1).step, run.at(7)
    (1, None)
    """

    initial: Mapping[str, Tensors] = field(default_factory=dict)
    steps: Sequence[StepRecord] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)
    float64: "Recording | None" = None
    noise: Sequence[Noise] = ()

    def at(self, step: int) -> StepRecord | None:
        """The record of a step, or None if there is none."""
        if step < len(self.steps) and self.steps[step].step == step >= 0:
            return self.steps[step]
        return next((record for record in self.steps if record.step == step), None)

    def before(self, step: int, phase: str) -> Tensors:
        """A phase as it was when a step began: after the step before, or at the start."""
        record = self.at(step - 1) if step > 0 else None
        return self.initial.get(phase, {}) if record is None else record[phase]


def module_name(path: str, call: int = 0) -> str:
    """The name of a module's output in the phase ``forward``.

    >>> module_name(""), module_name("fc1"), module_name("fc1", 1)
    ('model', 'fc1', 'fc1@1')
    """
    name = path or "model"
    return f"{name}@{call}" if call else name


def optimizer_name(key: str, parameter: str) -> str:
    """The name of one tensor of an optimizer's state.

    >>> optimizer_name("exp_avg", "fc1.weight")
    "exp_avg['fc1.weight']"
    """
    return f"{key}[{parameter!r}]"


def split_optimizer_name(name: str) -> tuple[str, str]:
    """The other way: torch's key, and the parameter.

    >>> split_optimizer_name("exp_avg['fc1.weight']")
    ('exp_avg', 'fc1.weight')
    """
    key, _, rest = name.partition("[")
    return key, rest[1:-2]


def in_backward_order(names: Iterable[str]) -> list[str]:
    """Parameters as a backward pass comes to them: the last module's first.

    >>> in_backward_order(["a.weight", "a.bias", "b.weight"])
    ['b.weight', 'a.weight', 'a.bias']
    """
    modules: dict[str, list[str]] = {}
    for name in names:
        modules.setdefault(name.rpartition(".")[0], []).append(name)
    return [name for module in reversed(modules.values()) for name in module]
