"""Another batch, the same rows in another order, other units."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from jaxgrad.parity.causes.context import Context, wide
from jaxgrad.parity.causes.rule import Prediction, rule


@rule("another_batch", "the batch is that of another step", "inputs")
def another_batch(context: Context) -> Iterator[Prediction]:
    """Found among the recorded ones."""
    for step in context.steps:
        batch = context.right("inputs", step)
        if step != context.step and context.tensor in batch:
            ahead = step - context.step
            sentence = f"the batch is that of step {step}, {abs(ahead)} " + ("ahead" if ahead > 0 else "behind")
            values = {name: wide(batch[name]) for name in context.shared if name in batch}
            yield Prediction(values, {"step": step}, sentence)


@rule("rows_in_another_order", "the batch has the same rows in another order", "inputs")
def rows_in_another_order(context: Context) -> Iterator[Prediction]:
    """One order for all arrays of the batch."""
    right, wrong = context.right("inputs"), context.wrong("inputs")
    name = max(context.shared, key=lambda each: np.size(right[each]), default=None)
    if name is None or np.ndim(right[name]) < 1:
        return
    rows = {np.ascontiguousarray(row).tobytes(): index for index, row in enumerate(right[name])}
    order = [rows.get(np.ascontiguousarray(row).tobytes()) for row in wrong[name]]
    if len(rows) > 1 and None not in order:
        index = np.array(order, int)
        values = {each: wide(right[each])[index] for each in context.shared if np.shape(right[each])[:1] == index.shape}
        yield Prediction(values, {"order": index.tolist()[:32]})


@rule("axes_swapped", "two axes of the inputs are exchanged", "inputs")
def axes_swapped(context: Context) -> Iterator[Prediction]:
    """Height and width, or time and batch where they are alike."""
    right = context.right("inputs")[context.tensor]
    for first, second in combinations(range(np.ndim(right)), 2):
        swapped = np.swapaxes(right, first, second)
        if swapped.shape == np.shape(right):
            sentence = f"axes {first} and {second} of the inputs are exchanged"
            yield Prediction({context.tensor: wide(swapped)}, {"axes": [first, second]}, sentence)


@rule("inputs_in_other_units", "the inputs are scaled or shifted", "inputs")
def inputs_in_other_units(context: Context) -> Iterator[Prediction]:
    """``a * x + b``, fitted: not divided by 255, or normalised on one side only."""
    right, wrong = context.right("inputs")[context.tensor], context.wrong("inputs")[context.tensor]
    if np.shape(right) != np.shape(wrong) or np.asarray(right).dtype.kind not in "fu" or len(np.unique(right)) < 5:
        return
    x, y = np.ravel(wide(right)), np.ravel(wide(wrong))
    centred = x - x.mean()
    if centred @ centred:
        a = float(centred @ (y - y.mean())) / float(centred @ centred)
        b = float(y.mean() - a * x.mean())
        sentence = f"the inputs are {a:.6g} * x + {b:.6g}"
        yield Prediction({context.tensor: a * wide(right) + b}, {"scale": a, "shift": b}, sentence, fitted=2)
