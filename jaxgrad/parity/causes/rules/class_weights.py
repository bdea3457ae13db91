"""Class weights that are not there, or that do not count in the mean."""

from collections.abc import Iterator

from jaxgrad.parity.causes.again import remade, with_arguments
from jaxgrad.parity.causes.context import Context
from jaxgrad.parity.causes.rule import Prediction, rule
from jaxgrad.parity.causes.rules.loss_terms import CROSS_ENTROPY, over_all


@rule("class_weights", "the classes are weighted otherwise", "loss", "grads", "params")
def class_weights(context: Context) -> Iterator[Prediction]:
    """torch's mean divides by the weights of the targets, not by their number."""
    sentence = "the mean of the loss is over the examples, not over their weights"
    yield from remade(context, {"cross_entropy": over_all(weighted=True)}, sentence=sentence, mean="over examples")
    change = with_arguments(CROSS_ENTROPY, weight=None)
    yield from remade(context, {"cross_entropy": change}, sentence="the class weights are missing", weight=None)
