"""Weights that are one parameter in the reference and two here."""

from collections.abc import Iterator

from jaxgrad.parity.causes.context import Context, wide
from jaxgrad.parity.causes.rule import Prediction, rule


@rule("untied", "weights that are tied in the reference are not tied here", "grads", "params")
def untied(context: Context) -> Iterator[Prediction]:
    """The gradients of the two are parts of the reference's one, which is their sum."""
    name = context.tensor
    for tied in context.meta.get("tied", []):
        others = [each for each in tied if each != name]
        if name not in tied:
            continue
        right, wrong = context.right("grads"), context.wrong("grads")
        parts = [wide(wrong[each]) for each in others if each in wrong]
        whole = next((right[each] for each in tied if each in right), None)
        sentence = f"`{name}` is tied to {', '.join(f'`{each}`' for each in others)} in the reference only"
        if context.phase == "grads" and parts and whole is not None and name in wrong:
            rest = wide(whole) - sum(parts)
            base = {name: wide(whole)}
            yield Prediction({name: rest}, {"tied": list(tied)}, sentence, base=base)
