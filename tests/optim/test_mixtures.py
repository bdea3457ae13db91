"""Random mixtures of all arguments, lr running, and long runs: float64 to 1e-9 of the distance moved."""

import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.optim import harness

LR = st.floats(1e-4, 0.05)
BETA = st.floats(0.1, 0.95) | st.just(0.0)
BETA2 = st.floats(0.5, 0.9999)
EPS = st.floats(1e-10, 1e-2)
DECAY = st.floats(1e-3, 0.2) | st.just(0.0)
FLAG = st.booleans()
ADAM = {"lr": LR, "betas": st.tuples(BETA, BETA2), "eps": EPS, "weight_decay": DECAY, "maximize": FLAG}
DECOUPLED = {"decoupled_weight_decay": FLAG}

ARGUMENTS = {
    "SGD": {
        "lr": LR,
        "momentum": st.floats(0.1, 0.95),
        "dampening": st.floats(0.0, 0.9),
        "weight_decay": DECAY,
        "maximize": FLAG,
    },
    "Adam": ADAM | {"amsgrad": FLAG},
    "AdamW": ADAM | {"amsgrad": FLAG},
    "RMSprop": {
        "lr": LR,
        "alpha": st.floats(0.5, 0.99),
        "eps": EPS,
        "weight_decay": DECAY,
        "momentum": st.floats(0.1, 0.9),
        "maximize": FLAG,
    },
    "Adagrad": {
        "lr": LR,
        "lr_decay": DECAY,
        "weight_decay": DECAY,
        "initial_accumulator_value": st.floats(0.0, 1.0),
        "eps": EPS,
    },
    "Adadelta": {"lr": st.floats(0.1, 2.0), "rho": st.floats(0.1, 0.99), "eps": EPS, "weight_decay": DECAY},
    "Adamax": ADAM,
    "NAdam": ADAM | DECOUPLED | {"momentum_decay": DECAY},
    "RAdam": ADAM | DECOUPLED,
    "ASGD": {
        "lr": LR,
        "lambd": DECAY,
        "alpha": st.floats(0.1, 1.0),
        "t0": st.floats(0.0, 60.0),
        "weight_decay": DECAY,
    },
    "Rprop": {
        "lr": LR,
        "etas": st.tuples(st.floats(0.1, 0.9), st.floats(1.1, 2.0)),
        "step_sizes": st.tuples(st.floats(1e-6, 1e-4), st.floats(0.1, 1.0)),
    },
    "Adafactor": {
        "lr": LR,
        "beta2_decay": st.floats(-1.0, -0.1),
        "eps": st.tuples(st.floats(1e-8, 1e-3), st.floats(1e-4, 1e-2)),
        "d": st.floats(1.0, 3.0),
        "weight_decay": DECAY,
    },
}


@pytest.mark.parametrize("name", ARGUMENTS)
@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_random_mixtures_with_lr_running(name, data):
    kwargs = data.draw(st.fixed_dictionaries(ARGUMENTS[name]))
    seed = data.draw(st.integers(0, 1000))
    steps = 50
    params, grads = harness.start(name, seed), harness.moving_gradients(name, steps, seed + 1)
    lrs = kwargs["lr"] * (1.2 + np.sin(np.arange(steps) / 3))
    theirs = harness.torch_run(name, kwargs, params, grads, "float64", lrs=lrs)
    ours = harness.jax_run(name, kwargs, params, grads, "float64", lrs=lrs)
    assert harness.distance(ours, theirs, params) < 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_thousand_steps_do_not_drift(name):
    params, grads = harness.start(name), harness.moving_gradients(name, 1000)
    truth = harness.torch_run(name, {}, params, grads, "float64")
    ours = harness.jax_run(name, {}, params, grads, "float64")
    assert harness.distance(ours, truth, params) < 1e-9
    theirs = harness.torch_run(name, {}, params, grads, "float32")
    ratios = harness.noise_ratios(harness.jax_run(name, {}, params, grads, "float32"), theirs, truth, params)
    assert max(ratios.values()) <= 3 and np.median(list(ratios.values())) <= 1.5, ratios


def test_the_harness_compiles_once_for_all_numbers():
    harness._compiled.cache_clear()
    params, grads = harness.start("Adam"), harness.moving_gradients("Adam", 5)
    for lr in (0.1, 0.2, 0.3):
        harness.jax_run("Adam", {"lr": lr, "betas": (lr, 0.9)}, params, grads, "float32")
    with jax.enable_x64(False):
        _, scan = harness._compiled("Adam", (), "float32")
        assert scan[False]._cache_size() == 1
