"""Losses under any mixture of their arguments, against torch in float64, value and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad import autograd
from jaxgrad.nn import functional as F
from jaxgrad.parity import distance
from jaxgrad.parity.jax_side import cotangent
from jaxgrad.parity.torch_side import to_numpy, to_torch

torch = pytest.importorskip("torch", reason="the reference is not installed")

REDUCTIONS = st.sampled_from(["mean", "sum", "none"])


def compare(name, inputs, args=(), **kwargs):
    """Value and the gradient of every input agree with torch's."""
    leaves = [to_torch(each).requires_grad_(True) for each in inputs]
    options = {key: to_torch(value) for key, value in kwargs.items()}
    theirs = getattr(torch.nn.functional, name)(*leaves, *(to_torch(each) for each in args), **options)
    ours_options = {key: jnp.asarray(v) if isinstance(v, np.ndarray) else v for key, v in kwargs.items()}

    def loss_fn(params):
        return getattr(F, name)(*params, *(jnp.asarray(each) for each in args), **ours_options)

    weights = cotangent(to_numpy(theirs))
    theirs.backward(to_torch(weights))
    backward = jax.jit(lambda inputs, weights: autograd.backward(loss_fn, inputs, gradient=weights))
    value, grads = backward([jnp.asarray(each) for each in inputs], jnp.asarray(weights))
    scale = 1e-13 * (1 + np.abs(to_numpy(theirs)).max(initial=0))  # where the result cancels to nearly nothing
    for ours, reference in [(value, to_numpy(theirs)), *zip(grads, (to_numpy(x.grad) for x in leaves), strict=True)]:
        measured = distance(ours, reference)
        assert measured.relative < 1e-10 or measured.absolute < scale, (name, kwargs, measured)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_cross_entropy(data):
    with jax.enable_x64(True):
        rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
        classes = data.draw(st.integers(1, 6), "classes")
        n = data.draw(st.integers(1, 5), "samples")
        rest = tuple(data.draw(st.lists(st.integers(1, 3), max_size=2), "further axes"))
        kwargs = {
            "reduction": data.draw(REDUCTIONS),
            "label_smoothing": data.draw(st.sampled_from([0.0, 0.1, 1.0])),
        }
        if data.draw(st.booleans(), "weights"):
            kwargs["weight"] = rng.uniform(0.1, 2, classes)
        logits = rng.standard_normal((n, classes, *rest)) * data.draw(st.sampled_from([0.1, 3.0, 30.0]))
        if data.draw(st.booleans(), "probabilities"):
            compare("cross_entropy", (logits, rng.uniform(0, 1, logits.shape)), **kwargs)
            return
        kwargs["ignore_index"] = data.draw(st.sampled_from([-100, 0, classes - 1, 77]))
        target = rng.integers(0, classes, (n, *rest))
        if target.shape == logits.shape:  # one class and nothing else: torch takes it for probabilities
            return
        compare("cross_entropy", (logits,), (target,), **kwargs)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_binary_cross_entropy_with_logits(data):
    with jax.enable_x64(True):
        rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
        shape = tuple(data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
        kwargs = {"reduction": data.draw(REDUCTIONS)}
        for name in ("weight", "pos_weight"):
            if data.draw(st.booleans(), name):
                kept = data.draw(st.integers(0, len(shape)), "axes kept")
                kwargs[name] = rng.uniform(0.1, 2, shape[len(shape) - kept :])
        logits = rng.standard_normal(shape) * data.draw(st.sampled_from([0.1, 3.0, 300.0]))
        compare("binary_cross_entropy_with_logits", (logits, rng.uniform(0, 1, shape)), **kwargs)


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    shape=st.lists(st.integers(1, 4), max_size=3),
    reduction=REDUCTIONS,
    weighted=st.booleans(),
)
def test_mse_loss(seed, shape, reduction, weighted):
    with jax.enable_x64(True):
        rng = np.random.default_rng(seed)
        kwargs = {"weight": rng.uniform(0.1, 2, shape)} if weighted else {}
        compare("mse_loss", (rng.standard_normal(shape), rng.standard_normal(shape)), reduction=reduction, **kwargs)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.uint16, np.int32])
def test_labels_of_any_integer_dtype(dtype):
    x, y = np.float32([[1, 2, 3], [3, 1, 0]]), np.array([2, 0])
    expected = F.cross_entropy(jnp.asarray(x), jnp.asarray(y))
    np.testing.assert_array_equal(F.cross_entropy(jnp.asarray(x), jnp.asarray(y.astype(dtype))), expected)


def test_deprecated_reductions_and_their_warning():
    x, y = jnp.ones((2, 3)), jnp.array([0, 1])
    for arguments, meant in (({"size_average": False}, "sum"), ({"reduce": False}, "none"), ({"reduce": True}, "mean")):
        with pytest.warns(UserWarning, match=f"please use reduction='{meant}' instead"):
            ours = F.cross_entropy(x, y, **arguments)
        np.testing.assert_array_equal(ours, F.cross_entropy(x, y, reduction=meant))


def test_sizes_that_differ_are_broadcast_with_torchs_warning():
    sentence = (
        r"Using a target size \(torch.Size\(\[3\]\)\) that is different to the input size \(torch.Size\(\[3, 1\]\)\)"
    )
    with pytest.warns(UserWarning, match=sentence):
        ours = F.mse_loss(jnp.ones((3, 1)), jnp.arange(3.0))
    with pytest.warns(UserWarning, match=sentence):
        theirs = torch.nn.functional.mse_loss(torch.ones(3, 1), torch.arange(3.0))
    assert float(ours) == pytest.approx(theirs.item())
