"""Class weights that are not there, or that do not count in the mean."""

from collections.abc import Iterator
from typing import Any

from jaxgrad.parity.causes.again import remade, with_arguments
from jaxgrad.parity.causes.context import Context
from jaxgrad.parity.causes.rule import Prediction, rule
from jaxgrad.parity.causes.rules.loss_terms import CROSS_ENTROPY


def _over_rows(torch: Any, function: Any, args: Any, kwargs: Any) -> Any:
    bound = {**dict(zip(CROSS_ENTROPY, args, strict=False)), **kwargs, "reduction": "none"}
    return function(**bound).mean()


@rule("class_weights", "the classes are weighted otherwise", "loss", "grads", "params")
def class_weights(context: Context) -> Iterator[Prediction]:
    """torch's mean divides by the weights of the targets, not by their number."""
    sentence = "the mean of the loss is over the examples, not over their weights"
    yield from remade(context, {"cross_entropy": _over_rows}, sentence=sentence, mean="over examples")
    change = with_arguments(CROSS_ENTROPY, weight=None)
    yield from remade(context, {"cross_entropy": change}, sentence="the class weights are missing", weight=None)
