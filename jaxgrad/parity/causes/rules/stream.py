"""The random stream stands elsewhere: some draws ahead or behind, or it is another stream."""

from collections.abc import Iterator

import numpy as np

from jaxgrad.parity.causes.again import redrawn
from jaxgrad.parity.causes.context import Context
from jaxgrad.parity.causes.rule import Prediction, rule

FEW = tuple(range(1, 9))
"""So many words are tried, beside as many as one draw of the step takes, or all of them."""

NEAR = 3
"""So many steps before and after are tried."""


@rule("stream_of_another_step", "the random stream stands where the reference's stands at another step", "generator")
def stream_of_another_step(context: Context) -> Iterator[Prediction]:
    """A step's draws too many or too few."""
    places = {step: context.right("generator", step) for step in context.steps}
    places[-1] = dict(context.reference.initial.get("generator", {}))
    for step, state in places.items():
        if step != context.step and context.tensor in state:
            ahead = step - context.step
            sentence = f"the random stream is {abs(ahead)} step(s) {'ahead' if ahead > 0 else 'behind'}"
            values = {name: state[name] for name in context.shared if name in state}
            yield Prediction(values, {"steps": ahead}, sentence)


def _ahead(context: Context) -> Iterator[Prediction]:
    record = context.reference.at(context.step)
    drawn = [each.after - each.before for each in record.draws] if record is not None else []
    for words in dict.fromkeys((*FEW, *drawn, sum(drawn))):
        if words > 0:
            sentence = f"the random stream is {words} word{'s' * (words > 1)} ahead"
            yield from redrawn(context, ahead=words, sentence=sentence, words=words)
    starts = {step + 1: context.right("generator", step) for step in context.steps}
    starts[0] = dict(context.reference.initial.get("generator", {}))
    for step, generator in starts.items():
        if "state" in generator and 0 < abs(step - context.step) <= NEAR:
            ahead = step - context.step
            sentence = f"the random stream is {abs(ahead)} step(s) {'ahead' if ahead > 0 else 'behind'}"
            yield from redrawn(context, generator=generator, sentence=sentence, steps=ahead)


@rule("stream_ahead", "the random stream is ahead or behind by some draws", "generator", "forward", "loss", "grads")
def stream_ahead(context: Context) -> Iterator[Prediction]:
    """Positions alone say by how many words; what was drawn says it too, from the step made again."""
    if context.phase != "generator":
        yield from _ahead(context)
        return
    right, wrong = context.right("generator"), context.wrong("generator")
    if "position" in right and "position" in wrong and "state" not in context.shared:
        words = int(np.ravel(wrong["position"])[0]) - int(np.ravel(right["position"])[0])
        sentence = f"the random stream is {abs(words)} words {'ahead' if words > 0 else 'behind'}"
        yield Prediction({"position": right["position"] + words}, {"words": words}, sentence)
