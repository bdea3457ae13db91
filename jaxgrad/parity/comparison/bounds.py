"""What a distance may be, and how often that is wrong."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bounds:
    r"""The largest distances that are no divergence, in units of the reference's own rounding.

    Where the candidate runs in float64 that run decides what it computes (``semantics``): rounding is a hundred million
    times smaller there, so that the bound can be wide and still see everything. Its float32 run then has to show only
    that it does not lose precision (``rounding``). A candidate that cannot be run in float64 is judged by its float32
    alone (``alone``).

    Args:
        semantics: of the float64 run.
        rounding: of the float32 run of a candidate that is right in float64.
        alone: of the float32 run of any other.
        members: how many runs of the reference from starts perturbed by one unit in the last place tell its rounding.

    >>> Bounds().false_alarms(decided=True) < 0.01
    True
    """

    semantics: float = 1000.0
    rounding: float = 1000.0
    alone: float = 30.0
    members: int = 3

    def false_alarms(self, *, decided: bool) -> float:
        r"""The rate at which two equal sides are called different, per source of rounding that could tell.

        The candidate's rounding is one more draw from what the ``members`` and the reference itself are draws of, so it
        is the largest of them with probability :math:`1 / (m + 2)`; and it is ``bound`` times as large as the largest
        of the others with a probability that falls at least as ``1 / bound`` (a kink of ReLU that one run crosses and
        the others do not is the heaviest tail that was met, and falls like that).
        """
        bound = min(self.semantics, self.rounding) if decided else self.alone
        return 1.0 / (bound * (self.members + 2))
