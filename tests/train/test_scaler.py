"""The train step with a gradient scaler beside the loop that one writes in torch, in float64."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad import amp, optim, serialization, train
from jaxgrad.nn import functional as F

torch = pytest.importorskip("torch", reason="the reference is not installed")

STEPS, MICRO = 7, 2
SCALER = {"init_scale": 1000.0, "growth_factor": 1.7, "backoff_factor": 0.3, "growth_interval": 2}


def data():
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((STEPS, MICRO, 4, 5)), rng.standard_normal((STEPS, MICRO, 4, 2))
    x[3, 1, 0, 0] = np.inf  # the fourth step has gradients that are not finite
    x[3, 0, 0, 0] = np.nan
    return x, y, rng.standard_normal((2, 5))


def in_torch(accumulate, clip, schedules, **settings):
    x, y, w = data()
    weight = torch.nn.Parameter(torch.tensor(w))
    optimizer = torch.optim.Adam([weight], lr=0.05)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9) if schedules else None
    scaler, seen = torch.amp.GradScaler("cpu", **settings), []
    for i in range(STEPS):
        optimizer.zero_grad()
        total, norm, scale = 0.0, None, scaler.get_scale()
        for k in range(accumulate):
            loss = torch.nn.functional.mse_loss(torch.tensor(x[i, k]) @ weight.T, torch.tensor(y[i, k])) / accumulate
            scaler.scale(loss).backward()
            total += loss.item()
        scaler.unscale_(optimizer)
        if clip:
            norm = torch.nn.utils.clip_grad_norm_([weight], clip).item()
        scaler.step(optimizer)
        scaler.update()
        if schedules:
            schedule.step()
        seen.append((total, norm, scale, weight.detach().numpy().copy(), optimizer.param_groups[0]["lr"]))
    return seen, scaler.state_dict()


def loss_fn(params, x, y):
    return F.mse_loss(x @ params["w"].T, y)


def in_jax(accumulate, clip, schedules, path=None, **settings):
    x, y, w = data()
    tx, scaler = optim.Adam(0.05), amp.GradScaler("cpu", **settings)
    schedule = optim.lr_scheduler.ExponentialLR(0.05, 0.9) if schedules else None
    step = train.make_train_step(
        loss_fn, tx, accumulate=accumulate, clip_grad_norm=clip, schedule=schedule, scaler=scaler
    )
    state = train.init_state({"w": jnp.asarray(w)}, tx, schedule=schedule, scaler=scaler)
    seen = []
    for i in range(STEPS):
        batch = (x[i, 0], y[i, 0]) if accumulate == 1 else (x[i], y[i])
        state, metrics = step(state, batch)
        norm = float(metrics["grad_norm"]) if clip else None
        assert bool(metrics["found_inf"]) == (scaler.enabled and i == 3)
        numbers = float(metrics["loss"]), norm, float(metrics["scale"])
        seen.append((*numbers, np.asarray(state.params["w"]), optim.get_lr(state.opt_state)[0]))
        if path and i == 2:
            serialization.save(path, state)
            like = train.init_state({"w": jnp.asarray(w)}, tx, schedule=schedule, scaler=scaler)
            state, _ = serialization.load(path, like=like)
    assert path or step._cache_size() == 1
    return seen, scaler.state_dict(state.scaler)


@pytest.mark.parametrize(
    ("accumulate", "clip", "schedules", "settings"),
    [(1, None, False, SCALER), (MICRO, 0.5, True, SCALER), (1, 0.5, False, {"enabled": False})],
    ids=["alone", "accumulated, clipped, scheduled", "not enabled"],
)
def test_beside_the_torch_loop(x64, tmp_path, accumulate, clip, schedules, settings):
    path = tmp_path / "state" if schedules else None  # half of it before a file, half after
    mine, state = in_jax(accumulate, clip, schedules, path, **settings)
    expected, expected_state = in_torch(accumulate, clip, schedules, **settings)
    for (*numbers, weight, lr), (*expected_numbers, expected_weight, expected_lr) in zip(mine, expected, strict=True):
        assert (numbers[1] is None) == (expected_numbers[1] is None)
        for number, other in zip(numbers, expected_numbers, strict=True):
            if other is not None:
                np.testing.assert_allclose(number, other, rtol=1e-12)
        np.testing.assert_allclose(weight, expected_weight, rtol=1e-11)
        np.testing.assert_allclose(lr, expected_lr, rtol=1e-14)
    assert state == expected_state
    assert not np.isnan(mine[-1][3]).any() or not settings.get("enabled", True)


def test_a_half_precision_loss_is_lifted():
    """A gradient that float16 rounds to zero arrives, and the loss that is reported is not scaled."""

    def tiny(params, x, factor):  # no constants, which XLA would multiply with one another: to zero
        return (params["w"].astype(jnp.float16) * x).sum() * factor

    batch = jnp.full(2, 2.0**-14, jnp.float16), jnp.array(2.0**-12, jnp.float16)

    moved = {}
    for name, scaler in (("with", amp.GradScaler(init_scale=2.0**14)), ("without", None)):
        tx = optim.SGD(2.0**26)
        state = train.init_state({"w": jnp.ones(2)}, tx, scaler=scaler)
        state, metrics = train.make_train_step(tiny, tx, scaler=scaler)(state, batch)
        moved[name] = state.params["w"].tolist()
        assert metrics["loss"].dtype == jnp.float16 and float(metrics["loss"]) < 1e-6
    assert moved == {"with": [0.0, 0.0], "without": [1.0, 1.0]}


def test_a_scaler_of_torchs_takes_its_place_in_the_state():
    torch_scaler, tx, scaler = torch.amp.GradScaler("cpu", **SCALER), optim.SGD(0.1), amp.GradScaler()
    state = train.init_state({"w": jnp.ones((2, 5))}, tx, scaler=scaler)
    state = state.replace(scaler=scaler.load_state_dict(torch_scaler.state_dict()))
    step = train.make_train_step(loss_fn, tx, scaler=scaler)
    for expected in (1000.0, 1000.0, 1700.0):
        state, metrics = step(state, (jnp.ones((4, 5)), jnp.ones((4, 2))))
        assert metrics["scale"] == expected
    assert step._cache_size() == 1


def test_what_does_not_fit_is_said():
    tx, scaler = optim.SGD(0.1), amp.GradScaler()
    step = train.make_train_step(loss_fn, tx, scaler=scaler)
    with pytest.raises(ValueError, match="the state has no scaler"):
        step(train.init_state({"w": jnp.ones((2, 5))}, tx), (jnp.ones((4, 5)), jnp.ones((4, 2))))
    for make in (train.make_train_step, train.init_state):
        with pytest.raises(TypeError, match="a scaler is a GradScaler"):
            make(loss_fn if make is train.make_train_step else {"w": jnp.ones(1)}, tx, scaler=True)
