"""Weights that are one parameter in the reference and two here."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from jaxgrad.parity.causes.again import remade
from jaxgrad.parity.causes.context import Context, wide
from jaxgrad.parity.causes.rule import Prediction, rule


def _cut(shape: tuple[int, ...]) -> Callable[..., Any]:
    """A function through which no gradient goes to a weight of this shape."""

    def change(torch: Any, function: Any, args: Any, kwargs: Any) -> Any:
        cut = [each.detach() if getattr(each, "is_leaf", False) and each.shape == shape else each for each in args]
        return function(*cut, **kwargs)

    return change


@rule("untied", "weights that are tied in the reference are not tied here", "grads")
def untied(context: Context) -> Iterator[Prediction]:
    """The gradients of the two are parts of the reference's one, which is their sum."""
    name = context.tensor
    for tied in context.meta.get("tied", []):
        others = [each for each in tied if each != name]
        if name not in tied:
            continue
        right, wrong = context.right("grads"), context.wrong("grads")
        shape = np.shape(right.get(name, ()))
        for where in ("linear", "embedding"):
            sentence = f"`{name}` gets no gradient from {where}, where the reference has it tied"
            yield from remade(context, {where: _cut(shape)}, sentence=sentence, tied=list(tied), missing=where)
        parts = [wide(wrong[each]) for each in others if each in wrong]
        whole = next((right[each] for each in tied if each in right), None)
        sentence = f"`{name}` is tied to {', '.join(f'`{each}`' for each in others)} in the reference only"
        if context.phase == "grads" and parts and whole is not None and name in wrong:
            rest = wide(whole) - sum(parts)
            base = {name: wide(whole)}
            yield Prediction({name: rest}, {"tied": list(tied)}, sentence, base=base)
