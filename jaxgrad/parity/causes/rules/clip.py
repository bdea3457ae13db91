"""Gradients clipped in another way than ``clip_grad_norm_`` or ``clip_grad_value_`` clip them."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from jaxgrad.parity.causes.context import Context, Tensors
from jaxgrad.parity.causes.fit import fit
from jaxgrad.parity.causes.replay import Deviation, by_norm, by_value, clip_options, predicted, replay
from jaxgrad.parity.causes.rule import Prediction, rule

PHASES = ("clipped", "params", "optimizer")
Options = Mapping[str, Any]


def _clipped(clip: Callable[[Tensors, Options], Tensors]) -> Deviation:
    return Deviation(clip=clip)


def _limit(options: Options) -> float:
    return float(options.get("norm", options.get("value", 0.0)))


@rule("clip_missing", "the gradients are not clipped", *PHASES)
def clip_missing(context: Context) -> Iterator[Prediction]:
    """As they are."""
    if clip_options(context):
        yield from predicted(context, _clipped(lambda gradients, options: gradients), clip="none")


@rule("clip_without_eps", "the norm is clipped without torch's 1e-6", *PHASES)
def clip_without_eps(context: Context) -> Iterator[Prediction]:
    """``max_norm / norm`` where torch has ``max_norm / (norm + 1e-6)`` (optax)."""
    if "norm" in clip_options(context):
        yield from predicted(context, _clipped(lambda gradients, options: by_norm(gradients, options, 0.0)), eps=0.0)


@rule("clip_by_value_or_norm", "each element is clipped instead of the norm of all", *PHASES)
def clip_by_value_or_norm(context: Context) -> Iterator[Prediction]:
    """One for the other, with the same number."""
    options = clip_options(context)
    if "norm" in options:
        limit = _limit(options)
        yield from predicted(context, _clipped(lambda gradients, _: by_value(gradients, limit)), clip="by value")
    elif options:
        swapped = {"norm": _limit(options)}
        sentence = "the norm of all is clipped instead of each element"
        clip = _clipped(lambda gradients, _: by_norm(gradients, swapped))
        yield from predicted(context, clip, sentence=sentence, clip="by norm")


@rule("clip_each_tensor", "the norm of each tensor is clipped instead of the norm of all together", *PHASES)
def clip_each_tensor(context: Context) -> Iterator[Prediction]:
    """Keras' ``clipnorm``."""

    def clip(gradients: Tensors, options: Options) -> Tensors:
        return {name: by_norm({name: value}, options)[name] for name, value in gradients.items()}

    if "norm" in clip_options(context):
        yield from predicted(context, _clipped(clip), norm="of each tensor")


@rule("clip_always", "gradients below the limit are scaled up to it", *PHASES)
def clip_always(context: Context) -> Iterator[Prediction]:
    """The factor is not held below 1."""
    if "norm" in clip_options(context):
        deviation = _clipped(lambda gradients, options: by_norm(gradients, options, clamp=False))
        yield from predicted(context, deviation, clamp=False)


@rule("clip_another_norm", "another norm is clipped", *PHASES)
def clip_another_norm(context: Context) -> Iterator[Prediction]:
    """The greatest element, or the sum, for the Euclidean norm, and the reverse."""
    right = float(clip_options(context).get("norm_type", 2.0))
    if "norm" in clip_options(context):
        for kind in (2.0, float("inf"), 1.0):
            if kind != right:
                deviation = _clipped(partial(_by_another_norm, kind=kind))
                yield from predicted(context, deviation, norm_type=kind)


def _by_another_norm(gradients: Tensors, options: Options, kind: float) -> Tensors:
    return by_norm(gradients, {**options, "norm_type": kind})


@rule("clip_another_limit", "gradients are clipped at another limit", *PHASES)
def clip_another_limit(context: Context) -> Iterator[Prediction]:
    """Fitted; also a clip where the reference has none."""
    options = clip_options(context)
    key = "value" if "value" in options else "norm"

    def deviation(limit: float) -> Deviation:
        return _clipped(lambda gradients, options: by_norm(gradients, {**options, key: limit}))

    right = _limit(options)
    factors = (1e-4, 1e-3, 1e-2, 0.1, 0.3, 1, 3, 10, 100, 1000)
    found = fit(context, lambda value: replay(context, deviation(value)), [(right or 1.0) * f for f in factors])
    if found is not None and found != right:
        at = f"clipped at {found:g} " + (f"instead of {right:g}" if right else "where the reference does not clip")
        yield from predicted(context, deviation(found), sentence=f"gradients are {at}", fitted=1, limit=found)
