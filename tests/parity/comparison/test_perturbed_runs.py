"""Step by step, runs from perturbed starts are made where they are needed to judge, and not elsewhere."""

import numpy as np
import pytest

from jaxgrad import func, nn, optim, parity, random, train
from jaxgrad.nn import functional as F
from jaxgrad.parity.sides.torch_run import TorchRun
from tests.support.promotion import as_written

torch = pytest.importorskip("torch", reason="the reference is not installed")

STEPS = 12
BATCHES = [
    (rng.normal(size=(16, 6)).astype(np.float32), rng.integers(0, 3, 16))
    for rng in (np.random.default_rng(seed) for seed in range(STEPS))
]


def pair(wrong_after=STEPS):
    torch.manual_seed(0)
    theirs = torch.nn.Sequential(torch.nn.Linear(6, 16), torch.nn.Tanh(), torch.nn.Linear(16, 3))
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
    rngs = nn.Rngs(random.manual_seed(0))
    ours = nn.Sequential(nn.Linear(6, 16, rngs=rngs), nn.Tanh(), nn.Linear(16, 3, rngs=rngs))
    factor = as_written(lambda step: 1.0 + 1e-4 * (step >= wrong_after))
    tx, other = optim.SGD(0.1), optim.lr_scheduler.LambdaLR(0.1, factor)
    step = train.make_train_step(train.supervised(ours, F.cross_entropy), tx, schedule=other)
    state = train.init_state(func.extract(ours)[0], tx, schedule=other)
    return parity.from_torch(theirs, F_torch.cross_entropy, optimizer, schedule), parity.from_jax(step, state)


F_torch = torch.nn.functional


@pytest.fixture
def made(monkeypatch):
    """How many steps of torch were made."""
    steps, right = [], TorchRun.step

    def counted(self, batch):
        steps.append(self)
        return right(self, batch)

    monkeypatch.setattr(TorchRun, "step", counted)
    return steps


@pytest.mark.parametrize("float64", [True, False])
def test_most_steps_need_none(float64, made):
    report = parity.compare(*pair(), BATCHES, "single", float64=float64)
    assert report.ok, report.sentence
    assert len(made) <= (2 * STEPS if float64 else STEPS + 5 * 3), len(made)


def test_all_are_made_where_a_step_is_wrong(made):
    report = parity.compare(*pair(7), BATCHES, "single", float64=False, explain_it=False)
    assert (report.first.step, report.first.phase) == (7, "lr"), report.sentence
    wrong = [each for each in report.distances if not each.ok and each.phase == "params"]
    assert {each.step for each in wrong} <= set(range(7, STEPS))
    assert len(made) >= STEPS + 3 * (STEPS - 7)
