"""nan and infinities, the edges of the ranges and torch's default dtype, beside torch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxgrad import optim
from tests.optim import harness

torch.set_num_threads(1)
START = {"w": np.linspace(-1, 1, 9).reshape(3, 3), "b": np.array([[np.inf, np.nan, 1.0]])}
CALM = {"w": np.full((3, 3), 0.5), "b": np.full((1, 3), 0.5)}
WILD = {
    "w": np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -2.0, 1e-300, 1e300]).reshape(3, 3),
    "b": np.array([[1.0, 1.0, np.nan]]),
}
CASES = [
    ("SGD", {"momentum": 0.9, "weight_decay": 0.1}),
    ("Rprop", {}),
    ("Adafactor", {}),
    ("Adamax", {}),
    ("Adam", {"amsgrad": True}),
    *(
        pytest.param(name, kwargs, marks=pytest.mark.exhaustive)
        for name, kwargs in [
            ("SGD", {"momentum": 0.9, "nesterov": True}),
            ("AdamW", {}),
            ("RMSprop", {"centered": True, "momentum": 0.9}),
            ("Adagrad", {}),
            ("Adadelta", {}),
            ("NAdam", {}),
            ("RAdam", {}),
            ("ASGD", {"t0": 1}),
            ("Muon", {"ns_steps": 0}),
        ]
    ),
]


@pytest.mark.parametrize(("name", "kwargs"), CASES)
def test_one_wild_gradient_among_calm_ones(name, kwargs, x64):
    leaves = {key: torch.nn.Parameter(torch.tensor(value)) for key, value in START.items()}
    reference = getattr(torch.optim, name)(list(leaves.values()), lr=0.1, **kwargs)
    tx = getattr(optim, name)(lr=0.1, **kwargs)
    params = {key: jnp.asarray(value) for key, value in START.items()}
    state, step = tx.init(params), jax.jit(lambda p, g, s: optim.step(tx, p, g, s))
    for grads in (CALM, WILD, CALM, CALM):
        for key, leaf in leaves.items():
            leaf.grad = torch.tensor(grads[key])
        reference.step()
        params, state = step(params, {key: jnp.asarray(value) for key, value in grads.items()}, state)
        for key, leaf in leaves.items():
            # every entry has moved by some 0.1, also where what is left is near zero
            np.testing.assert_allclose(params[key], leaf.detach().numpy(), rtol=1e-12, atol=1e-14, err_msg=key)


@pytest.mark.parametrize("default", ["float32", "float64"])
@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("NAdam", {"momentum_decay": 0.1}),
        ("NAdam", {"eps": 0.0, "betas": (0.9, 0.0)}),
        ("ASGD", {"t0": 5.0, "lambd": 0.3}),
        ("ASGD", {"lr": 0.0}),
    ],
)
def test_torchs_default_dtype(name, kwargs, default):
    """float32 unless float64 is asked for, in x64 mode too; eta, mu and mu_product decide over 1e-8 of a step."""
    params, grads = harness.start(name), harness.moving_gradients(name, 40)
    theirs = harness.torch_run(name, kwargs, params, grads, "float64", default=default)
    ours = harness.jax_run(name, kwargs, params, grads, "float64", default=default)
    for key, value in theirs.items():
        np.testing.assert_allclose(ours[key], value, rtol=1e-13, atol=1e-14)
    other = harness.jax_run(
        name, kwargs, params, grads, "float64", default="float64" if default == "float32" else "float32"
    )
    if kwargs.get("lr") != 0.0:
        assert max(np.abs(other[key] - theirs[key]).max() for key in theirs) > 1e-11, "the other dtype is seen"


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("AdamW", {"lr": np.inf, "weight_decay": 0.0}),
        ("Adafactor", {"lr": np.inf}),
        ("Adafactor", {"lr": np.inf, "weight_decay": 0.1}),
        ("RAdam", {"lr": np.inf, "eps": np.inf, "decoupled_weight_decay": True}),
        ("NAdam", {"lr": np.inf, "decoupled_weight_decay": True}),
        ("Muon", {"lr": np.inf, "weight_decay": 0.0}),
        ("SGD", {"lr": np.inf, "weight_decay": 0.0}),
    ],
)
def test_an_infinite_lr(name, kwargs):
    """Torch skips a decay of 0, but for Muon: 0 * inf is nan. Adafactor has a lr of its own, which is smaller."""
    params, grads = harness.start(name), harness.moving_gradients(name, 3)
    with np.errstate(invalid="ignore"):
        theirs = harness.torch_run(name, kwargs, params, grads, "float64")
        ours = harness.jax_run(name, kwargs, params, grads, "float64")
    for key, value in theirs.items():
        np.testing.assert_allclose(ours[key], value, rtol=1e-12, err_msg=key)


def test_the_numbers_kept_are_torchs_to_the_last_bit():
    leaf = torch.nn.Parameter(torch.ones(1))
    theirs = {name: getattr(torch.optim, name)([leaf]) for name in ("NAdam", "ASGD")}
    params = {"w": jnp.ones(1)}
    ours = {name: (getattr(optim, name)(), getattr(optim, name)().init(params)) for name in theirs}
    for _ in range(20):
        leaf.grad = torch.ones(1)
        for name, (tx, state) in ours.items():
            theirs[name].step()
            state = optim.step(tx, params, params, state)[1]
            ours[name] = (tx, state)
            for key, vector in state.param_groups[0].scalars.items():
                assert vector[0].item() == theirs[name].state[leaf][key].item(), key


def test_nan_where_torch_takes_it():
    assert np.isnan(optim.get_lr(optim.SGD(lr=float("nan")).init({"w": jnp.ones(1)}))[0])
    for name in ("Adam", "RMSprop", "Adagrad", "Rprop"):
        with pytest.raises(ValueError, match="Invalid learning rate: nan"):
            getattr(optim, name)(lr=float("nan"))


@pytest.mark.parametrize("name", ["SGD", "Adam", "LBFGS"])
def test_the_commonest_wrong_first_arguments(name):
    make = getattr(optim, name)
    for params in ({"w": jnp.ones(1)}, [jnp.ones(2)], iter([jnp.ones(1)])):
        with pytest.raises(
            TypeError, match=rf"{name}\(\): argument 'lr' must be float(.|\n)*state = tx.init\(params\)"
        ):
            make(params)
    with pytest.raises(TypeError, match=r"must be float, not function(.|\n)*inject_hyperparams"):
        make(lambda count: 0.1)
    with pytest.raises(TypeError, match="argument 'lr' must be float, not str"):
        make("0.1")
    with pytest.raises(TypeError, match="argument 'betas' must be tuple of 2 floats, not float"):
        optim.Adam(betas=0.9)
    with pytest.raises(ValueError, match=r"argument 'betas' must be tuple of 2 floats(.|\n)*3 of them"):
        optim.Adam(betas=(0.9, 0.99, 0.999))
