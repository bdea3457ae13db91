"""The tools that people use on optimizer states take ours: optax's wrappers and tree functions, flax, pickle."""

import copy
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx, serialization

from jaxgrad import optim
from tests.support.promotion import as_written

OPTIONS = {"SGD": {"momentum": 0.9}, "RMSprop": {"momentum": 0.9, "centered": True}, "Adam": {"amsgrad": True}}
DENSE = ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam", "ASGD", "Rprop"]
DENSE += ["Adafactor", "Muon"]
ALL = [*DENSE, "SparseAdam", "LBFGS"]
FEW = ["SGD", "Adam"]
PARAMS = {"w": jnp.ones((2, 3)), "b": jnp.ones((3, 1))}
GRADS = {"w": jnp.full((2, 3), 0.5), "b": jnp.full((3, 1), 0.5)}


def slice_of(few, everything):
    rest = [name for name in everything if name not in few]
    return [*few, *(pytest.param(name, marks=pytest.mark.exhaustive) for name in rest)]


def make(name, **more):
    return getattr(optim, name)(**{**OPTIONS.get(name, {}), **more})


@pytest.mark.parametrize("name", ALL)
def test_tree_tools(name):
    tx = make(name)
    state = tx.init(PARAMS)
    if name in DENSE:
        _, state = optim.step(tx, PARAMS, GRADS, state)
        assert optax.tree.get(state, "step").tolist() == [1, 1]
    restored = serialization.from_bytes(tx.init(PARAMS), serialization.to_bytes(state))
    assert jax.tree.structure(restored) == jax.tree.structure(state)
    jax.tree.map(np.testing.assert_array_equal, restored, state)
    mapped = optax.tree.map_params(tx, lambda leaf: 2 * leaf, state)
    assert jax.tree.structure(mapped) == jax.tree.structure(state)
    faster = optax.tree.set(state, lr=jnp.asarray(0.5))
    assert optim.get_lr(faster) == [0.5]


@pytest.mark.parametrize("name", ALL)
def test_masks_that_leave_nothing(name):
    """An empty list of parameters is refused in a user's call, not in a wrapper's."""
    tx = make(name)
    unused = optax.multi_transform({"ours": tx, "unused": tx}, {"w": "ours", "b": "ours"})
    for wrapper in (unused, optax.masked(tx, {"w": False, "b": False})):
        state = wrapper.init(PARAMS)
        if name in FEW:
            wrapper.update(GRADS, state, PARAMS)
    for nothing in ({}, [], (), {"a": {}}):
        with pytest.raises(ValueError, match="optimizer got an empty parameter list"):
            tx.init(nothing)


@pytest.mark.parametrize("name", slice_of(FEW, DENSE))
@as_written
def test_wrappers(name):
    tx = make(name)
    alone = jax.jit(lambda p, s: optim.step(tx, p, GRADS, s))
    expected, _ = alone(*alone(PARAMS, tx.init(PARAMS)))
    every_second = optax.MultiSteps(tx, 2).gradient_transformation()
    for wrapper, steps in ((optax.apply_if_finite(tx, 3), 2), (every_second, 4)):

        def step(params, state, wrapper=wrapper):
            updates, state = wrapper.update(GRADS, state, params)
            return optim.apply_updates(params, updates), state

        params, state = PARAMS, wrapper.init(PARAMS)
        compiled = jax.jit(step)
        for _ in range(steps):
            params, state = compiled(params, state)
        np.testing.assert_allclose(params["w"], expected["w"], rtol=1e-6)


@pytest.mark.parametrize("name", slice_of(FEW, DENSE))
def test_flax_optimizer(name):
    class Model(nnx.Module):
        def __init__(self):
            self.w, self.b = nnx.Param(PARAMS["w"]), nnx.Param(PARAMS["b"])

    tx, model = make(name), Model()
    optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)
    grads = nnx.grad(lambda m: 0.5 * (jnp.sum(m.w[...]) + jnp.sum(m.b[...])))(model)
    optimizer.update(model, grads)
    nnx.jit(lambda m, o, g: o.update(m, g))(model, optimizer, grads)
    params, state = PARAMS, tx.init(PARAMS)
    for _ in range(2):
        params, state = optim.step(tx, params, GRADS, state)
    np.testing.assert_allclose(model.w[...], params["w"], rtol=1e-6)


@pytest.mark.parametrize("name", slice_of(["SGD", "Adam", "Muon"], DENSE))
def test_injected_hyperparameters_take_effect(name):
    """optax.inject_hyperparams makes the optimizer anew at each step, with arrays for numbers."""
    falling = as_written(lambda count: 0.1 * 0.5**count)
    wrapped = optax.inject_hyperparams(getattr(optim, name))(lr=falling, **OPTIONS.get(name, {}))
    tx, params, state = make(name), PARAMS, wrapped.init(PARAMS)
    update = jax.jit(wrapped.update)
    theirs, other = PARAMS, tx.init(PARAMS)
    ours = jax.jit(lambda p, s: optim.step(tx, p, GRADS, s))
    for i in range(3):
        updates, state = update(GRADS, state, params)
        params = optim.apply_updates(params, updates)
        theirs, other = ours(theirs, optim.set_hyperparams(other, lr=0.1 * 0.5**i))
        np.testing.assert_allclose(optim.get_lr(state), 0.1 * 0.5**i, rtol=1e-6)
    np.testing.assert_allclose(params["w"], theirs["w"], rtol=1e-5)


def test_who_spoke_last_sets_the_number():
    """An array at construction is live; what set_hyperparams says lasts until the array changes; a float is a start."""
    tx = optim.SGD(lr=jnp.asarray(0.5))
    state = tx.init(PARAMS)
    lr = lambda tx, state: optim.get_lr(optim.step(tx, PARAMS, GRADS, state)[1])[0]  # noqa: E731
    assert lr(tx, state) == 0.5
    assert lr(tx, optim.set_hyperparams(state, lr=0.25)) == 0.25
    assert lr(optim.SGD(lr=jnp.asarray(0.125)), optim.set_hyperparams(state, lr=0.25)) == 0.125
    assert lr(optim.SGD(lr=0.125), state) == 0.5
    assert lr(optim.SGD(lr=jnp.asarray(0.125)), optim.SGD(lr=0.5).init(PARAMS)) == 0.125
    betas = optim.Adam(betas=(jnp.asarray(0.5), jnp.asarray(0.75)))
    _, state = optim.step(betas, PARAMS, GRADS, optim.Adam().init(PARAMS))
    assert optim.get_hyperparams(state)[0]["betas"] == (0.5, 0.75)


@pytest.mark.parametrize("name", ALL)
def test_an_optimizer_can_be_stored(name):
    tx = make(name)
    again = copy.deepcopy(pickle.loads(pickle.dumps(tx)))
    assert jax.tree.structure(again.init(PARAMS)) == jax.tree.structure(tx.init(PARAMS))
    assert optim.get_hyperparams(again.init(PARAMS)) == optim.get_hyperparams(tx.init(PARAMS))


def test_a_replaced_update_is_obeyed():
    tx = optim.SGD(lr=0.5)
    halved = tx._replace(update=lambda g, s, p=None, **extra: (jax.tree.map(lambda x: -x / 4, g), s))
    assert optim.step(halved, PARAMS, GRADS, halved.init(PARAMS))[0]["w"][0, 0] == 1 - 0.125
    same = tx._replace(init=tx.init)
    assert optim.step(same, PARAMS, GRADS, same.init(PARAMS))[0]["w"][0, 0] == 0.75


def test_a_donated_state_can_be_shown():
    tx = optim.Adam()
    state = jax.tree.map(jnp.copy, tx.init(PARAMS))
    jax.jit(lambda s: optim.step(tx, PARAMS, GRADS, s)[1], donate_argnums=0)(state)
    assert "exp_avg=<donated float32[2,3]>" in repr(state)
