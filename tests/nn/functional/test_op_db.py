"""PyTorch's own samples (``op_db``) of every function that there is, float64, values and gradients.

The database has no error inputs for them; those are in the catalogue of parity cases.
"""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad import autograd
from jaxgrad.nn import functional as F
from jaxgrad.parity import distance
from jaxgrad.parity.jax_side import cotangent
from jaxgrad.parity.torch_side import to_numpy, to_torch

torch = pytest.importorskip("torch", reason="the reference is not installed")
pytest.importorskip("expecttest", reason="torch's databases need it")

NAMES = ("linear", "relu", "cross_entropy", "mse_loss", "binary_cross_entropy_with_logits", "nll_loss")
OPS = {f"nn.functional.{name}": getattr(F, name) for name in NAMES} | {"log_softmax": F.log_softmax}


def database():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_methods_invocations import op_db
    return [op for op in op_db if op.name in OPS]


def to_jax(value):
    return jnp.asarray(to_numpy(value)) if isinstance(value, torch.Tensor) else value


def arguments(sample):
    kwargs = {key: value for key, value in sample.kwargs.items() if key != "dtype"}
    if "dtype" in sample.kwargs:
        kwargs["dtype"] = jnp.dtype(str(sample.kwargs["dtype"]).removeprefix("torch."))
    return [to_jax(value) for value in (sample.input, *sample.args)], {k: to_jax(v) for k, v in kwargs.items()}


@pytest.mark.filterwarnings("ignore:.*size_average and reduce args:UserWarning")
@pytest.mark.filterwarnings("ignore:Using a target size:UserWarning")
@pytest.mark.filterwarnings("ignore:Implicit dimension choice:UserWarning")
@pytest.mark.parametrize("op", database(), ids=lambda op: f"{op.name}{op.variant_test_name}")
def test_samples(op, x64):
    torch.manual_seed(0)
    ours = OPS[op.name]
    samples = list(op.sample_inputs("cpu", torch.float64, requires_grad=False))
    assert len(samples) > 3
    for number, sample in enumerate(samples):
        args, kwargs = arguments(sample)
        theirs = op.op(sample.input.clone().requires_grad_(True), *sample.args, **sample.kwargs)
        value = ours(*args, **kwargs)
        assert value.dtype.name == str(theirs.dtype).removeprefix("torch."), number
        assert distance(value, to_numpy(theirs)).relative < 1e-10, (number, sample)

        leaf = sample.input.clone().requires_grad_(True)
        weights = cotangent(np.asarray(value))
        op.op(leaf, *sample.args, **sample.kwargs).backward(to_torch(weights))
        _, grads = autograd.backward(
            lambda p, args=args, kwargs=kwargs: ours(p["x"], *args[1:], **kwargs),
            {"x": args[0]},
            gradient=jnp.asarray(weights),
        )
        assert distance(grads["x"], to_numpy(leaf.grad)).relative < 1e-10, (number, sample)


def test_samples_agree_under_jit():
    x, y = jnp.ones((4, 3)), jnp.array([0, 1, 2, -100])
    eager = F.cross_entropy(x, y, label_smoothing=0.1)
    np.testing.assert_allclose(jax.jit(lambda x, y: F.cross_entropy(x, y, label_smoothing=0.1))(x, y), eager, rtol=1e-6)


def test_label_out_of_range_inside_jit_is_nan():
    loss = jax.jit(F.cross_entropy)(jnp.ones((2, 3)), jnp.array([0, 7]))
    assert np.isnan(loss)
    weighted = jax.jit(lambda x, y: F.cross_entropy(x, y, jnp.ones(3)))(jnp.ones((2, 3)), jnp.array([0, 7]))
    assert np.isnan(weighted)
