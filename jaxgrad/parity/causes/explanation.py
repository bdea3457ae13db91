"""The cause of a divergence: the known deviation that explains it, if one does."""

from jaxgrad.parity.causes.context import Context
from jaxgrad.parity.causes.rules import RULES
from jaxgrad.parity.causes.trial import tried
from jaxgrad.parity.report.parts import Cause


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
