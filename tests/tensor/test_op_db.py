"""PyTorch's own samples of the tensor functions: values and gradients in float64, complex where torch has it."""

import pytest

pytest.importorskip("torch", reason="the reference is not installed")
pytest.importorskip("expecttest", reason="torch's databases need it")

import torch

from jaxgrad import _tensor, linalg, special
from tests.support.op_samples import database, error_inputs, op_id, samples

ROOMS = {"linalg.": linalg, "special.": special, "": _tensor}


def found():
    for name, ops in database().items():
        prefix = next(each for each in ROOMS if name.startswith(each))
        ours = getattr(ROOMS[prefix], name.removeprefix(prefix), None)
        if ours is not None:
            yield from (pytest.param(op, ours, id=op_id(op)) for op in ops)


def zeta_differs(op):
    """Of polygamma's variants the name says nothing; the order is in the sample."""

    def reason(sample):
        order = sample.args[0] if sample.args else 0
        return "torch's zeta function below 0" if "polygamma" in op.name and order >= 2 else None

    return reason


def relaxed(case):
    """Error inputs about what has no counterpart here."""
    sample = case.sample_input
    if "out" in sample.kwargs:
        return "out="
    binary = sample.args and not isinstance(sample.args[0], torch.Tensor) and "dim" not in sample.kwargs
    if not isinstance(sample.input, torch.Tensor) or (binary and sample.input.dtype == torch.int64):
        return "numbers are taken for arrays"
    return "more axes than numpy has" if sample.input.ndim > 64 else None


CASES = list(found())


@pytest.mark.parametrize("op,ours", CASES[::3])
def test_some_samples(op, ours, x64):
    samples(op, ours, limit=3, leave_out=zeta_differs(op)).check()


@pytest.mark.exhaustive
@pytest.mark.parametrize("op,ours", CASES)
def test_many_samples(op, ours, x64):
    samples(op, ours, limit=60, leave_out=zeta_differs(op)).check()
    if torch.complex128 in op.dtypes:
        samples(op, ours, dtype=torch.complex128, limit=10).check()


@pytest.mark.parametrize("op,ours", CASES)
def test_errors(op, ours, x64):
    tally = error_inputs(op, ours, leave_out=relaxed)
    assert not tally.complaints, "\n".join(tally.complaints)


def test_enough_is_found():
    assert len(CASES) > 60
