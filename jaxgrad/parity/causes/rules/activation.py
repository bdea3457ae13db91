"""Another activation, or the same with another constant."""

from collections.abc import Iterator

from jaxgrad.parity.causes.context import Context
from jaxgrad.parity.causes.fit import fit
from jaxgrad.parity.causes.layers import ACTIVATIONS, layer, outputs
from jaxgrad.parity.causes.rule import Prediction, rule

SLOPES = {"LeakyReLU": "negative_slope", "ELU": "alpha", "Softplus": "beta"}


@rule("gelu_tanh", "gelu is the tanh approximation", "forward")
def gelu_tanh(context: Context) -> Iterator[Prediction]:
    """JAX's default; torch's is exact."""
    found = layer(context)
    approximate = "none" if found is None else found.options.get("approximate", "none")
    if approximate == "none":
        yield from outputs(context, ("GELU",), {"approximate": "tanh"}, approximate="tanh")
    else:
        sentence = "gelu is exact where the reference approximates by tanh"
        yield from outputs(context, ("GELU",), {"approximate": "none"}, sentence=sentence, approximate="none")


@rule("another_slope", "the activation has another constant", "forward")
def another_slope(context: Context) -> Iterator[Prediction]:
    """Fitted (leaky_relu's slope is 0.01 in torch and JAX, 0.3 in Keras)."""
    found = layer(context)
    name = None if found is None else SLOPES.get(found.kind)
    if found is None or name is None:
        return

    def predict(value: float) -> dict[str, object] | None:
        out = found.out(**{name: value})
        return None if out is None else {context.tensor: out}

    value = fit(context, predict, (1e-6, 1e-3, 0.01, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 10.0))  # type: ignore[arg-type]
    if value is not None and value != found.options.get(name):
        sentence = f"{name} of the {found.kind} is {value:g}"
        for prediction in outputs(context, (found.kind,), {name: value}):
            yield Prediction(prediction.values, {name: value}, sentence, fitted=1)


@rule("another_activation", "the activation is another one", "forward")
def another_activation(context: Context) -> Iterator[Prediction]:
    """Tried one by one."""
    found = layer(context)
    if found is not None and found.kind in ACTIVATIONS:
        for kind in ACTIVATIONS:
            if kind != found.kind:
                sentence = f"the activation is {kind} instead of {found.kind}"
                yield from outputs(context, (found.kind,), {"kind": kind}, sentence=sentence, activation=kind)
