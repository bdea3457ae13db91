"""One option of the optimizer has another value: which one and what value, solved for from the numbers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jaxgrad.parity.causes.context import Context
from jaxgrad.parity.causes.fit import DECAYS, fit
from jaxgrad.parity.causes.replay import Deviation, parameter_of, predicted, replay, switched
from jaxgrad.parity.causes.rule import Prediction, Rule, rule

BELOW_ONE = (0.0, 0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 0.9999, 0.99999)
SMALL = (0.0, *(10.0**n for n in range(-16, 0)), 1.0)
OPTIONS: Mapping[str, tuple[Sequence[float], str]] = {
    "lr": ((), "the learning rate"),
    "weight_decay": (DECAYS, "the weight decay"),
    "beta1": (BELOW_ONE, "beta1"),
    "beta2": (BELOW_ONE, "beta2"),
    "momentum": (BELOW_ONE, "the momentum"),
    "dampening": (BELOW_ONE, "the dampening"),
    "alpha": (BELOW_ONE, "alpha (the decay of the mean square)"),
    "rho": (BELOW_ONE, "rho (the decay of the mean squares)"),
    "momentum_decay": (SMALL, "momentum_decay"),
    "eps": (SMALL, "eps"),
    "lr_decay": (SMALL, "lr_decay"),
    "initial_accumulator_value": (SMALL, "the initial accumulator"),
}


def _value(right: Mapping[str, Any], option: str) -> float | None:
    if option in ("beta1", "beta2"):
        return float(right["betas"][option == "beta2"]) if "betas" in right else None
    return float(right[option]) if option in right else None


def _with(right: Mapping[str, Any], option: str, value: float) -> Mapping[str, Any]:
    if option not in ("beta1", "beta2"):
        return {**right, option: value}
    beta1, beta2 = right["betas"]
    return {**right, "betas": (value, beta2) if option == "beta1" else (beta1, value)}


def _rule(option: str) -> Rule:
    grid, spoken = OPTIONS[option]

    @rule(f"another_{option}", f"{spoken} has another value", "params", "optimizer")
    def predictions(context: Context) -> Iterator[Prediction]:
        groups = context.meta.get("optimizer", {}).get("groups", [])
        right = _value(groups[0], option) if groups else None
        if right is None:
            return

        def deviation(value: float) -> Deviation:
            if option == "lr":
                scale = value / right if right else 0.0
                return Deviation(lr=lambda lrs, step: lrs[step] * scale)
            return Deviation(options=lambda name, options: _with(options, option, value))

        points = grid or tuple(right * factor for factor in (0.0, 1e-3, 1e-2, 0.1, 0.3, 0.5, 1, 2, 3, 10, 100, 1000))
        found = fit(context, lambda value: replay(context, deviation(value)), points)
        if found is not None and found != right:
            sentence = f"{spoken} is {found:g} instead of {right:g}"
            yield from predicted(
                context, deviation(found), sentence=sentence, fitted=1, **{option: found, "expected": right}
            )

    return predictions


ANOTHER_CONSTANT = tuple(_rule(option) for option in OPTIONS)


@rule("nesterov", "Nesterov momentum is used on one side only", "params")
def nesterov(context: Context) -> Iterator[Prediction]:
    """The flag of SGD."""
    if context.optimizer == "SGD":
        flag = bool(context.group(parameter_of(context, context.tensor)).get("nesterov"))
        sentence = "Nesterov momentum is " + ("missing" if flag else "used where the reference has plain momentum")
        yield from predicted(context, switched(nesterov=not flag), sentence=sentence, nesterov=not flag)


@rule("accumulator_starts_elsewhere", "the mean square starts at 1", "params", "optimizer")
def accumulator_starts_elsewhere(context: Context) -> Iterator[Prediction]:
    """TensorFlow's RMSprop starts its mean square at 1; optax's Adagrad at 0.1."""
    if context.optimizer == "RMSprop":
        yield from predicted(context, switched(initial=1.0), initial=1.0)


__all__ = ["ANOTHER_CONSTANT", "accumulator_starts_elsewhere", "nesterov"]
