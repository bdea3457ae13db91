"""A naive flax and optax port, changed until it is equal: each divergence is found where it is."""

import pytest

from jaxgrad.cli._lint import lint

pytest.importorskip("torch", reason="the reference is not installed")

from tests.parity.porting.fixes import FIXES, comparison, source


@pytest.mark.exhaustive
@pytest.mark.parametrize("count", range(len(FIXES)), ids=[fix.title for fix in FIXES])
def test_the_next_divergence_is_found(count):
    fix, report = FIXES[count], comparison(count, 2)
    assert (report.first.step, report.first.phase) == fix.first
    assert fix.cause is None or report.cause.name == fix.cause
    assert report.noise["explaining_failed"] == ""


@pytest.mark.exhaustive
def test_the_padding_alone_is_named():
    report = comparison(len(FIXES), 1, without=1)
    assert (report.first.phase, report.cause.name) == ("loss", "padding_same")


@pytest.mark.exhaustive
def test_in_the_end_it_is_equal():
    comparison(len(FIXES), 4).assert_ok()


def test_the_linter_tells_of_most_of_them_beforehand_and_of_none_afterwards():
    found = [{each.code for each in lint(source(count))} for count in (0, len(FIXES))]
    known = {"same-stride", "decay-before-clip", "clip-eps", "batchnorm-momentum", "batchnorm-variance"}
    assert known | {"schedule-off-by-one"} <= found[0]
    assert not [each for each in lint(source(len(FIXES))) if each.trap]
    assert found[1] <= found[0]
