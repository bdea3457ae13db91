"""Pools beside torch's: PyTorch's own samples, ties and nan, refusals, transformations."""

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

AXES = (1, 2, 3)
KINDS = ("max_pool", "avg_pool", "adaptive_avg_pool", "adaptive_max_pool", "max_unpool")
NAMES = [f"nn.functional.{kind}{n}d" for kind in KINDS for n in AXES]
NAMES += ["nn.functional.fractional_max_pool2d", "nn.functional.fractional_max_pool3d"]
OPS = entries(*NAMES)


@pytest.mark.parametrize("op", OPS, ids=op_id)
def test_samples(op, x64):
    samples(op, limit=2).check()
    error_inputs(op).check(at_least=0)


@pytest.mark.exhaustive
@pytest.mark.parametrize("op", OPS, ids=op_id)
def test_all_samples(op, x64):
    samples(op, limit=40).check()


@pytest.mark.exhaustive
@pytest.mark.parametrize("op", OPS, ids=op_id)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64], ids=str)
def test_all_samples_in_other_dtypes(op, dtype, request):
    if dtype != torch.float32:
        request.getfixturevalue("x64")  # where indices are int64, as torch's
    if dtype in op.dtypes:
        samples(op, dtype=dtype, limit=12, gradients=dtype.is_floating_point).check()


def compare(name, *tensors, **kwargs):
    """Value, indices and gradient of one call in both."""
    theirs = torch_answer(lambda *given: getattr(torch.nn.functional, name)(*given, **kwargs), list(tensors))
    with jax.enable_x64(True):
        ours = jax_answer(
            lambda *given: getattr(F, name)(*given, **kwargs), [to_jax(t) for t in tensors], list(theirs[1])
        )
    found = complaint(ours, theirs)
    assert not found, (name, kwargs, found)


INF, NAN = float("inf"), float("nan")
SPECIAL = [
    [[1, 1, 2, 2], [1, 1, 2, 2], [3, 0, 0, 3], [0, 3, 3, 0]],  # ties
    [[NAN, 1, 2, NAN], [1, NAN, 2, NAN], [INF, 0, NAN, 3], [0, INF, 3, 0]],
    [[-INF, -INF, -INF, -INF]] * 4,
]


@pytest.mark.parametrize("kernel", [2, 3, (1, 4)])
def test_ties_nan_and_infinities_of_maxima(kernel):
    for rows in SPECIAL:
        x = torch.tensor([rows], dtype=torch.float64)
        compare("max_pool2d", x, kernel_size=kernel, stride=1, return_indices=True)
        compare("max_pool2d", x, kernel_size=kernel, stride=2, padding=(0, 1), ceil_mode=True, return_indices=True)
    compare("adaptive_max_pool2d", torch.tensor(SPECIAL, dtype=torch.float64), output_size=(3, 2), return_indices=True)


def test_long_windows_are_gathered_by_the_same_rule():
    rows = torch.tensor([[0.0, 5, NAN, 1, 5, 5, NAN, 2, 3, 9, 9, -INF], [-INF] * 12], dtype=torch.float64)
    compare("max_pool1d", rows, kernel_size=10, stride=2, padding=5, return_indices=True)
    compare("max_pool1d", rows, kernel_size=9, stride=1, padding=2, return_indices=True)
    compare("avg_pool1d", rows[:1].nan_to_num(), kernel_size=10, stride=3, padding=4, ceil_mode=True)


@st.composite
def pools(draw):
    n = draw(st.integers(1, 3))
    axes = st.tuples(*[st.integers(1, 3)] * n)
    kernel = draw(axes)
    kwargs = {"kernel_size": kernel, "stride": draw(axes), "ceil_mode": draw(st.booleans())}
    kwargs["padding"] = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    kind = draw(st.sampled_from(["max_pool", "avg_pool", "lp_pool", "adaptive_avg_pool", "adaptive_max_pool"]))
    if kind == "max_pool":
        kwargs |= {"dilation": draw(axes), "return_indices": True}
    elif kind == "avg_pool":
        kwargs |= {"count_include_pad": draw(st.booleans())}
        if n > 1:
            kwargs |= {"divisor_override": draw(st.sampled_from([None, 3]))}
    elif kind == "lp_pool":
        kwargs = {"norm_type": draw(st.sampled_from([1, 2, 3.5, INF])), "ceil_mode": kwargs["ceil_mode"]}
        kwargs["kernel_size"] = kernel[0]
    else:
        kwargs = {"output_size": draw(axes)}
        if kind == "adaptive_max_pool":
            kwargs |= {"return_indices": True}
    batch = draw(st.sampled_from([(), (0,), (2,)]))
    shape = (*batch, 2, *(draw(st.integers(4, 7)) for _ in range(n)))
    return f"{kind}{n}d", shape, kwargs


@settings(max_examples=5, deadline=None, derandomize=True, database=None)
@given(pools())
def test_random_pools(case):
    name, shape, kwargs = case
    x = torch.from_numpy(np.random.default_rng(0).uniform(0.5, 2.0, shape))
    try:
        getattr(torch.nn.functional, name)(x, **kwargs)
    except RuntimeError as error:
        assert "Output size is too small" in str(error) or "Invalid computed output size" in str(error)
        return
    compare(name, x, **kwargs)


def test_unpooled_duplicates_keep_the_last_value_and_every_gradient(x64):
    torch.set_num_threads(1)  # with two, torch keeps one or the other
    values = torch.tensor([[[1.0, 2.0, 3.0, 4.0]]], dtype=torch.float64)
    places = torch.tensor([[[0, 5, 5, 2]]])
    compare("max_unpool1d", values, places, kernel_size=2)


def test_under_jit_and_vmap():
    x = jax.random.normal(jax.random.key(0), (3, 2, 6, 6))
    for pool in (
        lambda v: F.max_pool2d(v, 3, 2, 1),
        lambda v: F.avg_pool2d(v, 3, 2, 1),
        lambda v: F.lp_pool2d(v, 2, 2),
    ):
        np.testing.assert_allclose(jax.jit(jax.vmap(pool))(x), pool(x), rtol=1e-6)
    grad = jax.jit(jax.grad(lambda v: jnp.sum(jax.grad(lambda u: jnp.sum(F.max_pool2d(u, 2) ** 3))(v) ** 2)))(x)
    assert np.isfinite(grad).all() and (grad != 0).sum() == 3 * 2 * 9
