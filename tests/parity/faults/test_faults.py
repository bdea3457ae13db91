"""Planted faults: the harness names the step, the phase, the tensor and the cause."""

import re

import pytest

from jaxgrad import parity
from tests.parity.faults.corpus import PLANTED
from tests.parity.faults.port import Port, Setting, reference

SAMPLE = 17
"""Every so many-th is planted on ordinary days, all of them by ``make test-all``."""


def look(fault, model):
    setting = Setting(model, **fault.setting)
    return parity.compare(reference(setting), Port(setting, fault.parts), setting.batches())


def check(fault, model):
    report = look(fault, model)
    first = report.first
    assert first is not None, "not seen"
    assert (first.step, first.phase) == (fault.step, fault.phase), first
    assert re.fullmatch(fault.tensor_of(model), first.tensor), first
    cause = None if report.cause is None else report.cause.name
    assert cause == fault.cause, (first, report.cause)


def name(value):
    return getattr(value, "name", value).replace(" ", "-")


@pytest.mark.parametrize("fault, model", PLANTED[::SAMPLE], ids=name)
def test_a_planted_fault_is_named(fault, model):
    check(fault, model)


@pytest.mark.exhaustive
@pytest.mark.parametrize("fault, model", [each for i, each in enumerate(PLANTED) if i % SAMPLE], ids=name)
def test_every_planted_fault_is_named(fault, model):
    check(fault, model)
