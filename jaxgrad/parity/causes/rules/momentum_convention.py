"""The other ways to write momentum: lr inside the buffer, an average, a first step that is dampened."""

from collections.abc import Iterator

from jaxgrad.parity.causes.context import Context
from jaxgrad.parity.causes.replay import predicted, switched
from jaxgrad.parity.causes.rule import Prediction, rule


@rule("lr_inside_momentum", "the learning rate is inside the momentum buffer", "params", "optimizer")
def lr_inside_momentum(context: Context) -> Iterator[Prediction]:
    """``b <- momentum * b + lr * g``, which is another path as soon as lr changes (Keras; optax's RMSprop)."""
    if context.optimizer in ("SGD", "RMSprop"):
        yield from predicted(context, switched(convention="lr inside"), convention="lr inside the buffer")


@rule("momentum_average", "momentum is an average, (1 - momentum) * g", "params", "optimizer")
def momentum_average(context: Context) -> Iterator[Prediction]:
    """``b <- momentum * b + (1 - momentum) * g`` from zero."""
    if context.optimizer == "SGD":
        yield from predicted(context, switched(convention="average"), convention="average")


@rule("first_step_dampened", "the first step is dampened, which torch spares", "params", "optimizer")
def first_step_dampened(context: Context) -> Iterator[Prediction]:
    """torch's buffer begins as the gradient itself."""
    if context.optimizer == "SGD":
        yield from predicted(context, switched(first="dampened"), first="dampened")


@rule("dampening_missing", "dampening is missing", "params", "optimizer")
def dampening_missing(context: Context) -> Iterator[Prediction]:
    """optax has none."""
    if context.optimizer == "SGD":
        yield from predicted(context, switched(dampening=0.0), dampening=0.0)
