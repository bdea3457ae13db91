"""Checkpoints in torch's form: a state of torch's goes on here, and one of ours there, exactly."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch.testing._internal.common_optimizers import optim_db

from jaxgrad import optim
from jaxgrad._jaxpr.experimental import BCOO
from tests.optim import harness

torch.set_num_threads(1)
STEPS, MORE = 6, 3
BOTH_WAYS: dict[str, dict[str, Any]] = {
    "SGD": {"momentum": 0.9, "dampening": 0.5},
    "Adam": {"amsgrad": True, "weight_decay": 0.1},
    "AdamW": {},
    "RMSprop": {"momentum": 0.9, "centered": True},
    "Adagrad": {"lr_decay": 0.1},
    "Adadelta": {},
    "Adamax": {},
    "NAdam": {"momentum_decay": 0.1},
    "RAdam": {},
    "ASGD": {"t0": 2},
    "Rprop": {},
    "Adafactor": {},
    "Muon": {"ns_steps": 0},
    "SparseAdam": {},
}


def leaves_of(params):
    return {key: torch.nn.Parameter(torch.tensor(value)) for key, value in params.items()}


def torch_steps(optimizer, leaves, grads, at):
    for i in at:
        for key, grad in grads.items():
            here = torch.tensor(grad[i])
            leaves[key].grad = here.to_sparse() if isinstance(optimizer, torch.optim.SparseAdam) else here
        optimizer.step()


def our_steps(tx, params, state, grads, at):
    step = jax.jit(lambda p, g, s: optim.step(tx, p, g, s))
    for i in at:
        now = {key: jnp.asarray(value[i]) for key, value in grads.items()}
        if tx.method.rule.counts_in_python:
            now = {key: BCOO.fromdense(value, nse=value.size) for key, value in now.items()}
        params, state = step(params, now | {"never": None}, state)
    return params, state


def as_torch(tree):
    if isinstance(tree, dict):
        return {key: as_torch(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [as_torch(value) for value in tree]
    return torch.tensor(tree) if isinstance(tree, np.ndarray) else tree


def assert_same(ours, theirs, atol=1e-15):
    """The same keys, numbers of parameters and options; values to the last places."""
    assert ours["state"].keys() == theirs["state"].keys()
    for number, entry in theirs["state"].items():
        assert ours["state"][number].keys() == entry.keys()
        for key, value in entry.items():
            mine = ours["state"][number][key]
            assert isinstance(value, torch.Tensor) == isinstance(mine, np.ndarray), key
            if isinstance(value, torch.Tensor):
                assert (str(value.dtype)[6:], tuple(value.shape)) == (str(mine.dtype), mine.shape), key
            np.testing.assert_allclose(mine, np.asarray(value), rtol=1e-11, atol=atol, err_msg=f"{number} {key}")
    for mine, group in zip(ours["param_groups"], theirs["param_groups"], strict=True):
        assert mine == group


@pytest.mark.parametrize("name", list(BOTH_WAYS))
def test_a_state_goes_on_in_the_other(name, x64):
    """Parameters whose order is not the alphabet's, one of which never has a gradient, through jit on our side."""
    kwargs = BOTH_WAYS[name]
    shapes = "Muon" if name in ("Muon", "SparseAdam") else name  # sparse gradients have dimensions
    start, grads = harness.start(shapes), harness.moving_gradients(shapes, STEPS + 2 * MORE)
    start["never"] = np.ones((2, 2))
    leaves = leaves_of(start)
    reference = getattr(torch.optim, name)(list(leaves.values()), **kwargs)
    tx = getattr(optim, name)(**kwargs)
    params = {key: jnp.asarray(value) for key, value in start.items()}
    torch_steps(reference, leaves, grads, range(STEPS))
    params, state = our_steps(tx, params, tx.init(params), grads, range(STEPS))
    assert_same(optim.state_dict(tx, params, state), reference.state_dict())
    # theirs goes on here
    params = {key: jnp.asarray(leaf.detach().numpy()) for key, leaf in leaves.items()}
    state = optim.load_state_dict(tx, params, reference.state_dict())
    torch_steps(reference, leaves, grads, range(STEPS, STEPS + MORE))
    params, state = our_steps(tx, params, state, grads, range(STEPS, STEPS + MORE))
    saved = optim.state_dict(tx, params, state)
    assert_same(saved, reference.state_dict())
    # ours goes on there
    other = leaves_of({key: np.asarray(params[key]) for key in start})
    again = getattr(torch.optim, name)(list(other.values()), **kwargs)
    again.load_state_dict(as_torch(saved))
    torch_steps(again, other, grads, range(STEPS + MORE, STEPS + 2 * MORE))
    params, state = our_steps(tx, params, state, grads, range(STEPS + MORE, STEPS + 2 * MORE))
    for key, leaf in other.items():
        # torch's load casts mu_product, eta and mu to float64, ours keeps the float32 that goes on as torch's own run
        close = {"rtol": 1e-6} if name in ("NAdam", "ASGD") else {"rtol": 1e-12}
        np.testing.assert_allclose(params[key], leaf.detach().numpy(), atol=1e-14, **close)


def configurations():
    for info in optim_db:
        for each in info.optim_inputs_func("cpu"):
            name = info.optim_cls.__name__
            if name != "LBFGS":
                yield pytest.param(name, each.kwargs, id=f"{name}-{each.desc}")


@pytest.mark.parametrize(("name", "kwargs"), list(configurations()))
def test_groups_have_torchs_options(name, kwargs):
    leaves = leaves_of({"w": np.ones((2, 2)), "b": np.ones((2, 2))})
    theirs = getattr(torch.optim, name)(list(leaves.values()), **kwargs).state_dict()["param_groups"]
    tx = getattr(optim, name)(**{key: harness.as_jax(value) for key, value in kwargs.items()})
    params = {"w": jnp.ones((2, 2)), "b": jnp.ones((2, 2))}
    state = tx.init(params)
    ours = optim.state_dict(tx, params, state)["param_groups"]
    assert [group.keys() for group in ours] == [group.keys() for group in theirs]
    for key, value in theirs[0].items():
        close = np.testing.assert_allclose if isinstance(value, (float, torch.Tensor)) else np.testing.assert_equal
        close(ours[0][key], value.item() if isinstance(value, torch.Tensor) else value)
    again = optim.load_state_dict(tx, params, {"state": {}, "param_groups": theirs})
    assert optim.get_hyperparams(again) == optim.get_hyperparams(state)


def stacked(value):
    return np.stack([np.asarray(each) for each in value]) if isinstance(value, list) else np.asarray(value)


def test_lbfgs_both_ways(x64):
    rng = np.random.default_rng(0)
    start = {"w": rng.standard_normal((2, 3)), "b": rng.standard_normal(4), "a": rng.standard_normal(2)}
    curvature = {key: 1 + rng.random(value.shape) for key, value in start.items()}
    leaves = leaves_of(start)
    reference = torch.optim.LBFGS(list(leaves.values()), max_iter=3, history_size=4)
    tx = optim.LBFGS(max_iter=3, history_size=4)
    assert optim.state_dict(tx, start, tx.init(start))["state"] == {}

    def torch_step(optimizer, leaves):
        def closure():
            optimizer.zero_grad()
            loss = sum((torch.tensor(curvature[key]) * leaf**4).sum() for key, leaf in leaves.items())
            loss.backward()
            return loss

        optimizer.step(closure)

    closure = jax.value_and_grad(lambda p: sum(jnp.sum(curvature[key] * p[key] ** 4) for key in p))
    for _ in range(3):
        torch_step(reference, leaves)
    params = {key: jnp.asarray(leaf.detach().numpy()) for key, leaf in leaves.items()}
    state = optim.load_state_dict(tx, params, reference.state_dict())
    torch_step(reference, leaves)
    _, params, state = optim.step_with_closure(tx, closure, params, state)
    saved, theirs = optim.state_dict(tx, params, state), reference.state_dict()
    assert saved["param_groups"] == theirs["param_groups"]
    assert saved["state"][0].keys() == theirs["state"][0].keys()
    for key, value in theirs["state"][0].items():
        if key != "al":
            mine = saved["state"][0][key]
            np.testing.assert_allclose(stacked(mine), stacked(value), rtol=1e-9)
    other = leaves_of({key: np.asarray(params[key]) for key in start})
    again = torch.optim.LBFGS(list(other.values()), max_iter=3, history_size=4)
    again.load_state_dict(as_torch(saved))
    torch_step(again, other)
    _, params, _ = optim.step_with_closure(tx, closure, params, state)
    for key, leaf in other.items():
        np.testing.assert_allclose(params[key], leaf.detach().numpy(), rtol=1e-9)


GROUPS = [{"params": ["b", "w"], "lr": 0.5, "momentum": 0.9}, {"params": ...}]


def test_groups_and_order():
    params = {"w": jnp.ones(2), "c": jnp.ones(3), "b": jnp.ones(4), "a": jnp.ones(5)}
    tx = optim.SGD(lr=0.1, momentum=0.5, param_groups=GROUPS)
    state = tx.init(params)
    params, state = jax.jit(lambda p, s: optim.step(tx, p, p, s))(params, state)
    assert list(params) == ["a", "b", "c", "w"]
    saved = optim.state_dict(tx, params, state, param_names=True)
    assert [group["params"] for group in saved["param_groups"]] == [[0, 1], [2, 3]]
    assert [group["param_names"] for group in saved["param_groups"]] == [["b", "w"], ["c", "a"]]
    assert [entry["momentum_buffer"].size for entry in saved["state"].values()] == [4, 2, 3, 5]
    restored = optim.load_state_dict(tx, params, saved)
    jax.tree.map(np.testing.assert_array_equal, restored.state, state.state)
    plain = optim.state_dict(tx, params, state)
    with pytest.raises(ValueError, match="another shape than the parameter needs"):
        optim.load_state_dict(tx, params, plain)
    restored = optim.load_state_dict(tx, params, plain, state)
    jax.tree.map(np.testing.assert_array_equal, restored, state)
    text = {**plain, "state": {str(number): entry for number, entry in plain["state"].items()}}
    jax.tree.map(np.testing.assert_array_equal, optim.load_state_dict(tx, params, text, state), state)


def test_what_does_not_fit_is_refused():
    params = {"w": jnp.ones(2), "b": jnp.ones(3)}
    tx = optim.SGD(momentum=0.9)
    saved = optim.state_dict(tx, params, optim.step(tx, params, params, tx.init(params))[1])
    group = saved["param_groups"][0]
    with pytest.raises(ValueError, match="a different number of parameter groups"):
        optim.load_state_dict(tx, params, {**saved, "param_groups": [group, group]})
    with pytest.raises(ValueError, match="doesn't match the size of optimizer's group"):
        optim.load_state_dict(tx, params, {**saved, "param_groups": [group | {"params": [0]}]})
    with pytest.raises(ValueError, match="nesterov=True"):
        optim.load_state_dict(tx, params, {**saved, "param_groups": [group | {"nesterov": True}]})
    with pytest.raises(KeyError, match="that no group holds"):
        optim.load_state_dict(tx, params, {**saved, "state": {7: saved["state"][0]}})
    with pytest.raises(TypeError, match="is not known"):
        import optax

        optim.state_dict(optax.adam(0.1), params, None)


def test_what_was_saved_decides_whether_there_is_momentum():
    """An optimizer made without momentum takes over the one that was saved, buffers included, as torch's does."""
    params = {"w": jnp.ones(2)}
    tx = optim.SGD(momentum=0.9)
    params, state = optim.step(tx, params, params, tx.init(params))
    loaded = optim.load_state_dict(optim.SGD(), params, optim.state_dict(tx, params, state))
    ours, _ = optim.step(optim.SGD(), params, params, loaded)
    theirs, _ = optim.step(tx, params, params, state)
    np.testing.assert_array_equal(ours["w"], theirs["w"])


def test_keys_that_change_no_number():
    group = {"params": ..., "foreach": None, "fused": False, "capturable": False, "differentiable": True}
    tx = optim.NAdam(param_groups=[group | {"name": "all", "initial_lr": 0.5}])
    params = {"w": jnp.ones(2)}
    saved = optim.state_dict(tx, params, tx.init(params))["param_groups"][0]
    assert (saved["name"], saved["initial_lr"], saved["differentiable"]) == ("all", 0.5, True)
    with pytest.raises(TypeError, match="foreach must be a bool or None"):
        optim.NAdam(param_groups=[{"params": ..., "foreach": 1}])
