"""Adam without bias correction, or with one that float32 cannot tell from 1 - beta**t."""

from collections.abc import Iterator

from jaxgrad.parity.causes.context import Context
from jaxgrad.parity.causes.replay import predicted, switched
from jaxgrad.parity.causes.rule import Prediction, rule


@rule("bias_correction_missing", "the bias correction of the moments is missing", "params")
def bias_correction_missing(context: Context) -> Iterator[Prediction]:
    """``m / (sqrt(v) + eps)``."""
    if context.optimizer in ("Adam", "AdamW"):
        yield from predicted(context, switched(bias_correction="none"), bias_correction="none")
    if context.optimizer == "RMSprop":
        yield from predicted(
            context,
            switched(bias_correction="double"),
            sentence="the mean square has a bias correction that RMSprop has not",
            bias_correction="one too many",
        )


@rule("bias_correction_float32", "1 - beta**t is computed in float32", "params")
def bias_correction_float32(context: Context) -> Iterator[Prediction]:
    """torch computes it in double on the host; float32(0.999) is off already."""
    if context.optimizer in ("Adam", "AdamW"):
        yield from predicted(context, switched(bias_correction="float32"), bias_correction="float32")
