"""A module's output times a constant: a scale that is missing or there twice."""

from collections.abc import Iterator

import numpy as np

from jaxgrad.parity.causes.context import Context, wide
from jaxgrad.parity.causes.rule import Prediction, rule


@rule("output_factor", "the output is multiplied by a constant", "forward")
def output_factor(context: Context) -> Iterator[Prediction]:
    """Fitted, e.g. the root of the width that scales an embedding or attention."""
    right, wrong = context.right("forward").get(context.tensor), context.wrong("forward").get(context.tensor)
    if right is None or wrong is None or np.shape(right) != np.shape(wrong):
        return
    a, b = np.ravel(wide(right)), np.ravel(wide(wrong))
    if a @ a:
        factor = float(a @ b) / float(a @ a)
        sentence = f"`{context.tensor}` is multiplied by {factor:.6g}"
        yield Prediction({context.tensor: wide(right) * factor}, {"factor": float(f"{factor:.6g}")}, sentence, fitted=1)
