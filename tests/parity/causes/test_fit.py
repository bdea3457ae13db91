"""The search of a constant."""

import pytest

from jaxgrad.parity.causes.fit import _narrowed


@pytest.mark.parametrize("low", [0.05, 0.01])
@pytest.mark.parametrize("start", [0.06, 0.15])
def test_a_plateau_does_not_lead_away_from_the_best_that_is_known(low, start):
    """A limit of clipping above the norm changes nothing, whatever it is."""
    cost = lambda limit: min(abs(limit - 0.1), 0.0665)  # noqa: E731
    assert _narrowed(cost, low, 0.5, start, cost(start)) == pytest.approx(0.1, rel=1e-6)
