"""The reference's step made once more, from where it stood, with some of torch's functions called otherwise."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from jaxgrad.parity.record.model import START_PHASES, Recording, StepRecord, Tensors

Change = Callable[..., Any]
"""``(torch, function, args, kwargs) -> result``."""


class Changed(TorchFunctionMode):
    """While it is on, torch's functions of these names are called by somebody else.

    Args:
        changes: name of the function -> what calls it.

    Attributes:
        called: the names of all functions that were called.
    """

    def __init__(self, changes: Mapping[str, Change]):
        super().__init__()
        self.changes = changes
        self.called: set[str] = set()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        self.called.add(name)
        change = self.changes.get(name)
        return func(*args, **(kwargs or {})) if change is None else change(torch, func, args, kwargs or {})


class TorchAgain:
    """``again(changes)`` makes one step of a torch side again; None if its batch cannot be put together.

    Args:
        side: of ``from_torch``.
        recording: of a run of it, in the precision that is asked for.
        step: which.
        float64: whether the recording is in double precision.

    Attributes:
        called: the names of torch's functions that the last step called.
    """

    def __init__(self, side: Any, recording: Recording, step: int, *, float64: bool):
        self.side, self.recording, self.step, self.float64 = side, recording, step, float64
        self.called: set[str] = set()

    def __call__(
        self, changes: Mapping[str, Change], *, ahead: int = 0, generator: Tensors | None = None
    ) -> StepRecord | None:
        """The step with some functions called otherwise.

        Args:
            changes: the functions.
            ahead: words of the random stream that are drawn before the step.
            generator: a phase ``generator`` to begin with, instead of the recorded one.
        """
        record = self.recording.at(self.step)
        batch = None if record is None else _batch(record["inputs"])
        if batch is None:
            return None
        run = self.side.start(float64=self.float64)
        start = {phase: self.recording.before(self.step, phase) for phase in START_PHASES}
        run.restore({**start, "generator": _advanced(generator or start["generator"], ahead)})
        changed = Changed(changes)
        with ExitStack() as stack:
            stack.enter_context(changed)
            found: StepRecord = run.step(batch)
        self.called = changed.called
        return found


def _advanced(generator: Tensors, words: int) -> Tensors:
    """A stream from which some numbers of one word each have been drawn."""
    if "state" not in generator or not words:
        return generator
    stream = torch.Generator()
    stream.set_state(torch.from_numpy(np.array(generator["state"], np.uint8)))
    torch.rand(words, generator=stream, dtype=torch.float32)
    return {"state": stream.get_state().numpy()}


def _batch(inputs: Tensors) -> Any:
    """A batch from what was recorded of it; None if it was a nesting."""
    if not inputs or any("." in name for name in inputs):
        return None
    if all(name.isdecimal() for name in inputs):
        return tuple(inputs[str(index)] for index in range(len(inputs)))
    return dict(inputs)
