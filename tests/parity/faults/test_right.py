"""Correct pairs, of which nothing is to be said: models, optimizers, seeds and dtypes."""

import pytest

from jaxgrad import parity
from tests.parity.faults.models import MODELS
from tests.parity.faults.port import Port, Setting, reference

TRAINED = {
    "sgd": {"optimizer": "SGD", "options": {"lr": 0.1}},
    "nesterov": {"optimizer": "SGD", "options": {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}},
    "adam": {"optimizer": "Adam", "options": {"lr": 1e-2, "weight_decay": 0.1}},
    "adamw": {"optimizer": "AdamW", "options": {"lr": 1e-2, "betas": (0.8, 0.95)}},
    "rmsprop": {"optimizer": "RMSprop", "options": {"lr": 1e-3, "momentum": 0.5}},
    "clipped": {"optimizer": "AdamW", "options": {"lr": 1e-2}, "clip": 0.1},
    "scheduled": {"optimizer": "SGD", "options": {"lr": 0.1, "momentum": 0.9}, "lrs": (0.1, 0.05, 0.025, 0.0125)},
}
SETTINGS = [
    Setting(model, dtype=dtype, seed=seed, **options)
    for model in MODELS
    for options in TRAINED.values()
    for seed in (0, 1)
    for dtype in ("float32", "float64")
]
SAMPLE = 19


def check(setting):
    report = parity.compare(reference(setting), Port(setting), setting.batches())
    assert report.ok, report.sentence


def name(setting):
    trained = next(name for name, each in TRAINED.items() if each["options"] == setting.options)
    return f"{setting.model}-{trained}-{setting.seed}-{setting.dtype}"


def test_there_are_a_hundred():
    assert len(set(map(name, SETTINGS))) == len(SETTINGS) >= 100


@pytest.mark.parametrize("setting", SETTINGS[::SAMPLE], ids=name)
def test_a_right_pair_is_right(setting):
    check(setting)


@pytest.mark.exhaustive
@pytest.mark.parametrize("setting", [each for i, each in enumerate(SETTINGS) if i % SAMPLE], ids=name)
def test_every_right_pair_is_right(setting):
    check(setting)
