"""Products of rounded factors: TF32, bfloat16, float16."""

from collections.abc import Iterator

from jaxgrad.parity.causes.context import Context
from jaxgrad.parity.causes.layers import deviating
from jaxgrad.parity.causes.precision import ROUNDINGS
from jaxgrad.parity.causes.rule import Prediction, rule


@rule("low_precision", "products are of lower precision", "forward")
def low_precision(context: Context) -> Iterator[Prediction]:
    """The factors are rounded; or the result as well."""
    for name, rounded in ROUNDINGS.items():
        if name != "exact":
            for value in deviating(context, ("Linear", "Conv"), products=name):
                sentence = f"factors of products are rounded to {name}"
                yield Prediction({context.tensor: value}, {"products": name}, sentence)
                yield Prediction({context.tensor: rounded(value)}, {"products": name, "result": name}, sentence)
