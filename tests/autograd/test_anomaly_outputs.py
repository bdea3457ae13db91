"""detect_anomaly: which output of the backward function torch says is wrong."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad.autograd import Function, detect_anomaly
from jaxgrad.nn import functional as F

torch = pytest.importorskip("torch")

ONE, INF = np.ones(2, np.float32), np.array([1, np.inf], np.float32)
LEFT, NAN = np.array([True, False]), np.array([np.nan, 1], np.float32)
ROW, INF_MATRIX = np.ones((2, 2), np.float32), np.array([[1, 1], [np.inf, 1]], np.float32)


def masked(fn):
    """The infinity is masked in the forward; in the backward it meets the zero that the mask sends."""

    def loss(lib, *arrays):
        value = fn(lib, *arrays)
        mask = LEFT.reshape(2, *[1] * (value.ndim - 1))
        return (jnp.where(mask, value, 0.0) if lib is jnp else torch.where(torch.tensor(mask), value, 0.0)).sum()

    return loss


def rule(base, wrong):
    class Rule(base):
        @staticmethod
        def forward(ctx, a, power, b):
            return a * b

        @staticmethod
        def backward(ctx, g):
            wrongly = g * float("nan")
            return wrongly if "a" in wrong else g, None, wrongly if "b" in wrong else g

    Rule.__name__ = "Rule"
    return lambda lib, a, b: Rule.apply(a, 2, b).sum()


def ruled(wrong):
    ours, theirs = rule(Function, wrong), rule(torch.autograd.Function, wrong)
    return lambda lib, a, b: (ours if lib is jnp else theirs)(lib, a, b)


def constant(lib, array):
    return array if lib is jnp else torch.tensor(array)


def linear(lib, x, w, b):
    return (F.linear if lib is jnp else torch.nn.functional.linear)(x, w, b)


MULTIPLIED = masked(lambda lib, a, b: a * b)
CASES = {
    "product, left": (MULTIPLIED, ONE, INF),
    "product, right": (MULTIPLIED, INF, ONE),
    "product, both": (MULTIPLIED, INF, INF),
    "product, broadcast": (masked(lambda lib, a, b: a[:, None] * b), INF, ONE[None]),
    "product, broadcast, left": (masked(lambda lib, a, b: b * a[:, None]), INF, ONE[None]),
    "quotient, above": (masked(lambda lib, a, b: a / b), ONE, LEFT.astype(np.float32)),
    "quotient, below": (masked(lambda lib, a, b: a / b), INF, ONE),
    "matrices, left": (masked(lambda lib, a, b: a @ b), ROW, INF_MATRIX),
    "matrices, right": (masked(lambda lib, a, b: a @ b), INF_MATRIX, ROW),
    "linear, input": (masked(linear), ROW, INF_MATRIX, ONE),
    "linear, weight": (masked(linear), INF_MATRIX, ROW, ONE),
    "constant before": (lambda lib, a: (constant(lib, NAN) * a).sum(), ONE),
    "constant behind": (lambda lib, a: (a * constant(lib, NAN)).sum(), ONE),
    "number before": (lambda lib, a: (float("nan") * a).sum(), ONE),
    "rule, first": (ruled("a"), ONE, ONE),
    "rule, last": (ruled("b"), ONE, ONE),
    "rule, both": (ruled("ab"), ONE, ONE),
}


@pytest.mark.parametrize("name", CASES)
def test_the_output_that_torch_names(name):
    loss, *arrays = CASES[name]
    leaves = [torch.tensor(array, requires_grad=True) for array in arrays]
    with pytest.warns(UserWarning), pytest.raises(RuntimeError) as expected, torch.autograd.detect_anomaly():
        loss(torch, *leaves).backward()
    grad = jax.grad(lambda *given: loss(jnp, *given), argnums=tuple(range(len(arrays))))
    for run in (grad, jax.jit(grad)):
        with pytest.raises(RuntimeError) as found:
            detect_anomaly(run)(*map(jnp.asarray, arrays))
        assert str(found.value).splitlines()[0] == str(expected.value).splitlines()[0]


def test_in_a_scan_of_one_operation():
    """The rounds of a loop make one call after the other of the same operation."""

    def loss(a, b):
        return jnp.where(LEFT, jax.lax.scan(lambda h, row: (h * row, None), a, b)[0], 0.0).sum()

    with pytest.raises(RuntimeError, match="Function 'MulBackward0' returned nan values in its 1th output"):
        detect_anomaly(jax.grad(loss, argnums=(0, 1)))(jnp.asarray(INF), jnp.stack([ONE, ONE]))
