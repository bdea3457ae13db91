"""Losses and distances as modules: PyTorch's own samples (``module_db``), and those that it has none of."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxgrad import func, nn, random
from tests.support.entries import in_chunks
from tests.support.module_samples import error_inputs, infos, samples

NAMES = (
    "CosineEmbeddingLoss L1Loss SmoothL1Loss KLDivLoss MSELoss MarginRankingLoss MultiLabelMarginLoss MultiMarginLoss "
    "SoftMarginLoss MultiLabelSoftMarginLoss NLLLoss GaussianNLLLoss PoissonNLLLoss HingeEmbeddingLoss HuberLoss "
    "BCELoss BCEWithLogitsLoss CrossEntropyLoss CTCLoss LinearCrossEntropyLoss"
).split()


@pytest.mark.parametrize("info", infos(*NAMES), ids=lambda info: info.module_cls.__name__)
def test_samples(info, x64):
    samples(info, modes=(True,), limit=2, leave_out=in_chunks).check()
    error_inputs(info).check(at_least=0)


@pytest.mark.exhaustive
@pytest.mark.parametrize("info", infos(*NAMES), ids=lambda info: info.module_cls.__name__)
def test_all_samples(info):
    with jax.enable_x64(True):
        samples(info, leave_out=in_chunks).check()
        samples(info, limit=8, leave_out=in_chunks).check()


def arrays(*shapes):
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape) for shape in shapes]


def test_what_the_database_has_not(x64):
    a, b, c = arrays((4, 5), (4, 5), (4, 5))
    for name, kwargs, given in [
        ("PairwiseDistance", {"p": 3.0, "keepdim": True}, (a, b)),
        ("CosineSimilarity", {"dim": 0}, (a, b)),
        ("TripletMarginLoss", {"swap": True, "margin": 0.5}, (a, b, c)),
        ("TripletMarginWithDistanceLoss", {"reduction": "none"}, (a, b, c)),
    ]:
        theirs, ours = getattr(torch.nn, name)(**kwargs), getattr(nn, name)(**kwargs)
        assert repr(ours) == repr(theirs)
        expected = theirs(*(torch.from_numpy(each) for each in given))
        np.testing.assert_allclose(ours(*(jnp.asarray(each) for each in given)), expected, rtol=1e-12)


def test_the_adaptive_softmax(x64):
    torch.manual_seed(0)
    theirs = torch.nn.AdaptiveLogSoftmaxWithLoss(16, 20, [3, 9], div_value=2.0, head_bias=True)
    ours = nn.AdaptiveLogSoftmaxWithLoss(
        16, 20, [3, 9], div_value=2.0, head_bias=True, rngs=nn.Rngs(random.manual_seed(0))
    )
    assert repr(ours) == repr(theirs)
    params, buffers = func.extract(ours)
    assert list(params) == [name for name, _ in theirs.named_parameters()]
    for name, value in theirs.named_parameters():
        np.testing.assert_array_equal(params[name], value.detach().numpy(), err_msg=name)
    theirs = theirs.double()
    x, target = np.random.default_rng(0).normal(size=(6, 16)), np.array([0, 2, 3, 8, 9, 19])
    expected = theirs(torch.from_numpy(x), torch.from_numpy(target))
    expected.loss.backward()

    def loss_fn(params):
        out = func.functional_call(ours, (params, buffers), (jnp.asarray(x), jnp.asarray(target)))
        return out.loss, out.output

    wide = {name: jnp.asarray(value, jnp.float64) for name, value in params.items()}
    (loss, output), grads = jax.value_and_grad(loss_fn, has_aux=True)(wide)
    np.testing.assert_allclose(loss, expected.loss.item(), rtol=1e-12)
    np.testing.assert_allclose(output, expected.output.detach(), rtol=1e-12)
    for name, value in theirs.named_parameters():
        np.testing.assert_allclose(grads[name], value.grad, rtol=1e-10, atol=1e-14, err_msg=name)
    model = func.functional_call
    call = (wide, buffers), (jnp.asarray(x),)
    np.testing.assert_array_equal(model(ours, *call, method="predict"), theirs.predict(torch.from_numpy(x)))
    with pytest.raises(RuntimeError, match=r"Target values should be in \[0, 19\], but values in range \[0, 20\]"):
        ours(jnp.asarray(x[:2], jnp.float32), jnp.array([0, 20]))
    with pytest.raises(ValueError, match="cutoffs should be a sequence of unique, positive integers"):
        nn.AdaptiveLogSoftmaxWithLoss(4, 5, [3, 3], rngs=nn.Rngs(random.manual_seed(0)))


def test_words_and_refusals():
    with pytest.warns(UserWarning, match="please use reduction='sum' instead"):
        assert nn.MSELoss(size_average=False).reduction == "sum"
    with pytest.raises(TypeError, match="delta must be a float or int, got: <class 'str'>"):
        nn.HuberLoss(delta="1")
    with pytest.raises(ValueError, match="expected margin to be greater than 0, got 0 instead"):
        nn.TripletMarginLoss(0)
    loss = nn.CrossEntropyLoss(jnp.array([1.0, 2.0]))
    assert list(func.extract(loss)[1]) == ["weight"]
