"""Convolutions beside torch's: PyTorch's own samples, dtypes, transformations, and shapes drawn at random."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad.nn import functional as F
from tests.support.op_samples import entries, error_inputs, op_id, samples
from tests.support.samples import complaint, jax_answer, to_jax, torch_answer

NAMES = [f"nn.functional.conv{t}{n}d" for t in ("", "_transpose") for n in (1, 2, 3)]
OPS = entries(*NAMES, "nn.functional.unfold")


@pytest.mark.parametrize("op", OPS, ids=op_id)
def test_samples(op, x64):
    samples(op, limit=3).check()
    error_inputs(op).check(at_least=0)


@pytest.mark.exhaustive
@pytest.mark.parametrize("op", OPS, ids=op_id)
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128, torch.bfloat16, torch.int64], ids=str)
def test_all_samples(op, dtype, x64):
    if dtype in op.dtypes:
        samples(op, dtype=dtype, gradients=dtype.is_floating_point).check()


@pytest.mark.exhaustive
@pytest.mark.parametrize("op", OPS, ids=op_id)
def test_all_samples_in_float32(op):
    samples(op, dtype=torch.float32).check()


def draw(seed, *shapes):
    stream = np.random.default_rng(seed)
    return [torch.from_numpy(stream.standard_normal(shape)) for shape in shapes]


@st.composite
def convolutions(draw):
    """(function, shapes, arguments) of a convolution that there is."""
    n, groups = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    small = st.integers(1, 3)
    axes = st.tuples(*[small] * n)
    kernel, stride, dilation = draw(axes), draw(axes), draw(axes)
    padding = tuple(draw(st.integers(0, 2)) for _ in range(n))
    batch = draw(st.sampled_from([(), (0,), (1,), (2,)]))
    channels, out = groups * draw(small), groups * draw(small)
    kwargs = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    if draw(st.booleans()):
        spatial = tuple(draw(st.integers(1, 3)) + d * (k - 1) for d, k in zip(dilation, kernel, strict=True))
        if draw(st.booleans()):
            kwargs |= {"padding": "same", "stride": 1}
        weight = (out, channels // groups, *kernel)
        return f"conv{n}d", ((*batch, channels, *spatial), weight, (out,)), kwargs
    kwargs["output_padding"] = tuple(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True))
    spatial = tuple(4 for _ in range(n))
    weight = (channels, out // groups, *kernel)
    return f"conv_transpose{n}d", ((*batch, channels, *spatial), weight, (out,)), kwargs


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
@settings(max_examples=5, deadline=None, derandomize=True, database=None)
@given(convolutions())
def test_random_convolutions(case):
    name, shapes, kwargs = case
    tensors = draw(0, *shapes)
    try:
        theirs = torch_answer(lambda *given: getattr(torch.nn.functional, name)(*given, **kwargs), tensors)
    except RuntimeError as error:
        assert "too small" in str(error) or "Kernel size" in str(error)
        return
    with jax.enable_x64(True):
        ours = jax_answer(
            lambda *given: getattr(F, name)(*given, **kwargs), [to_jax(t) for t in tensors], list(theirs[1])
        )
    assert not complaint(ours, theirs)


def test_fold_is_the_adjoint_of_unfold_with_torchs_order(x64):
    (x,) = draw(1, (2, 12, 12))
    size, kernel = (4, 5), (2, 2)
    for kwargs in ({"stride": 1}, {"padding": 1, "dilation": 1, "stride": 1}, {"padding": 1, "stride": (2, 3)}):
        blocks = torch.nn.functional.unfold(torch.ones(1, 1, *size), kernel, **kwargs).shape[-1]
        columns = torch.cat([x] * 4, -1)[..., :blocks].contiguous()
        theirs = torch_answer(
            partial(torch.nn.functional.fold, output_size=size, kernel_size=kernel, **kwargs), [columns]
        )
        ours = jax_answer(partial(F.fold, output_size=size, kernel_size=kernel, **kwargs), [to_jax(columns)], [0])
        assert not complaint(ours, theirs)


def test_under_jit_vmap_and_grad_of_grad(x64):
    x, w = (to_jax(t) for t in draw(2, (3, 2, 5, 5), (4, 2, 3, 3)))

    def loss(x, w):
        return jnp.sum(F.conv2d(x, w, stride=2, padding=1) ** 2)

    one = jax.vmap(lambda image: F.conv2d(image, w, padding=1))(x)
    np.testing.assert_allclose(one, F.conv2d(x, w, padding=1), rtol=1e-12)
    product = jax.jit(jax.grad(lambda x: jnp.sum(jax.grad(loss, 1)(x, w) ** 2)))(x)

    tx, tw = (torch.from_numpy(np.array(v)).requires_grad_() for v in (x, w))
    out = (torch.nn.functional.conv2d(tx, tw, stride=2, padding=1) ** 2).sum()
    (inner,) = torch.autograd.grad(out, tw, create_graph=True)
    (expected,) = torch.autograd.grad((inner**2).sum(), tx)
    np.testing.assert_allclose(product, expected.numpy(), rtol=1e-10)
