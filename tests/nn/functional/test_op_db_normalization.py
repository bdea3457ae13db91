"""PyTorch's own samples of the normalisations; running statistics come back beside the output here."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad.nn import functional as F
from tests.support.entries import of_rounding_alone, output_alone
from tests.support.op_samples import entries, error_inputs, op_id, samples

NAMES = ("batch_norm", "instance_norm", "layer_norm", "group_norm", "rms_norm", "local_response_norm", "normalize")
OPS = [op for op in entries(*(f"nn.functional.{name}" for name in NAMES)) if not op.variant_test_name]


@pytest.mark.parametrize("op", OPS, ids=op_id)
def test_samples(op, x64):
    samples(op, output_alone(op.name), limit=3).check()
    error_inputs(op).check(at_least=0)


@pytest.mark.exhaustive
@pytest.mark.parametrize("op", OPS, ids=op_id)
def test_all_samples(op, x64):
    samples(op, output_alone(op.name)).check()


@pytest.mark.parametrize("op", OPS, ids=op_id)
def test_narrower_dtypes(op):
    found = samples(op, output_alone(op.name), dtype=torch.float32, limit=3, leave_out=of_rounding_alone)
    found.check()
    assert np.median(found.ratios) <= 1.5
    for dtype in (torch.bfloat16, torch.float16):
        samples(op, output_alone(op.name), dtype=dtype, limit=2, gradients=False).check(at_least=0)


@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_running_statistics(data):
    name = data.draw(st.sampled_from(["batch_norm", "instance_norm"]))
    seed = data.draw(st.integers(0, 2**32))
    momentum = data.draw(st.sampled_from([0.1, 0.0, 1.0, 0.37]))
    with jax.enable_x64(True):
        rng = np.random.default_rng(seed)
        n, c, length = (data.draw(st.integers(low, 4)) for low in (1, 1, 2))
        x = rng.standard_normal((n, c, length)) * 10 + 100
        mean, var = rng.standard_normal(c), rng.uniform(0.5, 2, c)
        theirs = torch.tensor(mean), torch.tensor(var)
        kwargs = {"momentum": momentum, "eps": 1e-3, ("training" if name == "batch_norm" else "use_input_stats"): True}
        expected = getattr(torch.nn.functional, name)(torch.tensor(x), *theirs, **kwargs)
        output, statistics = getattr(F, name)(x, mean, var, **kwargs)
        np.testing.assert_allclose(output, expected.numpy(), rtol=1e-10, atol=1e-12)
        for ours, reference in zip(statistics, theirs, strict=True):
            np.testing.assert_allclose(ours, reference.numpy(), rtol=1e-12)


def test_variance_at_a_large_mean():
    x = np.random.default_rng(0).standard_normal((64, 8)).astype(np.float32) + np.float32(1e4)
    truth = torch.nn.functional.batch_norm(torch.tensor(x).double(), None, None, training=True)
    theirs = torch.nn.functional.batch_norm(torch.tensor(x), None, None, training=True)
    ours = F.batch_norm(x, None, None, training=True)
    assert np.abs(ours - truth.numpy()).max() <= 3 * np.abs(theirs.numpy() - truth.numpy()).max()
    assert np.abs(F.layer_norm(x.T, (64,)).T - truth.numpy()).max() < 1e-3


def complaint_of(fn, *args, **kwargs):
    try:
        fn(*args, **kwargs)
    except Exception as error:
        return type(error).__name__, str(error).splitlines()[0]
    return "no error"


X, Z = np.ones((4, 3, 5), np.float32), lambda n: np.zeros(n, np.float32)
WRONG = [
    ("batch_norm", (X, Z(2), Z(2)), {}),
    ("batch_norm", (X, Z(3), Z(2)), {}),
    ("batch_norm", (X, Z(3), None), {}),
    ("batch_norm", (X, None, None), {}),
    ("batch_norm", (X, Z(3), None), {"training": True}),
    ("batch_norm", (X, Z(3), Z(3), Z(2)), {}),
    ("batch_norm", (X, Z(3), Z(3), Z(3), Z(2)), {}),
    ("batch_norm", (Z(3), Z(3), Z(3)), {}),
    ("batch_norm", (X.astype(int), Z(3), Z(3)), {}),
    ("batch_norm", (X.astype(np.float16), Z(3), Z(3), Z(3).astype(np.float16)), {}),
    ("batch_norm", (X[:1, :, 0], Z(3), Z(3)), {"training": True}),
    ("batch_norm", (X, None, None), {"training": True, "eps": 0}),
    ("batch_norm", (X, Z(3), Z(3)), {"eps": -1.0}),
    ("instance_norm", (X, None, None), {"use_input_stats": False}),
    ("instance_norm", (X, Z(2), Z(2)), {}),
    ("instance_norm", (X[:, :, :1],), {}),
    ("instance_norm", (X,), {"weight": Z(2)}),
    ("layer_norm", (X, (3,)), {}),
    ("layer_norm", (X, ()), {}),
    ("layer_norm", (X, 5), {}),
    ("layer_norm", (X, (5,), Z(4)), {}),
    ("layer_norm", (X, (5,), None, Z(4)), {}),
    ("layer_norm", (X.astype(int), (5,)), {}),
    ("rms_norm", (X, (4,)), {}),
    ("rms_norm", (X, (5,), Z(4)), {}),
    ("rms_norm", (X.astype(int), (5,)), {}),
    ("group_norm", (X, 2), {}),
    ("group_norm", (X, 3, Z(2)), {}),
    ("group_norm", (X, 3, None, Z(2)), {}),
    ("group_norm", (Z(3), 3), {}),
    ("group_norm", (X[:1, :, 0], 3), {}),
    ("local_response_norm", (X[0], 2), {}),
    ("local_response_norm", (X, 0), {}),
    ("normalize", (X,), {"dim": 5}),
    ("normalize", (X.astype(int),), {}),
]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_bad_input_is_refused_in_torchs_words(x64):
    def as_torch(value):
        return torch.tensor(value) if isinstance(value, np.ndarray) else value

    for name, args, kwargs in WRONG:
        theirs = complaint_of(
            getattr(torch.nn.functional, name),
            *map(as_torch, args),
            **{key: as_torch(value) for key, value in kwargs.items()},
        )
        assert complaint_of(getattr(F, name), *args, **kwargs) == theirs, (name, kwargs)
        assert theirs != "no error"


@pytest.mark.parametrize("p", [0, 0.5, 1, 1.5, 2, 3, float("inf"), -float("inf")])
def test_normalize_at_zeros_and_ties(p, x64):
    x = np.array([[0.0, 0.0, 0.0], [0.0, 3.0, 4.0], [2.0, -2.0, 1.0], [np.nan, 1.0, 2.0]])
    weights = np.array([1.0, 10.0, 100.0])
    leaf = torch.tensor(x, requires_grad=True)
    theirs = torch.nn.functional.normalize(leaf, p)
    (theirs * torch.tensor(weights)).sum().backward()
    value, pull = jax.vjp(lambda x: F.normalize(x, p), jnp.asarray(x))
    np.testing.assert_allclose(value, theirs.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(pull(jnp.broadcast_to(weights, x.shape))[0], leaf.grad.numpy(), rtol=1e-10, atol=1e-13)


def test_under_transformations(x64):
    x = jnp.asarray(np.random.default_rng(0).standard_normal((3, 4, 6)))
    np.testing.assert_allclose(jax.vmap(lambda x: F.layer_norm(x, (6,)))(x), F.layer_norm(x, (6,)), rtol=1e-12)
    y, pull = jax.vjp(jax.jit(lambda x: F.local_response_norm(x, 3)), x)
    np.testing.assert_allclose(y, F.local_response_norm(x, 3), rtol=1e-12)
    assert np.isfinite(pull(y)[0]).all()
    second = jax.grad(lambda x: jnp.sum(jax.grad(lambda x: jnp.sum(F.normalize(x) ** 3))(x) ** 2))(x)
    leaf = torch.tensor(np.array(x), requires_grad=True)
    (first,) = torch.autograd.grad((torch.nn.functional.normalize(leaf) ** 3).sum(), leaf, create_graph=True)
    (first**2).sum().backward()
    np.testing.assert_allclose(second, leaf.grad.numpy(), rtol=1e-9, atol=1e-12)
