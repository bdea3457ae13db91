"""Deviations of the forward pass, applied to the reference itself: its step is made again with a function changed.

This tells what the loss, the gradients and the parameters would be, also of a candidate that writes down nothing else.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from jaxgrad.parity.causes.context import Context, Tensors, wide
from jaxgrad.parity.causes.replay import Deviation, replay
from jaxgrad.parity.causes.rule import Prediction

SECONDS = 20.0
"""So long steps are made again for one explanation."""

SHOWN = ("loss", "grads")
"""What a changed step must explain beside the phase that differs first, where it was recorded."""


Changes = Mapping[str, Callable[..., Any]]
"""Name of one of torch's functions -> ``(torch, function, args, kwargs) -> result``."""


def called(context: Context) -> frozenset[str]:
    """The names of torch's functions that the reference's step calls; none where it cannot be made again."""
    if "called" not in context.memo:
        context.memo["called"] = frozenset()
        if context.again is not None and _made(context, {}) is not None:
            context.memo["called"] = frozenset(context.again.called)
    found: frozenset[str] = context.memo["called"]
    return found


def redrawn(
    context: Context, *, ahead: int = 0, generator: Tensors | None = None, sentence: str = "", **parameters: Any
) -> Iterator[Prediction]:
    """The phase that differs in a step whose random stream begins elsewhere; nothing if the step does not draw.

    Args:
        context: recordings and divergence.
        ahead: so many words further on.
        generator: the phase ``generator`` of another step.
        sentence, parameters: of the prediction.
    """
    before, after = context.before("generator").get("state"), context.right("generator").get("state")
    if before is None or after is None or np.array_equal(before, after):
        return
    record = _made(context, {}, ahead=ahead, generator=generator)
    if record is not None:
        yield from _predicted(context, record, sentence, parameters)


def remade(
    context: Context, changes: Changes, *, sentence: str = "", forward_only: bool = False, **parameters: Any
) -> Iterator[Prediction]:
    """The phase that differs in a step with changed functions; nothing if the reference does not call them.

    Args:
        context: recordings and divergence.
        changes: what is called otherwise.
        sentence, parameters: of the prediction.
        forward_only: whether the change tells nothing of the gradients.
    """
    present = {name: change for name, change in changes.items() if name in called(context)}
    record = _made(context, present) if present else None
    if record is None or (forward_only and context.phase not in ("forward", "loss")):
        return
    yield from _predicted(context, record, sentence, parameters, forward_only)


def _predicted(
    context: Context, record: Any, sentence: str, parameters: Mapping[str, Any], forward_only: bool = False
) -> Iterator[Prediction]:
    values = _phase(context, record)
    later = SHOWN if context.phase in ("forward", "loss") and not forward_only else ()
    also = {phase: _both(context, phase, record[phase]) for phase in later if phase != context.phase}
    if values:
        yield Prediction(values, parameters, sentence, also=also)


def with_arguments(names: Sequence[str], **replaced: Any) -> Callable[..., Any]:
    """A change that calls the same function with some arguments replaced.

    Args:
        names: the function's parameters, in order.
        replaced: the values; a function is given the value that was there.
    """

    def change(torch: Any, function: Any, args: Any, kwargs: Any) -> Any:
        bound = {**dict(zip(names, args, strict=False)), **kwargs}
        for name, value in replaced.items():
            bound[name] = value(bound.get(name)) if callable(value) else value
        positional = [bound.pop(name) for name in names[: len(args)]]
        return function(*positional, **bound)

    return change


def _made(context: Context, changes: Changes, **stream: Any) -> Any:
    if context.again is None:
        return None
    began = context.memo.setdefault("began", time.monotonic())
    if time.monotonic() - began > SECONDS:
        return None
    try:
        return context.again(changes, **stream)
    except (RuntimeError, TypeError, ValueError, IndexError, KeyError):
        return None  # the change does not fit what the model does with it


def _phase(context: Context, record: Any) -> Tensors | None:
    if context.phase in ("forward", "loss", "grads", "buffers"):
        return _both(context, context.phase, record[context.phase])
    if context.phase not in ("params", "optimizer", "clipped") or context.wrong("grads"):
        return None

    def gradients(context: Context, step: int) -> Tensors:
        found = record["grads"] if step == context.step else context.own("grads", step)
        return {name: wide(value) for name, value in found.items()}

    return replay(context, Deviation(gradients=gradients))


def _both(context: Context, phase: str, tensors: Tensors) -> Tensors:
    """Those that the candidate recorded too."""
    shapes = {name: np.shape(value) for name, value in context.wrong(phase).items()}
    return {name: value for name, value in tensors.items() if shapes.get(name) == np.shape(value)}
