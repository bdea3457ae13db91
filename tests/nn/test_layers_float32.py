"""Recurrent layers, attention and sums over positions in float32, by torch's own rounding; 16 bits by dtype."""

import statistics

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxgrad import func, nn, random
from jaxgrad.nn import functional as F
from jaxgrad.parity.measure import noise_ratio
from tests.support.module_samples import infos
from tests.support.module_samples import samples as module_samples
from tests.support.op_samples import entries
from tests.support.op_samples import samples as op_samples

LAYERS = [
    ("LSTM", (12, 16), {"num_layers": 2}, [(20, 4, 12)]),
    ("GRU", (12, 16), {"bidirectional": True}, [(20, 4, 12)]),
    ("RNN", (12, 16), {}, [(20, 4, 12)]),
    ("MultiheadAttention", (16, 4), {}, [(10, 3, 16)] * 3),
    ("TransformerEncoderLayer", (16, 4, 32, 0.0), {}, [(10, 3, 16)]),
]


def reference(theirs, arrays, dtype):
    model = theirs.to(dtype)
    leaves = [torch.tensor(each, dtype=dtype, requires_grad=True) for each in arrays]
    out = first(model(*leaves))
    weights = torch.tensor(np.cos(np.arange(out.numel())).reshape(out.shape), dtype=dtype)
    grads = torch.autograd.grad((out * weights).sum(), [*model.parameters(), *leaves], allow_unused=True)
    return [each.detach().numpy().copy() for each in [out, *(g for g in grads if g is not None)]]


def first(output):
    return output[0] if isinstance(output, tuple) else output


@pytest.mark.parametrize(("name", "args", "kwargs", "shapes"), LAYERS)
def test_float32(name, args, kwargs, shapes):
    torch.manual_seed(0)
    theirs = getattr(torch.nn, name)(*args, **kwargs)
    ours = getattr(nn, name)(*args, **kwargs, rngs=nn.Rngs(random.manual_seed(0)))
    params, _ = func.extract(ours)
    order = [key for key, _ in theirs.named_parameters()]
    assert order == list(params)
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]

    @jax.jit
    def run(params, arrays):
        def loss(params, arrays):
            out = first(func.functional_call(ours, params, tuple(arrays), training=True))
            return jnp.sum(out * np.cos(np.arange(out.size)).reshape(out.shape).astype(np.float32)), out

        (_, out), grads = jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)(params, arrays)
        return [out, *(grads[0][key] for key in order), *grads[1]]

    mine = run(params, arrays)
    single, double = reference(theirs, arrays, torch.float32), reference(theirs, arrays, torch.float64)
    ratios = [noise_ratio(*each) for each in zip(mine, single, double, strict=True)]
    assert max(ratios) <= 3 and statistics.median(ratios) <= 1.5, ratios


def test_gradients_that_are_sums_over_positions():
    (slope,) = infos("PReLU")
    module_samples(slope, dtype=torch.float32, modes=(True,)).check()
    (bias,) = entries("nn.functional.conv_transpose3d")
    op_samples(bias, dtype=torch.float32, limit=1).check()


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_sixteen_bits(dtype):
    for name, args, kwargs, shapes in LAYERS:
        ours = getattr(nn, name)(*args, **kwargs, dtype=dtype, rngs=nn.Rngs(random.manual_seed(0)))
        arrays = tuple(jnp.ones(shape, dtype) for shape in shapes)
        out = jax.eval_shape(lambda arrays, ours=ours: func.functional_call(ours, {}, arrays, training=True), arrays)
        assert {leaf.dtype for leaf in jax.tree.leaves(out)} == {jnp.dtype(dtype)}, name
    q = jnp.ones((2, 3, 4), dtype)
    assert F.scaled_dot_product_attention(q, q, q, is_causal=True).dtype == jnp.dtype(dtype)
