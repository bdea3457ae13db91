"""The values PyTorch printed come out of the JAX side alone: the graph, vectors, sums, hooks."""

import numpy as np

from experiments import hooks, linear_autograd, loss_sum, vector_backward
from experiments.common.experiment import Settings


def printed(values):
    return [f"{each:.4f}" for each in values]


def test_linear_autograd():
    found = linear_autograd.ours(Settings(seed=1))
    assert printed(found["b.grad, one backward"]) == ["0.1083", "0.0369", "0.0726"]
    assert printed(found["b.grad, two backwards, retained"]) == ["0.2166", "0.0739", "0.1452"]
    assert found["each row of w.grad is b.grad"] == found["two backwards are exactly twice one"] == "yes"
    assert found["a second backward, not retained"].startswith(
        "RuntimeError: Trying to backward through the graph a second time"
    )
    assert found["the graph of z"].startswith("AddBackward0(")
    assert found["the graph of the loss"].startswith("BinaryCrossEntropyWithLogitsBackward0(AddBackward0(")
    assert found["z.requires_grad"] == "True"
    assert found["z.requires_grad under no_grad"] == found["z.detach().requires_grad"] == "False"


def test_vector_backward():
    found = vector_backward.ours(Settings())
    for way in ("gradient = ones", "Q.sum()", "Q[0], then Q[1]"):
        np.testing.assert_array_equal(found[f"a.grad, {way}"], [36, 81])
        np.testing.assert_array_equal(found[f"b.grad, {way}"], [-12, -8])
    assert found["no gradient given"] == "RuntimeError: grad can be implicitly created only for scalar outputs"


def test_loss_sum():
    found = loss_sum.ours(Settings(seed=5))
    assert found["sum over pieces: off by"] < 1e-6 and found["sum over pieces / 22: off by"] < 1e-6
    assert found["mean over pieces, added / 3: off by"] > 0.1


def test_hooks():
    found = hooks.ours(Settings(seed=7))
    assert found["scaled: the first layer gets a tenth"] == found["scaled: the head is untouched"] == "yes"
    assert found["leaf: its gradient afterwards"] == "None"
    assert np.abs(found["clipped: 0.weight.grad"] - found["no hook: 0.weight.grad"]).max() > 1e-4
