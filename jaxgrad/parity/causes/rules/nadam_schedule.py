"""NAdam without its schedule of the momentum."""

from collections.abc import Iterator

from jaxgrad.parity.causes.context import Context
from jaxgrad.parity.causes.replay import predicted, switched
from jaxgrad.parity.causes.rule import Prediction, rule


@rule("nadam_schedule", "NAdam's momentum has no schedule (momentum_decay)", "params")
def nadam_schedule(context: Context) -> Iterator[Prediction]:
    """``beta1`` where torch has ``beta1 * (1 - 0.5 * 0.96**(t * momentum_decay))`` (optax)."""
    if context.optimizer == "NAdam":
        yield from predicted(context, switched(momentum_schedule="none"), momentum_schedule="none")
