"""eps under the root (TensorFlow's RMSprop, optax's ``eps_in_sqrt``) where torch adds it to the root."""

from collections.abc import Iterator

from jaxgrad.parity.causes.context import Context
from jaxgrad.parity.causes.replay import predicted, switched
from jaxgrad.parity.causes.rule import Prediction, rule


@rule("eps_inside_root", "eps is inside the root", "params", "optimizer")
def eps_inside_root(context: Context) -> Iterator[Prediction]:
    """``sqrt(v + eps)``; or eps added before the bias correction ("eps hat")."""
    yield from predicted(context, switched(eps_place="inside"), eps="inside the root")
    if context.optimizer == "RAdam":
        sentence = "eps is added behind the bias correction, where RAdam adds it before"
        yield from predicted(context, switched(eps_place="behind"), sentence=sentence, eps="behind the correction")
    yield from predicted(
        context,
        switched(eps_place="before correction"),
        sentence="eps is added before the bias correction (eps hat)",
        eps="before the bias correction",
    )
