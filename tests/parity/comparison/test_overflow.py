"""Where a scaler skips a step that overflows, the runs in float64, which do not overflow, skip it too."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgrad import amp, func, nn, optim, parity, random, train
from jaxgrad.nn import functional as F

torch = pytest.importorskip("torch", reason="the reference is not installed")

LARGE = (1, 100, 1, 1, 100, 1)
BATCHES = [
    (size * rng.normal(size=(8, 4)).astype(np.float32), rng.integers(0, 3, 8))
    for size, rng in ((size, np.random.default_rng(seed)) for seed, size in enumerate(LARGE))
]
SCALES = {"float32": {"init_scale": 2.0**125, "growth_interval": 2}}
SCALES["float16"] = {"init_scale": 2.0**17, "growth_interval": 2}


def reference(dtype, *, clip=None):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))

    def loss_fn(model, x, y):
        with torch.autocast("cpu", torch.float16, enabled=dtype == "float16"):
            out = model(x)
        return torch.nn.functional.cross_entropy(out.float(), y)

    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scaler = torch.amp.GradScaler("cpu", **SCALES[dtype])
    return parity.from_torch(model, loss_fn, optimizer, scaler=scaler, clip=clip)


def candidate(dtype, *, momentum=0.9, clip=None, **scale):
    generator = random.manual_seed(0)
    rngs = nn.Rngs(generator)
    model = nn.Sequential(nn.Linear(4, 8, rngs=rngs), nn.ReLU(), nn.Linear(8, 3, rngs=rngs))
    forward = partial(func.functional_call, model)
    if dtype == "float16":
        forward = amp.autocast("cpu", jnp.float16)(forward)

    def loss_fn(params, x, y):
        out = forward(params, x)
        return F.cross_entropy(out.astype(params["0.weight"].dtype), y)

    tx = optim.SGD(0.1, momentum=momentum)
    scaler = amp.GradScaler(**{**SCALES[dtype], **scale})
    step = train.make_train_step(loss_fn, tx, scaler=scaler, clip_grad_norm=clip)
    return parity.from_jax(step, train.init_state(func.extract(model)[0], tx, scaler=scaler, generator=rngs.generator))


def skipped(dtype):
    """Which steps the reference skips."""
    run = reference(dtype).start()
    scales = [float(run.step(batch)["scaler"]["scale"]) for batch in BATCHES]
    return [after < before for before, after in zip([SCALES[dtype]["init_scale"], *scales], scales, strict=False)]


@pytest.mark.parametrize("dtype", SCALES)
def test_some_steps_are_skipped_and_some_are_not(dtype):
    assert set(skipped(dtype)) == {True, False}


@pytest.mark.parametrize("mode, clip", [("free", 0.1), ("single", None)])
@pytest.mark.parametrize("dtype", SCALES)
def test_equal_sides_are_equal(dtype, mode, clip):
    report = parity.compare(reference(dtype, clip=clip), candidate(dtype, clip=clip), BATCHES, mode)
    assert report.ok, report.sentence
    assert report.noise["not_in_float64"] == {"reference": "", "candidate": ""}


@pytest.mark.parametrize("dtype", SCALES)
def test_the_run_in_float64_makes_the_steps_that_its_side_makes(dtype):
    for side in (reference(dtype), candidate(dtype)):
        recording = parity.record(side, BATCHES)
        for step, skips in enumerate(skipped(dtype)):
            for run in (recording, recording.float64):
                before, after = run.before(step, "params"), run.at(step)["params"]
                same = [np.array_equal(before[name], after[name]) for name in after]
                assert all(same) if skips else not any(same), (step, run.at(step)["params"])
            assert all(np.isfinite(g).all() for g in recording.float64.at(step)["grads"].values())
            one, other = (run.at(step)["scaler"] for run in (recording, recording.float64))
            assert one["scale"] == other["scale"] and one["growth_tracker"] == other["growth_tracker"]


@pytest.mark.parametrize("mode", ["free", "single"])
@pytest.mark.parametrize("dtype", SCALES)
def test_a_fault_is_found(dtype, mode):
    first = parity.compare(reference(dtype), candidate(dtype, momentum=0.89), BATCHES, mode).first
    assert first is not None and (first.step, first.phase) == (2, "optimizer"), first
    first = parity.compare(reference(dtype), candidate(dtype, backoff_factor=0.25), BATCHES, mode).first
    assert first is not None and (first.step, first.phase, first.tensor) == (1, "scaler", "scale"), first


def test_a_function_that_cannot_be_told_to_skip_is_judged_as_it_is():
    model = reference("float32").start()
    start = {name: jnp.asarray(value) for name, value in model.initial()["params"].items()}
    tx = optax.sgd(0.1, 0.9)

    def side(backoff):
        @jax.jit
        def step(state, batch):
            params, opt_state, scale, row = state

            def loss_fn(params):
                hidden = jax.nn.relu(batch[0] @ params["0.weight"].T + params["0.bias"][None])
                out = hidden @ params["2.weight"].T + params["2.bias"][None]
                loss = optax.softmax_cross_entropy_with_integer_labels(out, batch[1]).mean()
                return loss * scale.astype(loss.dtype), loss

            grads, loss = jax.grad(loss_fn, has_aux=True)(params)
            grads = jax.tree.map(lambda g: g / scale.astype(g.dtype), grads)
            finite = jnp.all(jnp.array([jnp.isfinite(g).all() for g in jax.tree.leaves(grads)]))
            updates, after = tx.update(grads, opt_state, params)
            made = optax.apply_updates(params, updates), after
            params, opt_state = jax.tree.map(lambda new, old: jnp.where(finite, new, old), made, (params, opt_state))
            grown = row + 1 == 2
            scale = jnp.where(finite, jnp.where(grown, scale * 2, scale), scale * backoff)
            row = jnp.where(finite & ~grown, row + 1, 0)
            told = {"loss": loss, "scaler": {"scale": scale.astype(jnp.float32), "growth_tracker": row}}
            return (params, opt_state, scale, row), told

        return parity.from_jax(step, (start, tx.init(start), jnp.float32(2.0**125), jnp.int32(0)))

    for mode in ("free", "single"):
        report = parity.compare(reference("float32"), side(0.5), BATCHES, mode)
        assert report.ok and report.noise["decided_by"] == "float32", report.sentence
        assert "cannot be told to skip" in report.noise["not_in_float64"]["candidate"]
        first = parity.compare(reference("float32"), side(0.25), BATCHES, mode).first
        assert first is not None and (first.step, first.phase, first.tensor) == (1, "scaler", "scale"), first
