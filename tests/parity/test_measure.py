"""The measure itself: known distances, and what must never pass."""

import numpy as np
import pytest

from jaxgrad.parity import Exact, Noise, Relative, distance, distances, noise_ratio


def test_distance_is_relative_to_what_was_moved():
    start, truth = np.zeros(4), np.full(4, 1e-3)
    ours = truth * (1 + 1e-6)
    assert distance(ours, truth, start).relative == pytest.approx(1e-6)
    far = distance(ours + 100, truth + 100, start + 100)
    assert far.relative == pytest.approx(1e-6, rel=1e-4)


def test_nothing_moved_and_something_differs_is_infinitely_far():
    assert distance(np.ones(3), np.zeros(3)).relative == np.inf


def test_nan_is_equal_to_nan_and_far_from_everything_else():
    nan = np.array([np.nan, 1.0])
    assert distance(nan, nan).exact
    assert distance(np.array([0.0, 1.0]), nan).relative == np.inf
    assert noise_ratio(np.float32([0, 1]), np.float32([np.nan, 1]), nan) == np.inf


def test_infinities_are_compared_by_sign():
    assert distance(np.array([np.inf]), np.array([np.inf])).exact
    assert not distance(np.array([np.inf]), np.array([-np.inf])).exact


def test_norm_does_not_overflow():
    assert distance(np.full(3, 1e200), np.full(3, 2e200)).relative == pytest.approx(0.5)


def test_noise_ratio_of_a_lucky_reference_counts_its_last_place():
    truth = np.float64(1.0)
    assert noise_ratio(np.nextafter(np.float32(1), np.float32(2)), np.float32(1), truth) == pytest.approx(1.0)
    ones, above = np.ones(4, np.float32), np.nextafter(np.ones(4, np.float32), np.float32(2))
    assert noise_ratio(above, ones, np.ones(4)) == pytest.approx(2.0)


def test_shapes_and_names_must_agree():
    with pytest.raises(ValueError, match="shapes differ"):
        distance(np.zeros(2), np.zeros(3))
    with pytest.raises(KeyError, match="names differ"):
        distances({"a": 1.0}, {"b": 1.0})


def test_claims_see_an_error_of_a_thousandth():
    theirs = np.float64([1.0, 2.0, 3.0])
    wrong = theirs * 1.001
    assert not Exact().judge(wrong, theirs).ok
    assert not Relative().judge(wrong, theirs).ok
    assert not Noise().judge(wrong.astype(np.float32), theirs.astype(np.float32), theirs).ok
    assert Relative().judge(theirs, theirs).ok


def test_text_is_compared_exactly():
    assert Exact().judge("yes", "yes").ok
    assert not Exact().judge("yes", "no").ok
    assert not Exact().judge("yes", None).ok


def test_norms_are_euclidean():
    moved = distance(np.array([4.0, 3.0]), np.zeros(2), start=np.array([5.0, -12.0]))
    assert moved.absolute == 4.0 and moved.relative == pytest.approx(5.0 / 13.0, rel=1e-12)
    assert distance(np.array([3.0 + 4.0j, 12.0]), np.zeros(2), start=np.ones(2)).absolute == 12.0
    assert distance(np.array([1.0 + 5.0j]), np.array([1.0 + 1.0j])).absolute == 4.0


def test_ulps_are_those_of_what_differs():
    one = np.ones(2, np.float32)
    above = np.array([1.0, np.nextafter(np.float32(1), np.float32(2))], np.float32)
    assert distance(above, one).ulp == 1 and distance(one, one).ulp == 0
    assert distance(above, one.astype(np.float64)).ulp is None
    nan = np.float32([np.nan, 1.0])
    assert distance(nan, -nan * np.float32([1, -1])).ulp == 0  # two nan of other bits are equal


def test_distances_start_where_they_are_told():
    ours, theirs, start = {"w": np.array([1.5])}, {"w": np.array([2.0])}, {"w": np.array([1.0])}
    assert distances(ours, theirs)["w"].relative == 0.25
    assert distances(ours, theirs, start)["w"].relative == 0.5
