"""Normalisation with another eps, another variance, or the running statistics."""

from collections.abc import Iterator

from jaxgrad.parity.causes.again import remade, with_arguments
from jaxgrad.parity.causes.context import Context, Tensors
from jaxgrad.parity.causes.fit import fit
from jaxgrad.parity.causes.layers import layer, outputs
from jaxgrad.parity.causes.rule import Prediction, rule

ANY = ("forward", "loss", "grads", "params")
USUAL = (1e-6, 1e-5, 1e-3, 1e-8, 1e-12, 1e-7, 1e-4, 0.0)
FUNCTIONS = {
    "layer_norm": ("input", "normalized_shape", "weight", "bias", "eps"),
    "batch_norm": ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps"),
    "group_norm": ("input", "num_groups", "weight", "bias", "eps"),
    "rms_norm": ("input", "normalized_shape", "weight", "eps"),
}
NORMS = ("BatchNorm", "LayerNorm", "GroupNorm", "RMSNorm")
GRID = (0.0, *(10.0**n for n in range(-12, 1)))


@rule("norm_eps", "eps of the normalisation has another value", *ANY)
def norm_eps(context: Context) -> Iterator[Prediction]:
    """Fitted (torch 1e-5; flax 1e-6 for LayerNorm)."""
    for usual in USUAL:
        changes = {name: with_arguments(names, eps=usual) for name, names in FUNCTIONS.items()}
        for name, change in changes.items():
            sentence = f"eps of {name} is {usual:g}"
            yield from remade(context, {name: change}, sentence=sentence, eps=usual)
    found = layer(context)
    if found is None or not found.kind.startswith(NORMS):
        return

    def predict(value: float) -> Tensors | None:
        out = found.out(eps=value)
        return None if out is None else {context.tensor: out}

    eps = fit(context, predict, GRID)
    right = found.options.get("eps")
    if eps is not None and eps != right:
        sentence = f"eps of the {found.kind} is {eps:g} instead of {right if right is None else format(right, 'g')}"
        for prediction in outputs(context, NORMS, {"eps": eps}):
            yield Prediction(prediction.values, {"eps": eps, "expected": right}, sentence, fitted=1)


@rule("norm_variance", "the variance that normalises is the unbiased one", "forward")
def norm_variance(context: Context) -> Iterator[Prediction]:
    """``n - 1`` in the normalisation itself."""
    yield from outputs(context, NORMS, {"unbiased": True}, variance="unbiased")


@rule("norm_by_running_statistics", "the running statistics normalise, as in evaluation", *ANY)
def norm_by_running_statistics(context: Context) -> Iterator[Prediction]:
    """``eval()`` in training."""
    change = with_arguments(FUNCTIONS["batch_norm"], training=False)
    yield from remade(context, {"batch_norm": change}, statistics="running")
    yield from outputs(context, ("BatchNorm",), {"running": True}, statistics="running")
