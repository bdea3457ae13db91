"""What is asked of a tensor does not depend on how it is cut."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad.parity.comparison import sums as room
from jaxgrad.parity.comparison.measure import Measured, measure, spread
from jaxgrad.parity.record.model import StepRecord

ODD = st.sampled_from([np.nan, np.inf, -np.inf, 0.0, 1e140, 1e-140, 7.0])


def asked(sides, patch):
    """The measures of one tensor, whole or cut."""
    candidate, reference, centre, start = ({"w": each} for each in sides)
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in patch.items():
            monkeypatch.setattr(room, name, value)
        found = measure(candidate, reference, centre, ["w"], {"w": (1e-9, 1e-12)}, start)
        one, other = (StepRecord(0, {"grads": each}) for each in (reference, candidate))
        return found, spread(one, StepRecord(0, {"grads": centre}), [other])["grads"]["w"]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 999), st.lists(st.tuples(st.integers(0, 3), st.integers(0, 499), ODD), max_size=4))
def test_parts_are_the_whole(seed, odd):
    rng = np.random.default_rng(seed)
    centre = rng.normal(size=(50, 10))
    sides = [centre + 1e-7 * rng.normal(size=centre.shape), centre.astype(np.float32), centre, centre - 1]
    for side, place, value in odd:
        with np.errstate(over="ignore"):
            sides[side].reshape(-1)[place] = value
    whole, of_runs = asked(sides, {})
    parts, of_parts = asked(sides, {"TOGETHER": 64, "_PART": 37})
    for each in fields(Measured):
        np.testing.assert_allclose(
            *(np.asarray(getattr(found, each.name) if each.name != "names" else 0) for found in (parts, whole)),
            rtol=1e-12,
            err_msg=each.name,
        )
    np.testing.assert_allclose(of_parts, of_runs, rtol=1e-12)
