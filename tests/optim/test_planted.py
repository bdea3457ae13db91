"""The tests of the tests: faults that ports make, planted, are seen by the measures that the suite uses."""

import importlib

import jax
import numpy as np
import pytest

from jaxgrad.optim._rule.arithmetic import addcdiv, addcmul, decayed, div, lerp, mul, plus, sqrt
from tests.optim import harness


def _run(name, kwargs, dtype="float64"):
    """Our steps with whatever is planted now: nothing compiled before may answer."""
    harness._compiled.cache_clear()
    params, grads = harness.start(name), harness.moving_gradients(name, 40)
    truth = harness.torch_run(name, kwargs, params, grads, "float64")
    ours = harness.jax_run(name, kwargs, params, grads, dtype)
    harness._compiled.cache_clear()
    if dtype == "float64":
        return harness.distance(ours, truth, params)
    theirs = harness.torch_run(name, kwargs, params, grads, "float32")
    return max(harness.noise_ratios(ours, theirs, truth, params).values())


def _plant_host(monkeypatch, module, fault):
    """Change the constants of a step, at the function object that the lifting holds."""
    host = importlib.import_module(f"jaxgrad.optim.{module}")._host
    original = type(host)(host.__code__, host.__globals__, host.__name__, host.__defaults__, host.__closure__)

    def faulty(scalars, h, *keep):
        return _CURRENT["fault"](lambda scalars, h: _CURRENT["original"](scalars, h, *keep), scalars, h)

    _CURRENT.update(fault=fault, original=original)
    host.__globals__["_CURRENT"] = _CURRENT
    monkeypatch.setattr(host, "__code__", faulty.__code__)


_CURRENT: dict = {}


def _wrong_by_a_thousandth(key):
    def fault(host, scalars, h):
        constants, changed = host(scalars, h)
        return constants | {key: constants[key] * 1.001}, changed

    return fault


def _one_step_late(host, scalars, h):
    return host(scalars | {"step": scalars["step"] + 1}, h)


@pytest.mark.parametrize(
    ("name", "module", "kwargs", "fault"),
    [
        ("SGD", "sgd", {}, _wrong_by_a_thousandth("minus_lr")),
        ("SGD", "sgd", {"momentum": 0.9}, _wrong_by_a_thousandth("momentum")),
        ("Adam", "adam", {}, _wrong_by_a_thousandth("one_minus_beta2")),
        ("Adam", "adam", {"weight_decay": 0.1}, _wrong_by_a_thousandth("weight_decay")),
        ("AdamW", "adam", {}, _wrong_by_a_thousandth("decay")),
        ("RMSprop", "rmsprop", {}, _wrong_by_a_thousandth("eps")),
        ("NAdam", "nadam", {}, _wrong_by_a_thousandth("momentum_step")),
        ("RAdam", "radam", {}, _wrong_by_a_thousandth("rect")),
        ("Rprop", "rprop", {}, _wrong_by_a_thousandth("etaplus")),
        ("Adam", "adam", {}, _one_step_late),
        ("NAdam", "nadam", {}, _one_step_late),
        ("RAdam", "radam", {}, _one_step_late),
        ("Adamax", "adamax", {}, _one_step_late),
        ("Adagrad", "adagrad", {"lr_decay": 0.1}, _one_step_late),
        ("ASGD", "asgd", {"t0": 10.0}, _one_step_late),
        ("SGD", "sgd", {"momentum": 0.9, "dampening": 0.5}, _one_step_late),
        ("Adafactor", "adafactor", {}, _one_step_late),
    ],
)
def test_a_wrong_constant_is_seen(monkeypatch, name, module, kwargs, fault):
    _plant_host(monkeypatch, module, fault)
    assert _run(name, kwargs) > 1e-11
    monkeypatch.undo()
    assert _run(name, kwargs) < 1e-12


def test_naive_float32_bias_corrections_are_seen(monkeypatch):
    """The formula is right in float64; only the noise ratio of a float32 run shows what float32 constants do."""

    def naive(host, scalars, h):
        import jax.numpy as jnp

        constants, changed = host(scalars, h)
        beta2, t = h["betas"][1].astype(jnp.float32), scalars["step"].astype(jnp.float32)
        return constants | {"bias_correction2_sqrt": jnp.sqrt(1 - beta2**t)}, changed

    assert _run("Adam", {"lr": 0.1}, "float32") <= 3
    _plant_host(monkeypatch, "adam", naive)
    assert _run("Adam", {"lr": 0.1}, "float32") > 3


def _adam(param, grad, state, c, *, eps_inside=False, decay_after=False, late=False):
    """Adam written out, with the faults that ports have."""
    adam = importlib.import_module("jaxgrad.optim.adam")
    if not decay_after:
        grad = decayed(grad, param, c["weight_decay"])
    exp_avg = lerp(state.exp_avg, grad, c["one_minus_beta1"])
    exp_avg_sq = addcmul(mul(state.exp_avg_sq, c["beta2"]), grad, grad, c["one_minus_beta2"])
    root = plus(exp_avg_sq, c["eps"]) if eps_inside else exp_avg_sq
    denom = div(sqrt(root), c["bias_correction2_sqrt"])
    denom = denom if eps_inside else plus(denom, c["eps"])
    moved = addcdiv(param, state.exp_avg if late else exp_avg, denom, c["minus_step_size"])
    if decay_after:
        moved = mul(moved, c["decay"])
    return moved, adam.AdamState(exp_avg, exp_avg_sq, None)


@pytest.mark.parametrize("fault", [{"eps_inside": True}, {"decay_after": True}, {"late": True}, {}])
def test_a_wrong_rule_is_seen(fault):
    """eps on the wrong side of the root, the decay after the update, a moment one step old."""
    from jaxgrad.optim import adam, step
    from jaxgrad.optim._rule.lift import lift

    kwargs = {"weight_decay": 0.1}
    params, grads = harness.start("Adam"), harness.moving_gradients("Adam", 40)
    truth = harness.torch_run("Adam", kwargs, params, grads, "float64")
    with jax.enable_x64(True):
        build = lift(
            called="Adam",
            init=lambda p, h: adam._init(p, h, amsgrad=False, decoupled_weight_decay=False),
            host=adam._host,
        )
        rule = build(lambda p, g, s, c: _adam(p, g, s, c, **fault))
        tx = rule({"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.1}, {})
        arrays = jax.tree.map(jax.numpy.asarray, params)
        run = jax.jit(lambda p, s, g: jax.lax.scan(lambda c, g: (step(tx, c[0], g, c[1]), None), (p, s), g)[0])
        found, _ = run(arrays, tx.init(arrays), jax.tree.map(jax.numpy.asarray, grads))
    far = harness.distance({key: np.asarray(value) for key, value in found.items()}, truth, params)
    assert far > 1e-7 if fault else far < 1e-12
