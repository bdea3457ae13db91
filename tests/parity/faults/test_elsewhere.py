"""Ports in flax, equinox and optax with their libraries' defaults, one left in at a time: where, and why."""

from functools import partial

import optax
import pytest
import torch

from jaxgrad import parity
from tests.parity.faults.ports_elsewhere import (
    IMAGES,
    MLP_BATCHES,
    equinox_mlp,
    flax_cnn,
    flax_mlp,
    torch_cnn,
    torch_mlp,
)

SGD, SGD_HERE = partial(torch.optim.SGD, lr=0.1), optax.sgd(0.1)
MOMENTUM = partial(torch.optim.SGD, lr=0.1, momentum=0.9)
ADAMW = partial(torch.optim.AdamW, lr=1e-2)
ADAM = partial(torch.optim.Adam, lr=1e-2)
RMSPROP = partial(torch.optim.RMSprop, lr=1e-2)

FALLING = optax.linear_schedule(0.1, 0.04, 3)

LOSS_ONLY = {"tells": ("loss",)}

MLPS = {
    "flax right": (flax_mlp, SGD, SGD_HERE, {}, None, None, None),
    "equinox right": (equinox_mlp, MOMENTUM, optax.sgd(0.1, 0.9), {}, None, None, None),
    "flax gelu": (flax_mlp, SGD, SGD_HERE, {"approximate": True}, None, "loss", "gelu_tanh"),
    "equinox gelu": (equinox_mlp, SGD, SGD_HERE, {"approximate": True}, None, "loss", "gelu_tanh"),
    "flax LayerNorm": (flax_mlp, SGD, SGD_HERE, {"epsilon": 1e-6}, None, "loss", "norm_eps"),
    "flax adamw": (flax_mlp, ADAMW, optax.adamw(1e-2), {}, None, "params", "another_weight_decay"),
    "equinox adamw": (equinox_mlp, ADAMW, optax.adamw(1e-2), LOSS_ONLY, None, "params", "another_weight_decay"),
    "equinox Nesterov": (equinox_mlp, MOMENTUM, optax.sgd(0.1, 0.9, True), {}, None, "params", "nesterov"),
    "flax nadam": (flax_mlp, ADAM, optax.nadam(1e-2), {}, None, "params", None),
    "flax moments in bfloat16": (flax_mlp, ADAM, optax.adam(1e-2, mu_dtype="bfloat16"), {}, None, "optimizer", None),
    "equinox half a step at step 1": (
        equinox_mlp,
        SGD,
        optax.chain(SGD_HERE, optax.scale_by_schedule(lambda step: 1 - 0.5 * (step == 1))),
        {},
        None,
        "params",
        None,
    ),
    "flax lr that falls": (
        flax_mlp,
        SGD,
        optax.sgd(optax.linear_schedule(0.1, 0.04, 3)),
        {},
        None,
        "params",
        "another_lr",
    ),
    "flax rmsprop": (flax_mlp, RMSPROP, optax.rmsprop(1e-2), {}, None, "optimizer", "another_alpha"),
    "equinox clip": (
        equinox_mlp,
        SGD,
        optax.chain(optax.clip(0.05), SGD_HERE),
        LOSS_ONLY,
        0.05,
        "params",
        "clip_by_value_or_norm",
    ),
    "flax no clip": (flax_mlp, SGD, SGD_HERE, {}, 0.05, "params", "clip_missing"),
}

CNNS = {
    "right": ({}, None, None),
    "flax's running variance": ({"unbiased": False}, "buffers", "biased_running_variance"),
    "flax's momentum": ({"momentum": 0.99}, "buffers", "another_running_momentum"),
    "epsilon 1e-3": ({"epsilon": 1e-3}, "loss", "norm_eps"),
}


def check(report, phase, cause):
    assert report.noise["explaining_failed"] == ""
    assert (None if report.first is None else report.first.phase) == phase, report.first
    assert (None if report.cause is None else report.cause.name) == cause, (report.first, report.cause)


@pytest.mark.parametrize("name", MLPS)
def test_a_perceptron(name):
    port, optimizer, tx, options, clip, phase, cause = MLPS[name]
    model, reference = torch_mlp(optimizer, clip)
    check(parity.compare(reference, port(model, tx, **options), MLP_BATCHES), phase, cause)


@pytest.mark.parametrize("name", CNNS)
def test_a_network_of_convolutions(name):
    options, phase, cause = CNNS[name]
    model, reference = torch_cnn(SGD)
    check(parity.compare(reference, flax_cnn(model, SGD_HERE, **options), IMAGES), phase, cause)
