"""A hundred steps of real training in float32: a perceptron on handwritten digits, gradients its own, every optimizer.

One run is a lottery. Where a unit sits at its kink, or a gradient is rounding and nothing else, the next rounding
decides, and either library may jump away from the truth while the other does not. What can be claimed is the typical
run: for each tensor the median distance from the float64 run over many seeds, ours against torch's.
"""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from sklearn.datasets import load_digits

from jaxgrad import optim
from jaxgrad.nn import functional as F

STEPS, BATCH, SEEDS = 100, 64, 15
OPTIONS = {
    "SGD": {"lr": 0.1, "momentum": 0.9},
    "Adam": {},
    "AdamW": {},
    "RMSprop": {"lr": 1e-3},
    "Adagrad": {},
    "Adadelta": {},
    "Adamax": {},
    "NAdam": {},
    "RAdam": {},
    "ASGD": {},
    "Rprop": {},
    "Adafactor": {},
    "Muon": {},
}
"""Torch's defaults but for two learning rates; LBFGS and SparseAdam take no ordinary step."""


def trains(name, key):
    """Whether a parameter is trained: Muon takes matrices only."""
    return name != "Muon" or key.endswith("weight")


@cache
def batches(seed):
    digits = load_digits()
    order = np.random.default_rng(seed).integers(len(digits.target), size=(STEPS, BATCH))
    return (digits.data[order] / 16).astype(np.float32), digits.target[order]  # sixteenths: exact in float32


def perceptron(seed):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(64, 48), torch.nn.ReLU(), torch.nn.Linear(48, 10))


def torch_run(name, seed, dtype):
    model = perceptron(seed).to(dtype)
    trained = [value for key, value in model.named_parameters() if trains(name, key)]
    optimizer = getattr(torch.optim, name)(trained, **OPTIONS[name])
    xs, ys = (torch.from_numpy(each) for each in batches(seed))
    for x, y in zip(xs.to(dtype), ys, strict=True):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    return {key: value.detach().double().numpy() for key, value in model.named_parameters() if trains(name, key)}


def compiled(name, tx):
    def loss_fn(params, x, y):
        hidden = F.relu(F.linear(x, params["0.weight"], params["0.bias"]))
        return F.cross_entropy(F.linear(hidden, params["2.weight"], params["2.bias"]), y)

    def trained_of(tree):
        return {key: value for key, value in tree.items() if trains(name, key)}

    def one_step(carry, batch):
        params, state = carry
        grads = jax.grad(loss_fn)(params, *batch)
        moved, state = optim.step(tx, trained_of(params), trained_of(grads), state)
        return (params | moved, state), None

    def run(params, xs, ys):
        return jax.lax.scan(one_step, (params, tx.init(trained_of(params))), (xs, ys))[0][0]

    return jax.jit(run)


def our_run(run, seed):
    start = {key: jnp.asarray(value.detach().numpy()) for key, value in perceptron(seed).named_parameters()}
    return {key: np.float64(value) for key, value in run(start, *batches(seed)).items()}


def typical_ratios(name, tx):
    """For each tensor our typical distance from the truth after all steps, in units of torch's."""
    run = compiled(name, tx)
    distances = []
    for seed in range(SEEDS):
        truth, theirs = (torch_run(name, seed, dtype) for dtype in (torch.float64, torch.float32))
        ours = our_run(run, seed)
        distances.append([[np.linalg.norm(side[key] - truth[key]) for key in truth] for side in (ours, theirs)])
    ours, theirs = np.median(distances, axis=0)
    return ours / theirs


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIONS)
def test_a_typical_run_is_within_torchs_own_noise(name):
    ratios = typical_ratios(name, getattr(optim, name)(**OPTIONS[name]))
    assert ratios.max() <= 3
    assert np.median(ratios) <= 1.5


@pytest.mark.slow
def test_a_naive_port_is_not():
    assert typical_ratios("Adam", optax.adam(1e-3)).min() > 5
