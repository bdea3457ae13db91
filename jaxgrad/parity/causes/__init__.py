"""Why two runs part: known deviations, each applied to the reference's values and judged by what it leaves.

A new cause is one file in ``rules`` with the deviation and a line in ``rules/__init__.py``; a test of it is a case in
``tests/parity/causes``. A rule is never asked whether it likes the look of the numbers: it says what the candidate's
would be, and is believed if they are.
"""

from jaxgrad.parity.causes.context import Context
from jaxgrad.parity.causes.rules import RULES
from jaxgrad.parity.causes.trial import tried
from jaxgrad.parity.report.parts import Cause

__all__ = ["RULES", "Context", "explain"]


def explain(context: Context) -> Cause | None:
    """The cause of the divergence, or None.

    Args:
        context: both recordings and their first divergence.

    Returns:
        The known deviation that turns the reference's numbers into the candidate's, with what it leaves.

    >>> import numpy as np
    >>> from jaxgrad.parity.record.model import Recording, StepRecord
    >>> from jaxgrad.parity.report.parts import Divergence
    >>> right, wrong = (Recording(steps=[StepRecord(0, {"loss": {"loss": np.array(value)}})]) for value in (2.0, 1.0))
    >>> cause = explain(Context(right, wrong, Divergence(0, "loss", "loss", "differs")))
    >>> cause.name, cause.remaining
    ('half_the_square', 0.0)
    """
    return tried(context, RULES)
