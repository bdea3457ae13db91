"""Normalisation with another eps, another variance, or the running statistics."""

from collections.abc import Iterator

from jaxgrad.parity.causes.context import Context
from jaxgrad.parity.causes.fit import fit
from jaxgrad.parity.causes.layers import layer, outputs
from jaxgrad.parity.causes.rule import Prediction, rule

NORMS = ("BatchNorm", "LayerNorm", "GroupNorm", "RMSNorm")
GRID = (0.0, *(10.0**n for n in range(-12, 1)))


@rule("norm_eps", "eps of the normalisation has another value", "forward")
def norm_eps(context: Context) -> Iterator[Prediction]:
    """Fitted (torch 1e-5; flax 1e-6 for LayerNorm)."""
    found = layer(context)
    if found is None or not found.kind.startswith(NORMS):
        return

    def predict(value: float) -> dict[str, object] | None:
        out = found.out(eps=value)
        return None if out is None else {context.tensor: out}

    eps = fit(context, predict, GRID)  # type: ignore[arg-type]
    right = found.options.get("eps")
    if eps is not None and eps != right:
        sentence = f"eps of the {found.kind} is {eps:g} instead of {right if right is None else format(right, 'g')}"
        for prediction in outputs(context, NORMS, {"eps": eps}):
            yield Prediction(prediction.values, {"eps": eps, "expected": right}, sentence, fitted=1)


@rule("norm_variance", "the variance that normalises is the unbiased one", "forward")
def norm_variance(context: Context) -> Iterator[Prediction]:
    """``n - 1`` in the normalisation itself."""
    yield from outputs(context, NORMS, {"unbiased": True}, variance="unbiased")


@rule("norm_by_running_statistics", "the running statistics normalise, as in evaluation", "forward")
def norm_by_running_statistics(context: Context) -> Iterator[Prediction]:
    """``eval()`` in training."""
    yield from outputs(context, ("BatchNorm",), {"running": True}, statistics="running")
