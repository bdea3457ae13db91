"""What ports lose: None is not zero, first steps, counts, what may change, and the transformations of JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

from jaxgrad import optim
from jaxgrad.testing import assert_close
from tests.optim import harness

DENSE = [
    name
    for name in ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam", "ASGD", "Rprop")
]
ALL = [*DENSE, "Adafactor", "Muon"]
OPTIONS = {
    "SGD": {"momentum": 0.9, "dampening": 0.5, "weight_decay": 0.1},
    "Adam": {"weight_decay": 0.1, "amsgrad": True},
    "RMSprop": {"momentum": 0.9, "centered": True, "weight_decay": 0.1},
    "Adagrad": {"lr_decay": 0.1, "initial_accumulator_value": 0.2},
}


def make(name, **more):
    return getattr(optim, name)(**{**OPTIONS.get(name, {}), **more})


def small(name, scale=1.0):
    return {"a": scale * jnp.ones((2, 3)), "b": jnp.linspace(1.0, 2.0, 6).reshape(3, 2) * scale}


@pytest.mark.parametrize("name", ALL)
def test_gradients_that_come_and_go(name):
    """None skips the parameter, its state and its count, as in torch, for a pattern that differs by parameter."""
    kwargs, steps = OPTIONS.get(name, {}), 24
    params, grads = harness.start(name), harness.moving_gradients(name, steps)
    rng = np.random.default_rng(3)
    patterns = [{key: bool(row[i]) for i, key in enumerate(params)} for row in ((1, 1, 0, 1), (0, 1, 1, 0))]
    chosen = rng.integers(0, 2, steps)
    present = {key: np.array([patterns[i][key] for i in chosen]) for key in params}
    theirs = harness.torch_run(name, kwargs, params, grads, "float64", present=present)
    ours = harness.jax_run(name, kwargs, params, grads, "float64", present=present)
    assert harness.distance(ours, theirs, params) < (2e-3 if name == "Muon" else 1e-12)


@pytest.mark.parametrize("name", ALL)
def test_none_leaves_everything_and_zero_does_not(name):
    tx, params = make(name), small(name)
    grads = jax.tree.map(jnp.ones_like, params)
    step = jax.jit(lambda p, g, s: optim.step(tx, p, g, s))
    params, state = step(params, grads, tx.init(params))
    after_none, state_none = step(params, {"a": grads["a"], "b": None}, state)
    after_zero, state_zero = step(params, {"a": grads["a"], "b": jnp.zeros_like(grads["b"])}, state)
    assert_close(after_none["b"], params["b"], rtol=0, atol=0)
    assert_close(state_none.state["b"], state.state["b"], rtol=0, atol=0)
    assert state_none.param_groups[0].scalars["step"].tolist() == [2, 1]
    assert state_zero.param_groups[0].scalars["step"].tolist() == [2, 2]
    moved = np.max(np.abs(after_zero["b"] - params["b"]))
    assert moved > 0 or name in ("Adagrad", "Adadelta", "Rprop", "Adafactor"), (
        "momentum and decay go on without gradient"
    )


def test_a_zero_gradient_is_not_frozen_by_exact_numbers():
    """The folk rule that breaks: momentum 0.9 moves a parameter by 0.9 lr on a zero gradient."""
    tx, params = optim.SGD(lr=1.0, momentum=0.9), {"w": jnp.zeros(1)}
    params, state = optim.step(tx, params, {"w": jnp.ones(1)}, tx.init(params))
    moved, _ = optim.step(tx, params, {"w": jnp.zeros(1)}, state)
    assert np.isclose(moved["w"][0], -1.9)


def test_the_undampened_first_step_is_in_the_state():
    """A second init behaves as the first: nothing is remembered outside the state."""
    tx, params = optim.SGD(lr=1.0, momentum=0.5, dampening=0.9), {"w": jnp.zeros(1)}
    ones = {"w": jnp.ones(1)}
    for _ in range(2):
        first, state = optim.step(tx, params, ones, tx.init(params))
        second, _ = optim.step(tx, first, ones, state)
        assert np.allclose([first["w"][0], second["w"][0]], [-1.0, -1.6])


def test_the_late_comer_has_its_own_first_step():
    """Steps are counted by parameter: a gradient that comes late is not dampened and has the first bias correction."""
    ones = {"a": jnp.ones(1), "b": jnp.ones(1)}
    for tx, expected in ((optim.SGD(1.0, 0.5, 0.9), -1.0), (optim.Adam(1.0), -1.0)):
        params = jax.tree.map(jnp.zeros_like, ones)
        params, state = optim.step(tx, params, ones | {"b": None}, tx.init(params))
        params, state = optim.step(tx, params, ones, state)
        assert np.isclose(params["b"][0], expected, atol=1e-6)


@pytest.mark.parametrize("name", ALL)
def test_update_and_apply_updates_are_the_same_step(name):
    tx, params = make(name), small(name)
    chain = optax.chain(optax.identity(), tx)
    grads = jax.tree.map(jnp.cos, params)
    state, chained = tx.init(params), chain.init(params)
    here, there, third = params, params, params
    one = jax.jit(lambda p, g, s: optim.step(tx, p, g, s))
    two = jax.jit(lambda p, g, s: _optax_step(tx, p, g, s))
    three = jax.jit(lambda p, g, s: optim.step(chain, p, g, s))
    other = state
    for _ in range(4):
        here, state = one(here, grads, state)
        there, other = two(there, grads, other)
        third, chained = three(third, grads, chained)
    assert_close(here, there, rtol=2e-7, atol=2e-7)
    assert_close(there, third, rtol=0, atol=0)


def _optax_step(tx, params, grads, state):
    updates, state = tx.update(grads, state, params)
    return optax.apply_updates(params, updates), state


def test_a_chain_with_none_and_an_lr():
    chain = optax.chain(optax.clip_by_global_norm(1e9), optim.SGD(lr=1.0))
    params = {"a": jnp.ones(2), "b": jnp.ones(2)}
    moved, state = optim.step(chain, params, {"a": jnp.ones(2), "b": None}, chain.init(params), lr=0.5)
    assert moved["a"].tolist() == [0.5, 0.5] and moved["b"].tolist() == [1, 1]
    assert optim.get_lr(state) == [1.0]


def test_an_lr_that_nobody_takes_is_refused():
    tx = optax.GradientTransformation(lambda params: (), lambda updates, state, params=None: (updates, state))
    with pytest.raises(TypeError, match="takes no extra arguments"):
        optim.step(tx, {"w": jnp.ones(1)}, {"w": jnp.ones(1)}, (), lr=0.1)


@pytest.mark.parametrize("name", DENSE)
def test_lr_changing_at_every_step(name):
    """As an argument of the step, and in the state: the same as torch's param_groups."""
    kwargs, steps = OPTIONS.get(name, {}), 30
    params, grads = harness.start(name), harness.moving_gradients(name, steps)
    lrs = 0.01 * (1 + np.sin(np.arange(steps) / 5) / 2)
    theirs = harness.torch_run(name, kwargs, params, grads, "float64", lrs=lrs)
    present = {key: np.ones(steps, bool) for key in params}
    ours = harness.jax_run(name, kwargs, params, grads, "float64", lrs=lrs)
    in_state = harness.jax_run(name, kwargs, params, grads, "float64", lrs=lrs, present=present)
    assert harness.distance(ours, theirs, params) < 1e-12
    assert harness.distance(in_state, theirs, params) < 1e-12


def test_hyperparameters_change_without_compiling_anew():
    tx, params = optim.AdamW(), small("AdamW")
    grads = jax.tree.map(jnp.sin, params)
    step = jax.jit(lambda p, g, s: optim.step(tx, p, g, s))
    state = tx.init(params)
    reference = [torch.nn.Parameter(torch.tensor(np.asarray(p))) for p in params.values()]
    optimizer = torch.optim.AdamW(reference)
    for change in ({}, {"lr": 0.01}, {"betas": (0.5, 0.7)}, {"weight_decay": 0.3, "eps": 1e-3}):
        state = optim.set_hyperparams(state, **change)
        optimizer.param_groups[0].update(change)
        params, state = step(params, grads, state)
        for leaf, grad in zip(reference, grads.values(), strict=True):
            leaf.grad = torch.tensor(np.asarray(grad))
        optimizer.step()
    assert step._cache_size() == 1
    for leaf, param in zip(reference, params.values(), strict=True):
        np.testing.assert_allclose(param, leaf.detach(), rtol=3e-7, atol=1e-7)


@pytest.mark.parametrize("name", ALL)
def test_no_recompilation_and_donation(name):
    tx = make(name)
    params = small(name)
    state = tx.init(params)
    step = jax.jit(lambda p, g, s: optim.step(tx, p, g, s), donate_argnums=(0, 2))
    grads = jax.tree.map(jnp.sin, params)
    for _ in range(3):
        old = jax.tree.leaves((params, state))
        params, state = step(params, grads, state)
        assert all(leaf.is_deleted() for leaf in old), "every array of the old state gave its memory to the new one"
    assert step._cache_size() == 1


@pytest.mark.parametrize("name", ALL)
def test_an_ensemble_under_vmap(name):
    """Members with their own lr: the same numbers as one by one."""
    lrs = jnp.array([0.01, 0.02, 0.05])
    stacked = jax.tree.map(lambda p: jnp.stack([p, 1.1 * p, 0.9 * p]), small(name))
    grads = jax.tree.map(jnp.sin, stacked)

    def train(lr, params, grads):
        tx = make(name, lr=lr)
        state = tx.init(params)
        for _ in range(3):
            params, state = optim.step(tx, params, grads, state)
        return params

    together = jax.jit(jax.vmap(train))(lrs, stacked, grads)
    alone = [jax.jit(train)(lrs[i], *jax.tree.map(lambda x: x[i], (stacked, grads))) for i in range(2)]  # noqa: B023
    for i, one in enumerate(alone):
        assert_close(jax.tree.map(lambda x: x[i], together), one, rtol=2e-6, atol=2e-6)  # noqa: B023


def test_hyperparameters_of_an_ensemble():
    tx = optim.Adam()
    states = jax.vmap(tx.init)({"w": jnp.ones((3, 2))})
    np.testing.assert_array_equal(optim.get_lr(states)[0], [0.001] * 3)
    states = optim.set_hyperparams(states, lr=0.5)
    np.testing.assert_array_equal(optim.get_lr(states)[0], [0.5] * 3)
    for lr in (np.array([0.1, 0.2, 0.4]), jnp.array([0.125, 0.25, 0.5])):
        np.testing.assert_array_equal(optim.get_lr(optim.set_hyperparams(states, lr=lr))[0], np.asarray(lr, float))
    with pytest.raises(ValueError, match=r"(?s)lr is one number, or one for each member .* shape \(2,\)"):
        optim.set_hyperparams(states, lr=jnp.ones(2))


@pytest.mark.parametrize("compiled", [False, True])
def test_an_array_gives_each_group_its_number(compiled):
    tx = optim.SGD(param_groups=[{"params": ["a"]}, {"params": ["b"], "lr": 0.2}])
    state = tx.init({"a": jnp.ones(2), "b": jnp.ones(3)})
    change = lambda state, lr: optim.set_hyperparams(state, lr=lr)  # noqa: E731
    change = jax.jit(change) if compiled else change
    for lr in (jnp.array([0.5, 0.25]), np.array([0.5, 0.25])):
        assert optim.get_lr(change(state, lr)) == [0.5, 0.25]
    assert optim.get_lr(change(state, jnp.array(0.5))) == [0.5, 0.5]
    with pytest.raises(ValueError, match=r"(?s)one lr for each of 2 parameter groups.*3 of them"):
        change(state, jnp.ones(3))
    with pytest.raises(ValueError, match=r"(?s)lr is one number.*shape \(1,\)"):
        change(state, jnp.ones((2, 1)))


@pytest.mark.parametrize("name", ALL)
def test_sharded_parameters_stay_sharded(name):
    mesh = jax.make_mesh((2,), ("rows",), axis_types=(jax.sharding.AxisType.Auto,))
    spec = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("rows"))
    params = {"a": jnp.linspace(1.0, 2.0, 8).reshape(4, 2)}
    grads = jax.tree.map(jnp.sin, params)
    tx = make(name)
    step = jax.jit(lambda p, g, s: optim.step(tx, p, g, s))
    whole, _ = step(params, grads, tx.init(params))
    sharded = jax.device_put(params, {"a": spec})
    state = tx.init(sharded)
    tensors = [leaf for leaf in jax.tree.leaves(state.state) if leaf.shape == (4, 2)]
    assert all(leaf.sharding == spec for leaf in tensors)
    moved, _ = step(sharded, jax.device_put(grads, {"a": spec}), state)
    assert moved["a"].sharding == spec or name == "Muon"
    assert_close(jax.device_get(moved), jax.device_get(whole), rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("name", DENSE)
def test_complex_parameters_are_pairs_of_reals(name):
    rng = np.random.default_rng(0)
    start = rng.standard_normal(5) + 1j * rng.standard_normal(5)
    grads = rng.standard_normal((8, 5)) + 1j * rng.standard_normal((8, 5))
    kwargs = OPTIONS.get(name, {}) | {"initial_accumulator_value": 0.0} if name == "Adagrad" else OPTIONS.get(name, {})
    leaf = torch.nn.Parameter(torch.tensor(start))
    optimizer = getattr(torch.optim, name)([leaf], foreach=False, **kwargs)
    with jax.enable_x64(True):
        tx, params = getattr(optim, name)(**kwargs), {"z": jnp.asarray(start)}
        state = tx.init(params)
        step = jax.jit(lambda p, g, s: optim.step(tx, p, g, s))
        for grad in grads:
            leaf.grad = torch.tensor(grad)
            optimizer.step()
            params, state = step(params, {"z": jnp.asarray(grad)}, state)
        assert params["z"].dtype == jnp.complex128
        np.testing.assert_allclose(
            params["z"], leaf.detach().numpy(), rtol=2e-7 if name in ("ASGD", "NAdam") else 1e-12
        )


def test_gradients_that_do_not_fit_are_refused():
    tx, params = optim.SGD(), {"w": jnp.ones((2, 3))}
    state = tx.init(params)
    with pytest.raises(RuntimeError, match=r'Missing key\(s\) in grads: "w"'):
        optim.step(tx, params, {}, state)
    with pytest.raises(RuntimeError, match="attempting to assign a gradient of size"):
        optim.step(tx, params, {"w": jnp.ones((3, 2))}, state)
    with pytest.raises(RuntimeError, match="attempting to assign a gradient with dtype"):
        optim.step(tx, params, {"w": jnp.ones((2, 3), jnp.bfloat16)}, state)
    with pytest.raises(ValueError, match="params"):
        tx.update(params, state)


def test_flags_are_checked_for_type_and_combination():
    with pytest.raises(RuntimeError, match="`fused` and `foreach` cannot be `True` together"):
        optim.Adam(fused=True, foreach=True)
    with pytest.raises(RuntimeError, match="`fused` does not support `differentiable`"):
        optim.SGD(fused=True, differentiable=True)
    with pytest.raises(ValueError, match="lr as a Tensor is not supported for capturable=False and foreach=True"):
        optim.Adam(lr=jnp.float32(0.1), foreach=True)
    for name in DENSE:
        with pytest.raises(TypeError, match="foreach must be a bool or None"):
            getattr(optim, name)(foreach="yes")
        getattr(optim, name)(foreach=False, differentiable=True)


def test_gradients_flow_through_a_step_to_lr():
    """What torch calls differentiable: the step is a function of lr as of anything else."""

    def loss(lr):
        tx, params = optim.Adam(lr=lr), {"w": jnp.array([1.0, -2.0])}
        state = tx.init(params)
        for _ in range(2):
            params, state = optim.step(tx, params, jax.tree.map(jnp.sin, params), state)
        return jnp.sum(params["w"] ** 2)

    slope = jax.jit(jax.grad(loss))(0.1)
    difference = (jax.jit(loss)(0.11) - jax.jit(loss)(0.09)) / 0.02
    np.testing.assert_allclose(slope, difference, rtol=1e-2)
