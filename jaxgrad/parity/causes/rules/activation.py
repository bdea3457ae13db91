"""Another activation, or the same with another constant."""

from collections.abc import Callable, Iterator
from typing import Any

from jaxgrad.parity.causes.again import remade, with_arguments
from jaxgrad.parity.causes.context import Context, Tensors
from jaxgrad.parity.causes.fit import fit
from jaxgrad.parity.causes.layers import ACTIVATIONS, layer, outputs
from jaxgrad.parity.causes.rule import Prediction, rule

SLOPES = {"LeakyReLU": "negative_slope", "ELU": "alpha", "Softplus": "beta"}


ANY = ("forward", "loss", "grads", "params")
GELU = ("input", "approximate")
USUAL = (0.01, 0.1, 0.2, 0.3, 0.0)
FUNCTIONS = ("relu", "gelu", "silu", "tanh", "sigmoid", "leaky_relu", "elu")


def _instead(other: str) -> Callable[..., Any]:
    return lambda torch, function, args, kwargs: getattr(torch.nn.functional, other)(args[0])


@rule("gelu_tanh", "gelu is the tanh approximation", *ANY)
def gelu_tanh(context: Context) -> Iterator[Prediction]:
    """JAX's default; torch's is exact."""
    found = layer(context)
    approximate = "none" if found is None else found.options.get("approximate", "none")
    if approximate == "none":
        yield from outputs(context, ("GELU",), {"approximate": "tanh"}, approximate="tanh")
        yield from remade(context, {"gelu": with_arguments(GELU, approximate="tanh")}, approximate="tanh")
    else:
        sentence = "gelu is exact where the reference approximates by tanh"
        yield from outputs(context, ("GELU",), {"approximate": "none"}, sentence=sentence, approximate="none")


@rule("another_slope", "the activation has another constant", *ANY)
def another_slope(context: Context) -> Iterator[Prediction]:
    """Fitted (leaky_relu's slope is 0.01 in torch and JAX, 0.3 in Keras); or one of the usual ones."""
    for slope in USUAL:
        change = with_arguments(("input", "negative_slope", "inplace"), negative_slope=slope)
        sentence = f"the slope of leaky_relu is {slope}"
        yield from remade(context, {"leaky_relu": change}, sentence=sentence, negative_slope=slope)
    found = layer(context)
    name = None if found is None else SLOPES.get(found.kind)
    if found is None or name is None:
        return

    def predict(value: float) -> Tensors | None:
        out = found.out(**{name: value})
        return None if out is None else {context.tensor: out}

    value = fit(context, predict, (1e-6, 1e-3, 0.01, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 10.0))
    if value is not None and value != found.options.get(name):
        sentence = f"{name} of the {found.kind} is {value:g}"
        for prediction in outputs(context, (found.kind,), {name: value}):
            yield Prediction(prediction.values, {name: value}, sentence, fitted=1)


@rule("another_activation", "the activation is another one", *ANY)
def another_activation(context: Context) -> Iterator[Prediction]:
    """Tried one by one."""
    for own in FUNCTIONS:
        for other in FUNCTIONS:
            if other != own:
                sentence = f"the activation is {other} instead of {own}"
                yield from remade(context, {own: _instead(other)}, sentence=sentence, activation=other)
    found = layer(context)
    if found is not None and found.kind in ACTIVATIONS:
        for kind in ACTIVATIONS:
            if kind != found.kind:
                sentence = f"the activation is {kind} instead of {found.kind}"
                yield from outputs(context, (found.kind,), {"kind": kind}, sentence=sentence, activation=kind)
