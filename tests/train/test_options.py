"""Every option of the step alone and in pairs, beside the loop that one writes in torch, in float64."""

from itertools import combinations

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad import func, nn, optim, random, train
from jaxgrad.nn import functional as F
from jaxgrad.optim import swa_utils

torch = pytest.importorskip("torch", reason="the reference is not installed")

STEPS, MICRO, ROWS = 5, 2, 4
RATES = [0.3, 0.05, 0.2, 0.1, 0.4]


def layers(nn, **rngs):
    return nn.Linear(5, 6, **rngs), nn.ReLU(), nn.Dropout(0.25), nn.Linear(6, 3, **rngs)


def data():
    rng = np.random.default_rng(1)
    x = 3 * rng.standard_normal((STEPS, MICRO, ROWS, 5))
    y = rng.integers(0, 3, (STEPS, MICRO, ROWS))
    x[2, 0, 0, 0] = np.inf  # the third step has gradients that are not finite
    return x, y


OPTIONS = {
    "plain": {},
    "accumulate": {"accumulate": MICRO},
    "clip_grad_norm": {"clip_grad_norm": 0.5},
    "clip_grad_value": {"clip_grad_value": 0.02},
    "schedule": {"schedule": True},
    "average": {"average": True},
    "skip_nonfinite": {"skip_nonfinite": True},
    "lr": {"lr": True},
}


def in_torch(options, x, y):
    torch.manual_seed(0)
    model = torch.nn.Sequential(*layers(torch.nn)).double()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.5, total_steps=20) if "schedule" in options else None
    averaged = torch.optim.swa_utils.AveragedModel(model, avg_fn=torch.optim.swa_utils.get_ema_avg_fn(0.8))
    seen = []
    for i in range(STEPS):
        micro = [(x[i, k], y[i, k]) for k in range(MICRO)] if "accumulate" in options else [(x[i, 0], y[i, 0])]
        optimizer.zero_grad()
        total = 0.0
        for inputs, targets in micro:
            loss = torch.nn.functional.cross_entropy(model(torch.tensor(inputs)), torch.tensor(targets)) / len(micro)
            loss.backward()
            total += loss.item()
        norm = None
        if "clip_grad_norm" in options:
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5).item()
        if "clip_grad_value" in options:
            torch.nn.utils.clip_grad_value_(model.parameters(), 0.02)
        kept = [group["lr"] for group in optimizer.param_groups]
        if "lr" in options:
            optimizer.param_groups[0]["lr"] = RATES[i]
        finite = all(torch.isfinite(p.grad).all() for p in model.parameters())
        if finite or "skip_nonfinite" not in options:
            optimizer.step()
        optimizer.param_groups[0]["lr"] = kept[0]
        if schedule is not None:
            schedule.step()
        averaged.update_parameters(model)
        group = optimizer.param_groups[0]
        values = {name: value.numpy().copy() for name, value in model.state_dict().items()}
        seen.append((total, norm, group["lr"], group["momentum"], values))
    average = {name: value.numpy() for name, value in averaged.module.state_dict().items()}
    return seen, average, torch.get_rng_state().numpy()


def in_jax(options, x, y):
    rngs = nn.Rngs(random.manual_seed(0))
    model = nn.Sequential(*layers(nn, rngs=rngs))
    params = func.cast(func.extract(model)[0], jnp.float64)
    tx = optim.SGD(0.1, momentum=0.9)
    settings = {name: value for option in options for name, value in OPTIONS[option].items() if name != "lr"}
    held = {}
    if "schedule" in options:
        settings["schedule"] = held["schedule"] = optim.lr_scheduler.OneCycleLR(0.1, 0.5, total_steps=20)
    if "average" in options:
        average = swa_utils.AveragedModel(params, avg_fn=swa_utils.get_ema_avg_fn(0.8))
        settings["average"] = held["average"] = average
    step = train.make_train_step(train.supervised(model, F.cross_entropy), tx, **settings)
    state = train.init_state(params, tx, generator=rngs.generator, **held)
    seen = []
    for i in range(STEPS):
        batch = (x[i], y[i]) if "accumulate" in options else (x[i, 0], y[i, 0])
        state, metrics = step(state, batch, lr=RATES[i] if "lr" in options else None)
        group = optim.get_hyperparams(state)[0]
        norm = float(metrics["grad_norm"]) if "clip_grad_norm" in options else None
        values = {name: np.asarray(value) for name, value in state.params.items()}
        seen.append((float(metrics["loss"]), norm, group["lr"], group["momentum"], values))
        if "skip_nonfinite" in options:
            assert bool(metrics["skipped"]) == (i == 2 or (i > 2 and "poisoned" in options))
    assert step._cache_size() == 1
    return seen, state.average and state.average.module, state.generator.get_state()


def compare(options, finite):
    x, y = data()
    if finite:
        x[2, 0, 0, 0] = 1.0
    mine, average, stream = in_jax(options, x, y)
    yours, expected_average, expected_stream = in_torch(options, x, y)
    for (*numbers, values), (*expected_numbers, expected) in zip(mine, yours, strict=True):
        for number, expected_number in zip(numbers, expected_numbers, strict=True):
            if expected_number is not None:
                np.testing.assert_allclose(number, expected_number, rtol=1e-12)
        assert list(values) == list(expected)
        for name, value in values.items():
            np.testing.assert_allclose(value, expected[name], rtol=1e-10, atol=1e-13)
    if average is not None:
        for name, value in average.items():
            np.testing.assert_allclose(value, expected_average[name], rtol=1e-10, atol=1e-13)
    np.testing.assert_array_equal(stream, expected_stream)


@pytest.mark.parametrize("option", OPTIONS)
def test_alone(x64, option):
    compare((option,), finite=option != "skip_nonfinite")


PAIRS = list(combinations([name for name in OPTIONS if name != "plain"], 2))


@pytest.mark.exhaustive
@pytest.mark.parametrize("pair", PAIRS, ids="+".join)
def test_in_pairs(x64, pair):
    compare(pair, finite="skip_nonfinite" not in pair)


def test_all_together(x64):
    compare(tuple(name for name in OPTIONS if name != "plain"), finite=False)
