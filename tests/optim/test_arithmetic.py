"""Torch's elementwise operations: the same rounding in float32, the same bits in bfloat16 and float16."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxgrad.optim._rule import arithmetic as ops
from jaxgrad.testing.comparison import ulp_distance

RNG = np.random.default_rng(0)
A, B, C = (RNG.standard_normal(4096).astype(np.float32) for _ in range(3))
C = np.abs(C) + 0.1
VALUE = 0.3
"""Given to our side when it runs: of a constant a compiler makes another operation (a product by its inverse)."""

CASES = {
    "add": (lambda v, a, b, c: ops.add(a, b, v), lambda a, b, c: a.add(b, alpha=VALUE)),
    "plus": (lambda v, a, b, c: ops.plus(a, v), lambda a, b, c: a.add(VALUE)),
    "mul": (lambda v, a, b, c: ops.mul(a, v), lambda a, b, c: a.mul(VALUE)),
    "div": (lambda v, a, b, c: ops.div(a, v), lambda a, b, c: a.div(VALUE)),
    "scalar over": (lambda v, a, b, c: ops.scalar_over(v, c), lambda a, b, c: VALUE / c),
    "sqrt": (lambda v, a, b, c: ops.sqrt(c), lambda a, b, c: c.sqrt()),
    "rsqrt": (lambda v, a, b, c: ops.rsqrt(c), lambda a, b, c: c.rsqrt()),
    "sub": (lambda v, a, b, c: ops.sub(a, b), lambda a, b, c: a.sub(b)),
    "mul tensor": (lambda v, a, b, c: ops.mul(a, b), lambda a, b, c: a.mul(b)),
    "div tensor": (lambda v, a, b, c: ops.div(a, c), lambda a, b, c: a.div(c)),
    "element": (lambda v, a, b, c: ops.element(v, a), lambda a, b, c: torch.full((), VALUE, dtype=a.dtype)),
    "lerp near": (lambda v, a, b, c: ops.lerp(a, b, v), lambda a, b, c: a.lerp(b, VALUE)),
    "lerp far": (lambda v, a, b, c: ops.lerp(a, b, 1 - v), lambda a, b, c: a.lerp(b, 0.7)),
    "lerp all": (lambda v, a, b, c: ops.lerp(a, b, jnp.float32(1)), lambda a, b, c: a.lerp(b, 1.0)),
    "addcmul": (lambda v, a, b, c: ops.addcmul(a, b, c, v), lambda a, b, c: a.addcmul(b, c, value=VALUE)),
    "addcdiv": (lambda v, a, b, c: ops.addcdiv(a, b, c, v), lambda a, b, c: a.addcdiv(b, c, value=VALUE)),
}


@pytest.mark.parametrize("name", CASES)
def test_float32_rounds_as_torch(name):
    """Equal in nearly all elements; a compiler may fuse a product into a sum, which rounds once
    less, and multiply by the inverse of a scalar divisor, which rounds once more."""
    ours, theirs = CASES[name]
    found = np.asarray(jax.jit(ours)(jnp.float32(VALUE), A, B, C))
    expected = theirs(*(torch.tensor(x) for x in (A, B, C))).numpy()
    scale = np.abs(A) + np.abs(B) + np.abs(C) + 1 / np.abs(C) + np.abs(found)
    assert np.max(np.abs(found - expected) / scale) <= np.finfo(np.float32).eps
    assert np.mean(ulp_distance(found, expected) == 0) > 0.6


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", CASES)
def test_16_bits_round_as_torch(name, dtype):
    """Every bit, of tensors that fill whole vector registers (test_sixteen_bits.py has the others); in the smaller
    ones most results are subnormal numbers of float16."""
    ours, theirs = CASES[name]
    ours, wide = jax.jit(ours), getattr(torch, dtype)
    for size in (1, 1e-4):
        tensors = [torch.tensor(x * np.float32(size)).to(wide) for x in (A, B, C)]
        found = ours(jnp.float32(VALUE), *(jnp.asarray(x.float().numpy(), dtype) for x in tensors))
        assert found.dtype == dtype
        np.testing.assert_array_equal(np.asarray(found, np.float32), theirs(*tensors).float().numpy())


def test_rounding_in_between_is_not_optimised_away():
    """Two bfloat16 operations in one jit are the two operations, as in torch."""
    a = jnp.asarray(A, jnp.bfloat16)
    fused = jax.jit(lambda a: ops.mul(ops.plus(a, 1.0), jnp.float32(3)))(a)
    expected = torch.tensor(A).bfloat16().add(1.0).mul(3.0).float().numpy()
    np.testing.assert_array_equal(np.asarray(fused.astype(jnp.float32)), expected)


def test_no_decay_leaves_the_gradient_alone():
    """torch skips the penalty for weight_decay 0: an infinite parameter does not spoil the gradient."""
    found = ops.decayed(jnp.array([1.0, -0.0]), jnp.array([jnp.inf, 1.0]), jnp.float32(0))
    assert found.tolist() == [1.0, 0.0] and np.signbit(found[1])
