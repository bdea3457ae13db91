"""What may be claimed of a result, and how a claim is judged.

A claim takes our result, the reference's, and the reference's in float64 where there is one, and gives a verdict with
the measured figure in it. Nothing is judged by a tolerance chosen by hand.
"""

from dataclasses import dataclass
from typing import Any, Protocol

from jaxgrad.parity.measure import distance, noise_ratio


@dataclass(frozen=True)
class Verdict:
    """A judged claim.

    Attributes:
        figure: what was measured; None where nothing is a number.
        words: the same in words.
        ok: whether the claim holds.

    >>> Verdict(1e-3, "1.0e-03 relative", False).ok
    False
    """

    figure: float | None
    words: str
    ok: bool


class Claim(Protocol):
    """Judges one named result: anything with this method is a claim.

    >>> Exact().judge("a", "a").ok
    True
    """

    def judge(self, ours: Any, theirs: Any, truth: Any = None) -> Verdict:
        """The verdict on ``ours`` against ``theirs`` (and ``truth``, the reference in float64)."""
        ...


@dataclass(frozen=True)
class Exact:
    """Not one element differs; text must be equal.

    >>> import numpy as np
    >>> Exact().judge(np.float32([1, 2]), np.float32([1, 2])).words
    'equal'
    """

    def judge(self, ours: Any, theirs: Any, truth: Any = None) -> Verdict:
        """Equal or not, with the distance in the last place if not."""
        del truth
        if isinstance(ours, str) or isinstance(theirs, str) or ours is None or theirs is None:
            same = type(ours) is type(theirs) and ours == theirs
            return Verdict(None, "equal" if same else "differs", same)
        measured = distance(ours, theirs)
        ulp = "" if measured.ulp is None else f", {measured.ulp} ulp"
        return Verdict(
            measured.absolute, "equal" if measured.exact else f"{measured.absolute:.1e}{ulp}", measured.exact
        )


@dataclass(frozen=True)
class Relative:
    """The error relative to the norm (or to the distance moved, from ``start``) is at most ``bound``.

    Attributes:
        bound: the greatest error that is allowed.
        start: where both began, or None.

    >>> import numpy as np
    >>> Relative(1e-10).judge(np.float64(1.0), np.float64(1.0 + 1e-15)).ok
    True
    """

    bound: float = 1e-10
    start: Any = None

    def judge(self, ours: Any, theirs: Any, truth: Any = None) -> Verdict:
        """The relative error."""
        del truth
        measured = distance(ours, theirs, self.start).relative
        return Verdict(measured, "equal" if measured == 0 else f"{measured:.1e} relative", bool(measured <= self.bound))


@dataclass(frozen=True)
class Noise:
    """In float32: at most ``bound`` times as far from the float64 reference as the reference's own float32 is.

    Attributes:
        bound: the greatest ratio that is allowed.

    >>> import numpy as np
    >>> Noise().judge(np.float32(1.0), np.float32(1.0), np.float64(1.0 + 1e-8)).ok
    True
    """

    bound: float = 3.0

    def judge(self, ours: Any, theirs: Any, truth: Any = None) -> Verdict:
        """The noise ratio; equality to the reference counts as well."""
        if truth is None or distance(ours, theirs).exact:
            return Exact().judge(ours, theirs)
        ratio = noise_ratio(ours, theirs, truth)
        return Verdict(ratio, f"{ratio:.2f} x rounding", bool(ratio <= self.bound))


@dataclass(frozen=True)
class Info:
    """Shown, not judged: times, results that may differ, and parts of a result that is judged as a whole.

    Attributes:
        measured: whether the distance is shown all the same.

    >>> Info().judge(1.0, 2.0).ok
    True
    """

    measured: bool = False

    def judge(self, ours: Any, theirs: Any, truth: Any = None) -> Verdict:
        """Always holds."""
        if not self.measured:
            return Verdict(None, "", True)
        verdict = Noise().judge(ours, theirs, truth)
        return Verdict(verdict.figure, verdict.words, True)
