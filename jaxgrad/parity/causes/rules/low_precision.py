"""Products of rounded factors: TF32, bfloat16, float16."""

from collections.abc import Callable, Iterator
from typing import Any

from jaxgrad.parity.causes.again import remade
from jaxgrad.parity.causes.context import Context
from jaxgrad.parity.causes.layers import deviating
from jaxgrad.parity.causes.precision import ROUNDINGS
from jaxgrad.parity.causes.rule import Prediction, rule

CONVOLUTIONS = ("conv1d", "conv2d", "conv3d")
PRODUCTS = {
    "all products": ("linear", "matmul", "scaled_dot_product_attention", *CONVOLUTIONS),
    "linear layers": ("linear",),
    "convolutions": CONVOLUTIONS,
}
BITS = {"bfloat16": 8, "TF32 (or float16)": 11}
"""Of the mantissa, with the leading one."""


def _rounded(bits: int) -> Callable[..., Any]:
    """The first two factors rounded to so many bits."""

    def short(torch: Any, x: Any) -> Any:
        mantissa = 53 if x.dtype == torch.float64 else 24
        large = x * (2.0 ** (mantissa - bits) + 1)
        return large - (large - x)  # Veltkamp's splitting, which stays in the dtype

    def change(torch: Any, function: Any, args: Any, kwargs: Any) -> Any:
        return function(*(short(torch, each) for each in args[:2]), *args[2:], **kwargs)

    return change


@rule("low_precision", "products are of lower precision", "forward", "loss")
def low_precision(context: Context) -> Iterator[Prediction]:
    """The factors are rounded; or the result as well."""
    for where, functions in PRODUCTS.items():
        for name, bits in BITS.items():
            changes = dict.fromkeys(functions, _rounded(bits))
            sentence = f"factors of {where} are rounded to {name}"
            yield from remade(context, changes, sentence=sentence, forward_only=True, products=name, where=where)
    for name, rounded in ROUNDINGS.items():
        if name != "exact":
            for value in deviating(context, ("Linear", "Conv"), products=name):
                sentence = f"factors of products are rounded to {name}"
                yield Prediction({context.tensor: value}, {"products": name}, sentence)
                yield Prediction({context.tensor: rounded(value)}, {"products": name, "result": name}, sentence)
