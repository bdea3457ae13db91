"""Whole runs against torch: float64 to 1e-10 of the distance moved, float32 within torch's own rounding."""

from statistics import median

import numpy as np
import pytest

from jaxgrad import optim
from jaxgrad.parity.jax_training import JaxTrainer
from jaxgrad.parity.torch_training import TorchTrainer
from jaxgrad.parity.training import TrainingCase, Trajectories, follow

pytest.importorskip("torch", reason="the reference is not installed")

LAYERS = (("Flatten",), ("Linear", 64, 32), ("ReLU",), ("Linear", 32, 32), ("ReLU",), ("Linear", 32, 10))
CASES = [
    TrainingCase(LAYERS, optimizer="SGD", hyperparameters={"lr": 0.1}),
    TrainingCase(LAYERS, optimizer="SGD", hyperparameters={"lr": 0.05, "momentum": 0.9, "weight_decay": 1e-3}),
    TrainingCase(LAYERS, optimizer="Adam", hyperparameters={"lr": 1e-3}),
]
STEPS = 100


def digits(batch=32):
    """Real images, 1,797 of 8 x 8, and every label moves every parameter."""
    datasets = pytest.importorskip("sklearn.datasets")
    data = datasets.load_digits()
    x, y = (data.images / 16).astype(np.float32), data.target.astype(np.int64)
    starts = [(i * batch) % (len(x) - batch) for i in range(STEPS)]
    return [(x[i : i + batch], y[i : i + batch]) for i in starts]


def trajectories(case, dtype, ours=JaxTrainer, **options):
    batches, moments = digits(), (1, 10, STEPS)
    return Trajectories(
        ours=follow(ours(case, 3, dtype, **options), batches, moments),
        theirs=follow(TorchTrainer(case, 3, dtype), batches, moments),
        truth=follow(TorchTrainer(case, 3, np.float64), batches, moments),
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.optimizer} {dict(case.hyperparameters)}")
def test_float64(case):
    runs = trajectories(case, np.float64)
    assert all(runs.moved().values())
    for moment in (1, 2, 3):
        assert max(runs.relative(moment).values()) < 1e-10


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.optimizer} {dict(case.hyperparameters)}")
def test_float32(case):
    runs = trajectories(case, np.float32)
    for moment in (1, 2, 3):
        ratios = list(runs.noise(moment).values())
        assert max(ratios) <= 3.0 and median(ratios) <= 1.5, (moment, runs.noise(moment))


def test_epoch_as_a_scan_stays_too():
    runs = trajectories(CASES[2], np.float64, scan=True)
    assert max(runs.relative(3).values()) < 1e-10


class WrongRate(JaxTrainer):
    """A learning rate that is wrong by a thousandth."""

    def __init__(self, case, seed, dtype):
        wrong = {**case.hyperparameters, "lr": case.hyperparameters["lr"] * 1.001}
        super().__init__(TrainingCase(case.layers, optimizer=case.optimizer, hyperparameters=wrong), seed, dtype)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.optimizer} {dict(case.hyperparameters)}")
def test_an_error_of_a_thousandth_is_seen(case):
    wide = trajectories(case, np.float64, ours=WrongRate)
    assert min(wide.relative(1).values()) > 1e-4
    narrow = trajectories(case, np.float32, ours=WrongRate)
    assert min(narrow.noise(1).values()) > 3.0


def test_optimizers_of_the_cases_exist():
    assert all(hasattr(optim, case.optimizer) for case in CASES)
