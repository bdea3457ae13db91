"""The report as a value: JSON both ways, the sentence, what ``assert_ok`` says."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgrad.parity.report import Cause, Divergence, Draws, Report, TensorDistance
from jaxgrad.parity.report.plain import dumps, to_plain
from jaxgrad.parity.report.words import apart
from tests.parity.report.samples import diverged, equal


@pytest.mark.parametrize("report", [diverged(), equal(), Report(ok=True)], ids=["diverged", "equal", "empty"])
def test_json_both_ways(report):
    text = report.to_json()
    assert Report.from_json(text) == report
    assert Report.from_json(json.loads(text)) == report
    assert Report.from_json(Report.from_json(text).to_json()) == report


values = st.none() | st.text(max_size=9) | st.booleans() | st.integers() | st.floats() | st.complex_numbers()


@given(
    st.builds(
        TensorDistance,
        st.integers(),
        st.text(),
        st.text(),
        st.just("differs"),
        reference=values,
        candidate=values,
        ulp=st.none() | st.integers(),
        element=st.none() | st.tuples(st.integers(), st.integers()),
    )
)
def test_every_value_survives(distance):
    (found,) = Report.from_json(Report(False, distances=(distance,)).to_json()).distances
    assert repr(found) == repr(distance)  # by repr: nan is not equal to itself
    assert hash(found) is not None


def test_what_a_field_of_each_part_holds_survives():
    cause = Cause(
        "c", "s", remaining=float("inf"), parameters={"betas": [0.9, float("nan")]}, reference_source="a.py:1"
    )
    first = Divergence(
        0, "loss", "loss", "nonfinite", (), 1.0, float("nan"), module="fc", operation="aten.mm", agreeing=("x",)
    )
    report = Report(
        False, "single", 1, first, cause, draws=(Draws(0, 1, 2, ("a",), ("b", "c")),), meta={"inner": {"first": None}}
    )
    again = Report.from_json(report.to_json())
    assert repr(again) == repr(report)
    assert {each.name for each in dataclasses.fields(Report)} - json.loads(report.to_json()).keys() == {
        "distances",
        "noise",
        "environment",
        "reproduction",
    }


def test_numpy_scalars_are_numbers_and_other_things_are_refused():
    assert to_plain([np.float32(0.5), np.int64(3), np.bool_(True), np.array(2.0)]) == [0.5, 3, True, 2.0]
    with pytest.raises(TypeError, match="JSON has nothing for a object"):
        dumps({"a": object()})


@pytest.mark.parametrize(
    "what, words",
    [
        (
            Divergence(3, "params", "fc.weight", "differs", ratio=12.3),
            "at step 3 `params['fc.weight']` differs 12 times",
        ),
        (
            Divergence(0, "loss", "loss", "nonfinite", reference=0.5, candidate=float("nan")),
            "`loss` is nan where torch has 0.5",
        ),
        (Divergence(0, "grads", "b", "missing"), "`grads.b` is missing in the candidate"),
        (Divergence(0, "buffers", "n", "extra"), "`buffers.n` is in the candidate alone"),
        (
            Divergence(0, "params", "w", "dtype", reference="float32", candidate="bfloat16"),
            "is bfloat16 and should be float32",
        ),
        (
            Divergence(0, "generator", "position", "differs", ratio=float("inf"), reference=640, candidate=641),
            "is 641 where torch has 640",
        ),
    ],
)
def test_the_sentence(what, words):
    assert words in Report(False, steps=4, first=what).sentence


def test_the_sentence_names_the_cause():
    assert diverged().sentence == (
        "Equal through step 7; at step 8 `optimizer.exp_avg_sq['fc1.weight']` differs 400 times torch's own rounding, "
        "because eps is inside the root"
    )
    assert "through all 5 steps: nothing is further than 1." in equal().sentence


def test_assert_ok():
    equal().assert_ok()
    with pytest.raises(AssertionError, match="eps is inside the root"):
        diverged().assert_ok()


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_two_numbers_are_seen_apart(a, b):
    shown = apart(a, b)
    assert a == b or shown[0] != shown[1]
