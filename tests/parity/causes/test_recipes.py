"""Causes that the port of a whole recipe met: a cosine of another length, a decay that is clipped."""

import jax
import numpy as np
import pytest
import torch

from jaxgrad.parity.causes.rules.kernel import padded_same
from tests.parity.causes.test_recordings import explained

BASE = 0.05


def cosine(length, steps=4, wrong=0.0):
    return [{"lr": {"lr": np.asarray(BASE * (1 + np.cos(np.pi * t / length)) / 2 + wrong * t)}} for t in range(steps)]


META = {"scheduler": "CosineAnnealingLR"}


@pytest.mark.parametrize("length", [11, 13, 3, 120])
def test_a_cosine_of_another_length(length):
    cause = explained(cosine(12), cosine(length), "lr", "lr", META, step=1)
    assert (cause.name, cause.parameters) == ("schedule_length", {"T_max": length, "expected": 12})
    assert cause.sentence == f"the cosine is {length} steps long instead of 12" and cause.remaining < 1e-9


def test_what_is_no_cosine_is_not_called_one():
    cause = explained(cosine(12), cosine(11, wrong=1e-5), "lr", "lr", META, step=1)
    assert cause is None or cause.name != "schedule_length"
    cause = explained(cosine(12), cosine(11), "lr", "lr", {"scheduler": "StepLR"}, step=1)
    assert cause is None or cause.name != "schedule_length"


def recipe(how, eps):
    """Two steps of SGD with momentum, decay and clip; what the optimizer remembers."""
    rng = np.random.default_rng(0)
    decay, limit, lr = 0.1, 0.5, 0.1
    p, buffers, found = {"w": rng.normal(size=(3, 4)), "b": rng.normal(size=3)}, {}, []
    start = dict(p)
    for _ in range(2):
        g = {name: rng.normal(size=value.shape) for name, value in p.items()}
        joined = {name: g[name] + (decay * p[name] if how == "clipped" else 0) for name in g}
        factor = min(1.0, limit / (np.sqrt(sum((each**2).sum() for each in joined.values())) + eps))
        u = {name: joined[name] * factor + (0 if how == "clipped" else decay * p[name]) for name in g}
        buffers = {name: u[name] + (0.9 * buffers[name] if buffers else 0) for name in g}
        p = {name: p[name] - lr * buffers[name] for name in g}
        state = {f"momentum_buffer['{name}']": value for name, value in buffers.items()}
        found.append({"grads": g, "lr": {"lr": np.asarray(lr)}, "optimizer": state, "params": dict(p)})
    return start, found


@pytest.mark.parametrize("eps", [1e-6, 0.0])
@pytest.mark.parametrize("step", [0, 1])
def test_a_decay_that_is_clipped(eps, step):
    start, right = recipe("after", 1e-6)
    wrong = [*right[:step], recipe("clipped", eps)[1][step]] if step == 0 else recipe("clipped", eps)[1]
    group = {"params": ["w", "b"], "lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}
    meta = {"optimizer": {"class": "SGD", "groups": [group]}, "clip": 0.5}
    cause = explained(right, wrong, "optimizer", "momentum_buffer['w']", meta, {"params": start}, step=0)
    assert (cause.name, cause.parameters) == ("decay_clipped", {"eps": eps})
    assert cause.remaining < 1e-12 and ("1e-6" in cause.sentence) == (eps == 0.0)


@pytest.mark.parametrize("stride, dilation, size", [(1, 1, 7), (2, 1, 8), (2, 1, 7), ((2, 1), (1, 2), 9)])
def test_padding_like_same(stride, dilation, size):
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(2, 3, size, size + 1)).astype("f"), rng.normal(size=(4, 3, 3, 2)).astype("f")
    both = [(each, each) if isinstance(each, int) else each for each in (stride, dilation)]
    wanted = jax.lax.conv_general_dilated(x, w, both[0], "SAME", rhs_dilation=both[1])
    found = padded_same(
        torch, torch.nn.functional.conv2d, (torch.tensor(x), torch.tensor(w), None, stride, 1, dilation), {}
    )
    assert np.allclose(found.numpy(), wanted, atol=1e-5)


def clipped_adam(beta1, steps=3):
    """Adam behind a clip; its gradients depend on the parameters, so that runs that have parted get others."""
    rng = np.random.default_rng(1)
    p, lr, beta2, found = {"w": rng.normal(size=(3, 4))}, 0.05, 0.99, []
    start, target = dict(p), rng.normal(size=(3, 4))
    m = v = np.zeros((3, 4))
    for t in range(1, steps + 1):
        grad = p["w"] * (1 + t % 2) - target
        clipped = grad * min(1.0, 0.5 / (np.linalg.norm(grad) + 1e-6))
        m, v = beta1 * m + (1 - beta1) * clipped, beta2 * v + (1 - beta2) * clipped**2
        p = {"w": p["w"] - lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + 1e-8)}
        record = {"grads": {"w": grad}, "clipped": {"w": clipped}, "lr": {"lr": np.asarray(lr)}, "params": p}
        found.append(record)
    return start, found


@pytest.mark.parametrize("tells", [("grads", "params"), ("grads", "clipped", "params")])
def test_a_constant_behind_a_clip_that_the_candidate_does_not_write_down(tells):
    """The next step, which confirms it, is of the candidate's gradients, clipped anew."""
    start, right = clipped_adam(0.9)
    wrong = [{phase: record[phase] for phase in tells} for record in clipped_adam(0.95)[1]]
    group = {"params": ["w"], "lr": 0.05, "betas": (0.9, 0.99), "eps": 1e-8, "weight_decay": 0.0}
    meta = {"optimizer": {"class": "Adam", "groups": [group]}, "clip": 0.5}
    cause = explained(right, wrong, "params", "w", meta, {"params": start}, step=1)
    assert cause is not None and cause.name == "another_beta1" and cause.parameters["beta1"] == 0.95
