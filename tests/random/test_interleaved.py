"""Draws of every kind, in any order, from any seed, are torch's: values and state bytes after each."""

import jax
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jaxgrad import random
from jaxgrad.random._words import formulas
from tests.random.draws import any_draw
from tests.random.side_by_side import Pair

seeds = st.integers(-(2**63), 2**64 - 1)


def relaxed(max_examples: int) -> settings:
    return settings(max_examples=max_examples, deadline=None, suppress_health_check=list(HealthCheck))


@relaxed(60)
@given(seeds, st.lists(any_draw, min_size=1, max_size=12))
def test_any_interleaving_equals_torch(seed, draws):
    with jax.enable_x64(True):
        pair = Pair(seed)
        for ours, theirs, what in draws:
            pair.draw(ours, theirs, what)


@pytest.mark.exhaustive
@relaxed(600)
@given(seeds, st.lists(any_draw, min_size=5, max_size=30))
def test_any_long_interleaving_equals_torch(seed, draws):
    with jax.enable_x64(True):
        pair = Pair(seed)
        for ours, theirs, what in draws:
            pair.draw(ours, theirs, what)


@relaxed(30)
@given(seeds, st.lists(any_draw, min_size=1, max_size=6), st.lists(any_draw, min_size=1, max_size=6))
def test_states_travel_both_ways_in_the_middle_of_a_stream(seed, before, after):
    with jax.enable_x64(True):
        pair = Pair(seed)
        for ours, theirs, what in before:
            pair.draw(ours, theirs, what)
        pair.theirs.set_state(torch.from_numpy(pair.ours.get_state()))
        pair.ours = random.from_state(pair.theirs.get_state())
        for ours, theirs, what in after:
            pair.draw(ours, theirs, what)


def test_a_formula_wrong_by_a_thousandth_is_found(monkeypatch):
    coefficients = list(formulas._LOG)
    coefficients[-1] *= 1.001
    monkeypatch.setattr(formulas, "_LOG", tuple(coefficients))
    pair = Pair(0)
    with pytest.raises(AssertionError, match="Mismatched elements"):
        pair.draw(lambda g: random.randn(g, 64), lambda g: torch.randn(64, generator=g))
