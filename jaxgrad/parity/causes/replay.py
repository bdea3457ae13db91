"""The second half of a step with one thing wrong: gradients, clipping, lr, optimizer, parameters, from the recordings.

What came before the deviation is taken as the candidate recorded it, so that its rounding is not held against it; the
parameters are those that each step found, so that nothing adds up but what the optimizer remembers.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxgrad.parity.causes.context import Context, Tensors, thin, wide
from jaxgrad.parity.causes.rule import Prediction
from jaxgrad.parity.causes.update import UPDATES as FIRST
from jaxgrad.parity.causes.update import State
from jaxgrad.parity.causes.update_others import OTHERS
from jaxgrad.parity.record.model import PHASES, optimizer_name, split_optimizer_name

UPDATES = {**FIRST, **OTHERS}
"""By the name of torch's optimizer."""

AT_MOST = 50_000
"""So many numbers are replayed, the tensor that differs first; more would show the same."""


@dataclass(frozen=True)
class Deviation:
    """What is done otherwise; what is None is done right.

    Args:
        gradients: ``(context, step) -> gradients`` of a step, from what was recorded.
        clip: ``(gradients, options of the clipping) -> clipped gradients``.
        lr: ``(lr by recorded step, step) -> lr``.
        none_is_zero: whether a parameter without a gradient is updated as if that were 0.
        options: ``(parameter, options) -> options`` with other numbers or switches (see ``update``).
    """

    gradients: Callable[[Context, int], Tensors] | None = None
    clip: Callable[[Tensors, Mapping[str, Any]], Tensors] | None = None
    lr: Callable[[Mapping[int, float], int], float] | None = None
    options: Callable[[str, Mapping[str, Any]], Mapping[str, Any]] | None = None
    none_is_zero: bool = False


RIGHT = Deviation()


def switched(**options: Any) -> Deviation:
    """The optimizer with other numbers or switches, for all parameters."""
    return Deviation(options=lambda name, right: {**right, **options})


def predicted(
    context: Context, deviation: Deviation, *, sentence: str = "", fitted: int = 0, **parameters: Any
) -> Iterator[Prediction]:
    """The prediction of a deviation, beside what the same replay gives with nothing wrong; nothing if none can be told.

    Args:
        context: recordings and divergence.
        deviation: what is done otherwise.
        sentence, fitted, parameters: of the prediction.
    """
    values = replay(context, deviation)
    if "right" not in context.memo:
        context.memo["right"] = replay(context, RIGHT)
    if values:
        yield Prediction(values, parameters, sentence, fitted, context.memo["right"])


def replay(context: Context, deviation: Deviation) -> Tensors | None:
    """The divergence's phase under a deviation; None where it cannot be told.

    Args:
        context: recordings and divergence, in the phases from ``grads`` to ``params``.
        deviation: what is done otherwise.

    Returns:
        Tensors of the phase by name, in double precision.
    """
    step, phase = context.step, context.phase
    if _exonerated(context, deviation):
        return None
    if phase == "grads":
        return _shared(context, _gradients(context, deviation, step))
    if phase == "clipped":
        return _shared(context, _clipped(context, deviation, step))
    if phase == "lr":
        return None
    if context.optimizer not in UPDATES:
        return None
    steps = range(0 if context.from_start else step, step + 1)
    clipped = {each: _thinned_clipped(context, deviation, each) for each in steps}
    results = {name: _followed(context, deviation, name, clipped) for name in _names(context)}
    if phase == "params":
        return {name: result[0] for name, result in results.items() if result is not None}
    found: dict[str, Any] = {}
    for name, result in results.items():
        for key, value in ({} if result is None else result[1]).items():
            if value is not None and optimizer_name(key, name) in context.shared:
                found[optimizer_name(key, name)] = np.asarray(value, np.float64)
    return found


def _exonerated(context: Context, deviation: Deviation) -> bool:
    """Whether the deviation is in what the candidate recorded, right, before the phase that differs."""
    changed = {"grads": deviation.gradients, "clipped": deviation.clip, "lr": deviation.lr}
    return any(
        change is not None and PHASES.index(phase) < PHASES.index(context.phase) and context.wrong(phase)
        for phase, change in changed.items()
    )


def parameter_of(context: Context, tensor: str) -> str:
    """The parameter that a tensor of the phase is, or is of: ``"exp_avg['fc.weight']"`` -> ``"fc.weight"``."""
    return split_optimizer_name(tensor)[1] if context.phase == "optimizer" else tensor


def _names(context: Context) -> list[str]:
    names = list(dict.fromkeys(parameter_of(context, name) for name in context.shared))
    sizes = {name: np.size(value) for name, value in context.before("params").items()}
    kept: list[str] = []
    total = 0
    for name in names:
        if name in sizes and (not kept or total + sizes[name] <= AT_MOST):
            kept.append(name)
            total += sizes[name]
    return kept


def _shared(context: Context, tensors: Tensors) -> Tensors:
    return {name: tensors[name] for name in context.shared if name in tensors}


def _thinned_clipped(context: Context, deviation: Deviation, step: int) -> Tensors:
    """What the optimizer gets in a step, as far as it is looked at; the same for all that is wrong behind it."""
    if deviation.gradients is not None or deviation.clip is not None:
        return {name: thin(wide(value)) for name, value in _clipped(context, deviation, step).items()}
    known: dict[int, Tensors] = context.memo.setdefault("clipped", {})
    if step not in known:
        known[step] = {name: thin(wide(value)) for name, value in _clipped(context, RIGHT, step).items()}
    return known[step]


def _gradients(context: Context, deviation: Deviation, step: int) -> Tensors:
    if deviation.gradients is not None:
        return deviation.gradients(context, step)
    return {name: wide(value) for name, value in context.own("grads", step).items()}


def _clipped(context: Context, deviation: Deviation, step: int) -> Tensors:
    as_recorded = deviation.gradients is None and deviation.clip is None
    # behind the divergence the reference's clipped gradients are of other parameters: the candidate's own are clipped
    made = bool(clip_options(context) and context.wrong("grads", step)) and not context.wrong("clipped", step)
    if as_recorded and not made and PHASES.index(context.phase) > PHASES.index("clipped"):
        recorded = gradients_only(context.own("clipped", step), context.right("grads", step))
        if recorded:
            return {name: wide(value) for name, value in recorded.items()}
    gradients = _gradients(context, deviation, step)
    options = clip_options(context)
    if deviation.clip is not None:
        return deviation.clip(gradients, options)
    return by_norm(gradients, options) if options else gradients


def gradients_only(tensors: Tensors, like: Tensors) -> Tensors:
    """The tensors that are gradients (the norm is recorded beside them)."""
    return {name: value for name, value in tensors.items() if name in like}


def clip_options(context: Context) -> Mapping[str, Any]:
    """How the reference clips: ``norm`` and ``norm_type``, or ``value``; empty if it does not, or by a function."""
    clip = context.meta.get("clip")
    if isinstance(clip, Mapping):
        return clip
    return {"norm": float(clip)} if isinstance(clip, int | float) else {}


def by_norm(gradients: Tensors, options: Mapping[str, Any], eps: float = 1e-6, clamp: bool = True) -> Tensors:
    """``clip_grad_norm_``: all gradients times ``max_norm / (norm + 1e-6)``, if that is below 1."""
    if "norm" not in options:
        return by_value(gradients, float(options["value"]))
    kind = float(options.get("norm_type", 2.0))
    total = total_norm(gradients.values(), kind)
    factor = float(options["norm"]) / (total + eps) if total + eps else np.inf
    factor = min(factor, 1.0) if clamp else factor
    return {name: value * factor for name, value in gradients.items()}


def by_value(gradients: Tensors, value: float) -> Tensors:
    """``clip_grad_value_``: each element on its own."""
    return {name: np.clip(gradient, -value, value) for name, gradient in gradients.items()}


def total_norm(gradients: Iterable[Any], kind: float = 2.0) -> float:
    """The norm of all gradients together."""
    norms = [float(np.linalg.norm(np.ravel(each), kind)) for each in gradients]
    return float(np.linalg.norm(norms, kind)) if norms else 0.0


def _followed(
    context: Context, deviation: Deviation, name: str, clipped: Mapping[int, Tensors]
) -> tuple[Any, State] | None:
    """One parameter and its state behind the step, from the states that the deviation itself made before."""
    update, right, lrs = UPDATES[context.optimizer], context.group(name), context.lrs(name)
    options = right if deviation.options is None else deviation.options(name, right)
    factor = options["lr"] / right["lr"] if right.get("lr") else 1.0
    state = {} if context.from_start else _recorded_state(context, name)
    count = 0 if context.from_start else int(np.ravel(state.get("step", context.step))[0])
    value: Any = None
    for step, gradients in clipped.items():
        gradient, value = gradients.get(name), context.own_before("params", step).get(name)
        if value is None:
            return None
        if gradient is None and deviation.none_is_zero:
            gradient = np.zeros_like(value)
        if gradient is None:
            continue
        count += 1
        lr = lrs[step] if deviation.lr is None else deviation.lr(lrs, step)
        value, state = update(wide(value), wide(gradient), state, count, {**options, "lr": lr * factor})
    return wide(value), state


def _recorded_state(context: Context, name: str) -> State:
    named = {split_optimizer_name(key): wide(value) for key, value in context.before("optimizer").items()}
    return {key: value for (key, parameter), value in named.items() if parameter == name}
