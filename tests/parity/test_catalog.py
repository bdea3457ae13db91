"""Every case of the catalogue against torch, in both precisions; and that the cases can fail."""

import statistics

import pytest

import jaxgrad.parity.jax_side
from jaxgrad.parity import Case, run_case
from jaxgrad.parity.catalog import CASES

pytest.importorskip("torch", reason="the reference is not installed")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(case):
    outcome = run_case(case)
    assert outcome.ok, f"{case}\n{outcome.complaint}"


def test_names_are_unique():
    assert len({str(case) for case in CASES}) == len(CASES)


def test_median_noise_is_that_of_the_reference():
    """Over a fifth of the cases the float32 results lie as near to the truth as torch's own."""
    some = [case for case in CASES if not case.error][::5]
    ratios = [ratio for case in some for ratio in run_case(case, seed=1).noise.values()]
    assert statistics.median(ratios) <= 1.5


def _planted(monkeypatch, address, wrong):
    real = jaxgrad.parity.jax_side.resolve
    monkeypatch.setattr(jaxgrad.parity.jax_side, "resolve", lambda a: wrong(real(a)) if a == address else real(a))


@pytest.mark.parametrize(
    "address", sorted({case.address for case in CASES}), ids=lambda address: address.rsplit(".", 1)[-1]
)
def test_an_error_of_a_thousandth_is_seen(monkeypatch, address):
    _planted(monkeypatch, address, lambda fn: lambda *args, **kwargs: fn(*args, **kwargs) * 1.001)
    case = next(case for case in CASES if case.address == address and not case.error)
    assert "differs by" in run_case(case).complaint


def test_a_wrong_gradient_alone_is_seen(monkeypatch):
    import jax

    def wrong(fn):
        def call(x, *rest, **kwargs):
            return fn(x * 1.001 - jax.lax.stop_gradient(0.001 * x), *rest, **kwargs)

        return call

    _planted(monkeypatch, "nn.functional.cross_entropy", wrong)
    case = next(case for case in CASES if case.address == "nn.functional.cross_entropy")
    assert "gradient" in run_case(case).complaint


def test_a_missing_error_is_seen():
    case = Case("nn.functional.relu", "no error", lambda rng: (rng.standard_normal(3),), error="torch never says this")
    assert "did not raise" in run_case(case).complaint
