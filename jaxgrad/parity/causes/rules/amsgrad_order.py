"""AMSGrad's maximum taken behind the bias correction (the paper, optax) instead of before it (torch)."""

from collections.abc import Iterator

from jaxgrad.parity.causes.context import Context
from jaxgrad.parity.causes.replay import parameter_of, predicted, switched
from jaxgrad.parity.causes.rule import Prediction, rule


@rule("amsgrad_order", "AMSGrad's maximum is taken behind the bias correction", "params", "optimizer")
def amsgrad_order(context: Context) -> Iterator[Prediction]:
    """``max(v / (1 - beta2**t))``; or no maximum, or one too many."""
    if context.optimizer not in ("Adam", "AdamW"):
        return
    if context.group(parameter_of(context, context.tensor)).get("amsgrad"):
        yield from predicted(context, switched(max_order="after"), order="behind the bias correction")
        yield from predicted(context, switched(amsgrad=False), sentence="AMSGrad's maximum is missing", amsgrad=False)
    else:
        sentence = "AMSGrad is on where the reference has it off"
        yield from predicted(context, switched(amsgrad=True), sentence=sentence, amsgrad=True)
