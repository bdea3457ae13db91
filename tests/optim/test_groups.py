"""Parameter groups: torch's defaults, sentences and per-group options."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxgrad import optim

PARAMS = {"0.weight": jnp.linspace(-1.0, 1.0, 6).reshape(2, 3), "0.bias": jnp.ones(2), "1.weight": jnp.ones((1, 2))}
GROUPS = [
    {"params": "*.bias", "lr": 0.5, "weight_decay": 0.0, "maximize": True},
    {"params": ["1.weight"], "betas": (0.5, 0.6), "amsgrad": True},
    {"params": ...},
]


def test_groups_that_differ_in_everything_are_torchs():
    leaves = {name: torch.nn.Parameter(torch.tensor(np.asarray(p), dtype=torch.float64)) for name, p in PARAMS.items()}
    members = (["0.bias"], ["1.weight"], ["0.weight"])
    theirs = [group | {"params": [leaves[n] for n in names]} for group, names in zip(GROUPS, members, strict=True)]
    reference = torch.optim.Adam(theirs, lr=0.1, weight_decay=0.3)
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        tx = optim.Adam(lr=0.1, weight_decay=0.3, param_groups=GROUPS)
        params = {name: jnp.asarray(np.asarray(p), jnp.float64) for name, p in PARAMS.items()}
        state = tx.init(params)
        step = jax.jit(lambda p, g, s, lr: optim.step(tx, p, g, s, lr=lr))
        assert optim.get_lr(state) == [0.5, 0.1, 0.1]
        for i in range(20):
            lrs = [0.5 / (i + 1), 0.1, 0.2]
            grads = {name: rng.standard_normal(p.shape) for name, p in params.items()}
            for name, leaf in leaves.items():
                leaf.grad = torch.tensor(grads[name]) if (name, i) != ("0.bias", 3) else None
            for group, lr in zip(reference.param_groups, lrs, strict=True):
                group["lr"] = lr
            reference.step()
            if i == 3:
                grads["0.bias"] = None
            params, state = step(params, grads, state, lrs)
        for name, leaf in leaves.items():
            np.testing.assert_allclose(params[name], leaf.detach().numpy(), rtol=1e-12, atol=1e-14)


def test_resolved_groups_hold_every_default():
    found = optim.param_groups(PARAMS, GROUPS, lr=0.1, weight_decay=0.3)
    assert [group["params"] for group in found] == [["0.bias"], ["1.weight"], ["0.weight"]]
    assert [group["lr"] for group in found] == [0.5, 0.1, 0.1]
    optim.Adam(param_groups=found).init(PARAMS)


@pytest.mark.parametrize(
    ("groups", "error", "sentence"),
    [
        (
            [{"params": "*"}, {"params": "0.bias"}],
            ValueError,
            "some parameters appear in more than one parameter group",
        ),
        ([{"params": "*.bias"}], ValueError, "some parameters appear in no parameter group"),
        ([{"params": ["0.bias", "0.bias"]}], ValueError, "a parameter group with duplicate parameters"),
        ([], ValueError, "optimizer got an empty parameter list"),
        (["0.bias"], TypeError, "param_group must be a dict, but got <class 'str'>"),
        ([{"params": {"0.bias"}}], TypeError, "the ordering of tensors in sets will change between runs"),
        (
            [{"params": 3}],
            TypeError,
            "params argument given to the optimizer should be an iterable of Tensors or dicts",
        ),
        ([{"params": [jnp.ones(2)]}], TypeError, "optimizer can only optimize Tensors, but one of the params is"),
        ([{"params": "2.*"}, {"params": ...}], ValueError, 'no parameter matches "2.\\*"'),
        ([{"lr": 1.0}], KeyError, "params"),
    ],
)
def test_groups_that_are_none_raise_torchs_sentence(groups, error, sentence):
    with pytest.raises(error, match=sentence):
        optim.param_groups(PARAMS, groups)
    with pytest.raises(error, match=sentence):
        optim.SGD(param_groups=groups).init(PARAMS)


def test_group_options_are_checked_as_the_defaults_are():
    with pytest.raises(ValueError, match="Invalid learning rate: -1"):
        optim.SGD(param_groups=[{"params": ..., "lr": -1}])
    with pytest.raises(TypeError, match="unexpected option 'momentun'"):
        optim.SGD(param_groups=[{"params": ..., "momentun": 0.9}])
    with pytest.raises(ValueError, match="expected one lr for each of 1 parameter groups"):
        tx = optim.SGD()
        optim.step(tx, PARAMS, PARAMS, tx.init(PARAMS), lr=[0.1, 0.2])


def test_hyperparameters_of_one_group():
    state = optim.SGD(lr=0.1, momentum=0.9, param_groups=[{"params": "*.bias"}, {"params": ...}]).init(PARAMS)
    assert optim.get_lr(optim.set_hyperparams(state, lr=0.7, group=1)) == [0.1, 0.7]
    assert optim.get_lr(optim.set_hyperparams(state, lr=[0.7, 0.8])) == [0.7, 0.8]
    assert optim.get_lr(optim.set_hyperparams({"nested": (state, 3)}, lr=0.3)) == [0.3, 0.3]
    with pytest.raises(KeyError, match="no hyper-parameter 'beta'"):
        optim.set_hyperparams(state, beta=0.7)
    with pytest.raises(KeyError, match="there is no parameter group 2"):
        optim.set_hyperparams(state, lr=0.7, group=2)
    with pytest.raises(ValueError, match="expected one lr for each of 2 parameter groups"):
        optim.set_hyperparams(state, lr=[0.7])
    with pytest.raises(ValueError, match="no state of a jaxgrad optimizer"):
        optim.get_lr({"w": jnp.ones(2)})
    with pytest.raises(ValueError, match="momentum cannot be switched on"):
        optim.set_hyperparams(optim.SGD().init(PARAMS), momentum=0.9)


def test_a_group_that_comes_later():
    """torch's add_param_group: the old parameters go on where they were, the new ones begin."""
    head = {"1.weight": PARAMS["1.weight"]}
    leaves = {name: torch.nn.Parameter(torch.tensor(np.asarray(p))) for name, p in PARAMS.items()}
    reference = torch.optim.Adam([leaves["1.weight"]], lr=0.1)
    tx = optim.Adam(lr=0.1)
    state = tx.init(head)

    def torch_step(names):
        for name in names:
            leaves[name].grad = torch.ones_like(leaves[name])
        reference.step()

    head, state = optim.step(tx, head, jax.tree.map(jnp.ones_like, head), state)
    torch_step(["1.weight"])
    params = {"0.weight": PARAMS["0.weight"], "0.bias": PARAMS["0.bias"], **head}
    with pytest.raises(ValueError, match="some parameters appear in more than one parameter group"):
        optim.add_param_group(tx, params, state, {"params": "1.weight"})
    with pytest.raises(TypeError, match="param_group must be a dict"):
        optim.add_param_group(tx, params, state, "0.*")
    tx, state = optim.add_param_group(tx, params, state, {"params": "*", "lr": 0.01, "amsgrad": True})
    reference.add_param_group({"params": [leaves["0.weight"], leaves["0.bias"]], "lr": 0.01, "amsgrad": True})
    for _ in range(2):
        params, state = optim.step(tx, params, jax.tree.map(jnp.ones_like, params), state)
        torch_step(PARAMS)
    for name, leaf in leaves.items():
        np.testing.assert_allclose(params[name], leaf.detach().numpy(), rtol=1e-6)


@pytest.mark.parametrize("name", ["SGD", "Adam", "NAdam", "RMSprop", "Muon"])
def test_the_state_by_parameter_is_torchs(name):
    """Keys and values of optimizer.state, and a state made of torch's goes on as torch does."""
    options = {"momentum": 0.9} if name in ("SGD", "RMSprop") else {}
    start = {"a": np.ones((2, 3)), "b": np.linspace(0, 1, 4).reshape(2, 2), "never": np.ones((1, 1))}
    leaves = {key: torch.nn.Parameter(torch.tensor(value, dtype=torch.float32)) for key, value in start.items()}
    reference = getattr(torch.optim, name)(list(leaves.values()), **options)
    tx = getattr(optim, name)(**options)
    params = {key: jnp.asarray(value, jnp.float32) for key, value in start.items()}
    state = tx.init(params)
    grads = {"a": jnp.full((2, 3), 0.5), "b": jnp.full((2, 2), -0.1), "never": None}

    def torch_step():
        for key, leaf in leaves.items():
            leaf.grad = None if grads[key] is None else torch.tensor(np.asarray(grads[key]))
        reference.step()

    for _ in range(3):
        torch_step()
        params, state = optim.step(tx, params, grads, state)
    found = optim.state_by_parameter(tx, params, state)
    theirs = {key: reference.state[leaf] for key, leaf in leaves.items() if leaf in reference.state}
    assert {key: set(entry) for key, entry in found.items()} == {key: set(entry) for key, entry in theirs.items()}
    for key, entry in theirs.items():
        for field, value in entry.items():
            np.testing.assert_allclose(found[key][field], value.numpy(), rtol=1e-5, atol=1e-7)
    restored = optim.state_from_parameters(
        tx, params, {key: {f: v.numpy() for f, v in entry.items()} for key, entry in theirs.items()}, state
    )
    torch_step()
    params, _ = optim.step(tx, params, grads, restored)
    for key, leaf in leaves.items():
        np.testing.assert_allclose(params[key], leaf.detach().numpy(), rtol=1e-5, atol=1e-6)
    with pytest.raises(KeyError, match='the state of "a" does not fit'):
        optim.state_from_parameters(tx, params, {"a": {"exp_avgs": 1}})
