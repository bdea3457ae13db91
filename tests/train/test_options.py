"""Every option of the step alone, in pairs and all together beside the loop that one writes in torch, in float64.

A small network with BatchNorm and dropout; the numbers are of a seed of the moment, which a failure names. Everything
that a state holds is compared after every step. Where it says so, the third step has gradients that are not finite.
"""

import secrets
from itertools import combinations

import numpy as np
import pytest

from jaxgrad import amp, func, nn, optim, random, train
from jaxgrad.nn import functional as F
from jaxgrad.optim import swa_utils

torch = pytest.importorskip("torch", reason="the reference is not installed")

STEPS, MICRO, ROWS = 5, 2, 6
RATES = [0.3, 0.05, 0.2, 0.1, 0.4]
CLIP, LARGEST, DECAY = 0.5, 0.02, 0.8
SCALER = {"init_scale": 1000.0, "growth_factor": 1.7, "backoff_factor": 0.3, "growth_interval": 2}
OPTIONS = [
    "accumulate",
    "clip_grad_norm",
    "clip_grad_value",
    "schedule",
    "scaler",
    "autocast",
    "average",
    "skip_nonfinite",
    "frozen",
    "lr",
]


def layers(nn, **rngs):
    return nn.Linear(5, 6, bias=False, **rngs), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.25), nn.Linear(6, 3, **rngs)


def data(options, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((STEPS, MICRO, ROWS, 5))
    y = rng.standard_normal((STEPS, MICRO, ROWS, 3))
    if {"scaler", "skip_nonfinite"} & set(options):
        y[2, 0, 0, 0] = np.inf
    return x, y


class InTorch:
    """The loop, with what it holds in objects."""

    def __init__(self, options, seed, dtype="float64"):
        self.options, self.dtype = options, getattr(torch, dtype)
        torch.manual_seed(seed)
        self.model = torch.nn.Sequential(*layers(torch.nn)).to(self.dtype)
        if "frozen" in options:
            self.model[0].requires_grad_(False)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.schedule = None
        if "schedule" in options:
            self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, 0.5, total_steps=20)
        decay = torch.optim.swa_utils.get_ema_avg_fn(DECAY)
        self.average = torch.optim.swa_utils.AveragedModel(self.model, avg_fn=decay, use_buffers=True)
        self.scaler = torch.amp.GradScaler("cpu", enabled="scaler" in options, **SCALER)

    def step(self, micro, rate):
        params, total, norm = list(self.model.parameters()), 0.0, None
        self.optimizer.zero_grad()
        for inputs, targets in micro:
            with torch.autocast("cpu", enabled="autocast" in self.options):
                loss = torch.nn.functional.mse_loss(self.model(self.of(inputs)), self.of(targets))
                loss = loss / len(micro)
            self.scaler.scale(loss).backward()
            total += loss.item()
        self.scaler.unscale_(self.optimizer)
        if "clip_grad_norm" in self.options:
            norm = torch.nn.utils.clip_grad_norm_(params, CLIP).item()
        if "clip_grad_value" in self.options:
            torch.nn.utils.clip_grad_value_(params, LARGEST)
        group = self.optimizer.param_groups[0]
        kept, group["lr"] = group["lr"], rate if "lr" in self.options else group["lr"]
        if "skip_nonfinite" not in self.options or all(p.grad is None or p.grad.isfinite().all() for p in params):
            self.scaler.step(self.optimizer)
        group["lr"] = kept
        self.scaler.update()
        if self.schedule is not None:
            self.schedule.step()
        if "average" in self.options:
            self.average.update_parameters(self.model)
        return total, norm

    def of(self, numbers):
        return torch.tensor(numbers, dtype=self.dtype)

    def seen(self):
        """Everything there is to remember, as numbers under names."""
        state = self.optimizer.state_dict()
        group = {name: state["param_groups"][0][name] for name in ("lr", "momentum")}
        parts = {"model": self.model.state_dict(), "group": group, "stream": torch.get_rng_state()}
        parts["optimizer"] = {k: v["momentum_buffer"] for k, v in state["state"].items() if v}
        if "average" in self.options:
            parts["average"] = dict(self.average.module.state_dict(), n_averaged=self.average.n_averaged)
        if "scaler" in self.options:
            parts["scaler"] = self.scaler.state_dict()
        return flat(parts)


class InJax:
    """The same as a step and a state."""

    def __init__(self, options, seed, dtype="float64"):
        self.dtype = dtype
        self.options, self.rngs = options, nn.Rngs(random.manual_seed(seed))
        model = nn.Sequential(*layers(nn, rngs=self.rngs))
        params, buffers = (func.cast(each, dtype) for each in func.extract(model))
        self.tx = optim.SGD(0.1, momentum=0.9)
        held = {
            "schedule": optim.lr_scheduler.OneCycleLR(0.1, 0.5, total_steps=20),
            "average": swa_utils.AveragedModel(
                (params, buffers), avg_fn=swa_utils.get_ema_avg_fn(DECAY), use_buffers=True
            ),
            "scaler": amp.GradScaler("cpu", **SCALER),
        }
        held = {name: value for name, value in held.items() if name in options}
        settings = {
            "accumulate": MICRO,
            "clip_grad_norm": CLIP,
            "clip_grad_value": LARGEST,
            "autocast": amp.autocast("cpu"),
            "skip_nonfinite": True,
            "frozen": "0.*",
        }
        settings = {name: value for name, value in settings.items() if name in options}
        self.scaler = held.get("scaler")
        self.train_step = train.make_train_step(train.supervised(model, F.mse_loss), self.tx, **settings, **held)
        self.state = train.init_state(params, self.tx, buffers=buffers, generator=self.rngs.generator, **held)

    def step(self, micro, rate):
        x, y = (np.stack(each).astype(self.dtype) for each in zip(*micro, strict=True))
        batch = (x, y) if "accumulate" in self.options else (x[0], y[0])
        self.state, metrics = self.train_step(self.state, batch, lr=rate if "lr" in self.options else None)
        self.skipped = [bool(metrics[name]) for name in ("skipped", "found_inf") if name in metrics]
        norm = float(metrics["grad_norm"]) if "clip_grad_norm" in self.options else None
        return float(metrics["loss"]), norm

    def seen(self):
        state = self.state
        told = optim.state_dict(self.tx, state.params, state.opt_state)
        group = {name: optim.get_hyperparams(state)[0][name] for name in ("lr", "momentum")}
        parts = {"model": {**state.params, **state.buffers}, "group": group, "stream": state.generator.get_state()}
        parts["optimizer"] = {k: v["momentum_buffer"] for k, v in told["state"].items() if v}
        if state.average is not None:
            average = state.average
            parts["average"] = {**average.module, **average.buffers, "n_averaged": average.n_averaged}
        if self.scaler is not None:
            parts["scaler"] = self.scaler.state_dict(state.scaler)
        return flat(parts)


def flat(parts):
    stream = {"stream": parts.pop("stream")}
    named = {f"{part}.{name}": value for part, each in parts.items() for name, value in each.items()}
    return {name: np.array(np.asarray(value)) for name, value in {**named, **stream}.items()}


def compare(options):
    seed = secrets.randbelow(2**31)
    x, y = data(options, seed)
    ours, theirs = InJax(options, seed), InTorch(options, seed)
    start, spoilt = ours.seen(), {"scaler", "skip_nonfinite"} & set(options)
    for i in range(STEPS):
        micro = [(x[i, k], y[i, k]) for k in range(MICRO if "accumulate" in options else 1)]
        said, expected = ours.step(micro, RATES[i]), theirs.step(micro, RATES[i])
        for number, other in zip(said, expected, strict=True):
            assert (number is None) == (other is None)
            if other is not None:
                np.testing.assert_allclose(number, other, rtol=1e-11, err_msg=f"seed {seed}, step {i}")
        mine, yours = ours.seen(), theirs.seen()
        assert set(mine) == set(yours), (seed, set(mine) ^ set(yours))
        for name, value in yours.items():
            np.testing.assert_allclose(
                mine[name], value, rtol=1e-9, atol=1e-13, err_msg=f"{name}, seed {seed}, step {i}"
            )
        assert ours.skipped == [i == 2] * len(ours.skipped) and len(ours.skipped) == len(spoilt)
    still = {name for name in start if "." in name and np.array_equal(start[name], mine[name])}
    still -= {name for name in still if name.startswith(("group", "scaler"))}
    frozen = {name for name in start if "frozen" in options and ".0." in name}
    assert still == frozen, (seed, still)
    assert ours.train_step._cache_size() == 1


PAIRS = list(combinations(OPTIONS, 2))


@pytest.mark.exhaustive
@pytest.mark.parametrize("option", ["plain", *OPTIONS])
def test_each_alone(x64, option):
    compare((option,) if option in OPTIONS else ())


@pytest.mark.exhaustive
@pytest.mark.parametrize("pair", PAIRS, ids="+".join)
def test_in_pairs(x64, pair):
    compare(pair)


SEEDS = 12


@pytest.mark.exhaustive
@pytest.mark.parametrize("option", [name for name in OPTIONS if name != "autocast"])
def test_autocast_with_each_in_float32(option):
    """Where it casts something: no further from float32 than torch's, in the norm of all that the model is.

    A single run is a lottery in bfloat16 (0.4 to 1.7 were seen for either side), so that many are judged as one.
    """
    seed = secrets.randbelow(2**31)
    torchs, ours, apart = np.sum([distances(option, seed + k) for k in range(SEEDS)], axis=0)
    assert 0 < 0.3 * torchs < ours, "nothing was cast"
    assert ours < 1.5 * torchs and apart < 1.5 * torchs, (seed, torchs, ours, apart)


def distances(option, seed):
    """How far torch's autocast is from none, ours from that, and the two from each other."""
    x, y = data((), seed)
    runs = [
        InTorch((option,), seed, "float32"),
        InTorch((option, "autocast"), seed, "float32"),
        InJax((option, "autocast"), seed, "float32"),
    ]
    for i in range(STEPS):
        micro = [(x[i, k], y[i, k]) for k in range(MICRO if option == "accumulate" else 1)]
        for run in runs:
            run.step(micro, RATES[i])
    exact, theirs, ours = (
        {name: value for name, value in run.seen().items() if name.startswith(("model", "average"))} for run in runs
    )
    assert all(value.dtype == np.float32 for name, value in ours.items() if not name.endswith(("tracked", "averaged")))
    return [
        sum(np.linalg.norm(a[name] - b[name]) for name in exact)
        for a, b in ((theirs, exact), (ours, exact), (ours, theirs))
    ]


def test_a_pair_of_the_moment(x64):
    compare(secrets.choice(PAIRS))


def test_all_together(x64):
    compare(tuple(OPTIONS))
