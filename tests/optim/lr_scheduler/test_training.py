"""Schedules in training loops beside torch's: the lr, the momentum and the order of the calls."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxgrad import optim
from jaxgrad.optim import lr_scheduler
from tests.optim.lr_scheduler.support import Recipe

STEPS = 30
TARGET = np.linspace(-1, 1, 6)


def torch_training(make_optimizer, recipe):
    weight = torch.nn.Parameter(torch.zeros(6, dtype=torch.float64))
    optimizer = make_optimizer([weight])
    scheduler = recipe.theirs(optimizer)
    path = []
    for step in range(STEPS):
        optimizer.zero_grad()
        ((weight - torch.from_numpy(TARGET) * (1 + 0.1 * step)) ** 4).sum().backward()
        optimizer.step()
        scheduler.step()
        path.append(weight.detach().numpy().copy())
    return np.stack(path)


def gradient(params, step):
    step = jnp.asarray(step, float)
    return jax.grad(lambda p: jnp.sum((p["w"] - TARGET * (1 + 0.1 * step)) ** 4))(params)


CYCLES = {
    "CyclicLR": {"base_lr": 0.005, "max_lr": 0.02, "step_size_up": 4, "base_momentum": 0.6},
    "OneCycleLR": {"max_lr": 0.02, "total_steps": 40, "base_momentum": 0.6},
}


@pytest.mark.parametrize("name", CYCLES)
@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_lr_and_momentum_cycle_on_the_host(name, kind, x64):
    """The numbers go into the optimizer's state between jitted steps: momentum, or the first beta."""
    recipe = Recipe(name, CYCLES[name])
    options = {"momentum": 0.9} if kind == "SGD" else {}
    theirs = torch_training(lambda p: getattr(torch.optim, kind)(p, lr=0.01, **options), recipe)

    tx, schedule = getattr(optim, kind)(lr=0.01, **options), recipe.ours(0.01)
    params = {"w": jnp.zeros(6)}
    state, s = tx.init(params), schedule.init()
    step = jax.jit(lambda p, state, t: optim.step(tx, p, gradient(p, t), state))
    for t in range(STEPS):
        momentum = schedule.get_last_momentum(s)
        cycled = {"momentum": momentum} if kind == "SGD" else {"betas": (momentum, 0.999)}
        state = optim.set_hyperparams(state, lr=schedule.get_last_lr(s), **cycled)
        params, state = step(params, state, t)
        s = schedule.step(s)
        np.testing.assert_allclose(np.asarray(params["w"]), theirs[t], rtol=1e-9, atol=1e-12)
    assert np.abs(theirs[-1]).min() > 0.1
    assert step._cache_size() == 1


def test_value_at_inside_one_scan(x64):
    """The whole run as one program: a counter is all that is carried."""
    recipe = Recipe(
        "SequentialLR",
        {
            "schedulers": [Recipe("LinearLR", {"total_iters": 5}), Recipe("CosineAnnealingLR", {"T_max": 12})],
            "milestones": [5],
        },
    )
    theirs = torch_training(lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.5), recipe)
    tx, schedule = optim.SGD(lr=0.02, momentum=0.5), recipe.ours(0.02)

    @jax.jit
    def run(params):
        def body(carry, t):
            params, state = carry
            params, state = optim.step(tx, params, gradient(params, t), state, lr=schedule.value_at(t))
            return (params, state), params["w"]

        return jax.lax.scan(body, (params, tx.init(params)), jnp.arange(STEPS))[1]

    np.testing.assert_allclose(np.asarray(run({"w": jnp.zeros(6)})), theirs, rtol=1e-10, atol=1e-13)


def test_one_step_late_is_seen(x64):
    recipe = Recipe("StepLR", {"step_size": 10})
    theirs = torch_training(lambda p: torch.optim.SGD(p, lr=0.02), recipe)
    tx, schedule = optim.SGD(lr=0.02), recipe.ours(0.02)
    step = jax.jit(lambda p, state, t, late: optim.step(tx, p, gradient(p, t), state, lr=schedule(t + late)))
    for late, limit in ((0, 1e-12), (1, None)):
        params = {"w": jnp.zeros(6)}
        state = tx.init(params)
        for t in range(STEPS):
            params, state = step(params, state, t, late)
        distance = np.abs(np.asarray(params["w"]) - theirs[-1]).max()
        assert distance < limit if limit else distance > 1e-4


def test_several_groups_take_a_list(x64):
    lrs = [0.02, 0.005]
    recipe = Recipe("ExponentialLR", {"gamma": 0.9})
    weights = [torch.nn.Parameter(torch.zeros(3, dtype=torch.float64)) for _ in lrs]
    optimizer = torch.optim.SGD([{"params": [w], "lr": lr} for w, lr in zip(weights, lrs, strict=True)])
    scheduler = recipe.theirs(optimizer)
    target = torch.from_numpy(TARGET[:3])

    schedule = lr_scheduler.ExponentialLR(lrs, gamma=0.9)
    tx = optim.SGD(lr=0.1, param_groups=[{"params": "a"}, {"params": "b"}])
    params = {"a": jnp.zeros(3), "b": jnp.zeros(3)}
    state, s = tx.init(params), schedule.init()
    for _ in range(3):
        optimizer.zero_grad()
        sum(((w - target) ** 4).sum() for w in weights).backward()
        optimizer.step()
        scheduler.step()
        grads = {name: 4 * (p - TARGET[:3]) ** 3 for name, p in params.items()}
        params, state = optim.step(tx, params, grads, state, lr=schedule.get_last_lr(s))
        s = schedule.step(s)
    for name, weight in zip("ab", weights, strict=True):
        np.testing.assert_allclose(np.asarray(params[name]), weight.detach().numpy(), rtol=1e-13)
