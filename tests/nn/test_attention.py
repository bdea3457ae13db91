"""Attention and the Transformer: PyTorch's samples, torch's masks in torch's order, the stream behind them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxgrad import func, nn, random
from jaxgrad.nn import functional as F
from tests.support.entries import saturated, saturated_or_nothing
from tests.support.module_samples import infos
from tests.support.module_samples import samples as module_samples
from tests.support.op_samples import entries, samples


def test_scaled_dot_product_samples(x64):
    (op,) = entries("nn.functional.scaled_dot_product_attention")
    samples(op, limit=5).check()


def test_multi_head_samples(x64):
    (op,) = entries("nn.functional.multi_head_attention_forward")
    samples(op, limit=6, leave_out=saturated).check(at_least=3)


MODULES = "MultiheadAttention TransformerEncoder TransformerEncoderLayer TransformerDecoderLayer Transformer"


@pytest.mark.filterwarnings("ignore:Support for mismatched:UserWarning")
@pytest.mark.parametrize("info", infos(*MODULES.split()), ids=lambda info: info.name)
def test_module_samples(info, x64):
    module_samples(info, limit=1).check()


@pytest.mark.exhaustive
@pytest.mark.parametrize("info", infos(*MODULES.split()), ids=lambda info: info.name)
def test_many_module_samples(info, x64):
    module_samples(info, limit=12).check()


@pytest.mark.exhaustive
def test_many_samples(x64):
    for op in entries("nn.functional.scaled_dot_product_attention", "nn.functional.multi_head_attention_forward"):
        leave_out = saturated_or_nothing if "multi_head" in op.name else None
        samples(op, limit=30, leave_out=leave_out).check()
        samples(op, dtype=torch.bfloat16, limit=15).check()


@pytest.mark.parametrize(("mask", "kind"), [(True, bool), (True, float), (False, None)])
def test_rows_that_may_attend_to_nothing(mask, kind, x64):
    rng = np.random.default_rng(0)
    q, k, v = (rng.standard_normal((2, 3, 4)) for _ in range(3))
    allowed = np.tri(3, k=-1, dtype=bool)
    m = None if not mask else allowed if kind is bool else np.where(allowed, 0.5, -np.inf)
    leaves = [torch.tensor(each, requires_grad=True) for each in (q, k, v)]
    theirs = torch.nn.functional.scaled_dot_product_attention(
        *leaves, None if m is None else torch.tensor(m), is_causal=m is None
    )
    (theirs**2).sum().backward()
    value, pull = jax.vjp(lambda *a: F.scaled_dot_product_attention(*a, m, is_causal=m is None), q, k, v)
    np.testing.assert_allclose(value, theirs.detach().numpy(), rtol=1e-12, atol=1e-14)
    for mine, leaf in zip(pull(2 * value), leaves, strict=True):
        np.testing.assert_allclose(mine, leaf.grad.numpy(), rtol=1e-11, atol=1e-14)


def test_dropout_of_weights_and_the_stream_behind_it(x64):
    rng = np.random.default_rng(0)
    q, k, v = (rng.standard_normal((2, 3, n, 4)) for n in (5, 6, 6))
    torch.manual_seed(4)
    theirs = torch.nn.functional.scaled_dot_product_attention(*map(torch.tensor, (q, k, v)), dropout_p=0.3)
    after = torch.rand(3)
    value, generator = F.scaled_dot_product_attention(q, k, v, dropout_p=0.3, generator=random.manual_seed(4))
    np.testing.assert_allclose(value, theirs.numpy(), rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(random.rand(generator, 3)[0], after.numpy())


def both(name, args, kwargs, seed=0):
    torch.manual_seed(seed)
    theirs = getattr(torch.nn, name)(*args, **kwargs, dtype=torch.float64)
    state = torch.get_rng_state()
    rngs = nn.Rngs(random.manual_seed(seed))
    ours = getattr(nn, name)(*args, **kwargs, dtype=jnp.float64, rngs=rngs)
    torch.set_rng_state(state)
    np.testing.assert_array_equal(random.rand(rngs.generator, 3)[0], torch.rand(3).numpy())
    params, _ = func.extract(ours)
    reference = theirs.state_dict()
    assert list(params) == list(reference)
    for key, value in params.items():
        np.testing.assert_array_equal(value, reference[key].numpy(), err_msg=key)
    assert repr(ours) == repr(theirs)
    return ours, theirs, params


SMALL = (8, 2, 12)
LONG = pytest.mark.exhaustive
TRAINED = [
    ("MultiheadAttention", (8, 2, 0.3), {"batch_first": True}, 3),
    ("MultiheadAttention", (8, 2, 0.3), {"add_bias_kv": True, "add_zero_attn": True, "kdim": 8, "vdim": 8}, 3),
    ("TransformerEncoderLayer", (*SMALL, 0.3), {"batch_first": True}, 1),
    pytest.param("TransformerEncoderLayer", (*SMALL, 0.3), {"norm_first": True, "bias": False}, 1, marks=LONG),
    ("TransformerDecoderLayer", (*SMALL, 0.3), {"batch_first": True, "norm_first": True}, 2),
    pytest.param("TransformerDecoderLayer", (*SMALL, 0.3), {}, 2, marks=LONG),
    pytest.param("Transformer", (8, 2, 2, 1, 12, 0.3), {"batch_first": True, "activation": "relu"}, 2, marks=LONG),
]


@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True:UserWarning")
@pytest.mark.parametrize(("name", "args", "kwargs", "n"), TRAINED)
def test_training_with_dropout(name, args, kwargs, n, x64):
    ours, theirs, params = both(name, args, kwargs)
    rng = np.random.default_rng(1)
    lengths = (4, 5, 5) if n == 3 else (4, 5)[:n]
    arrays = [rng.standard_normal((3, t, 8) if kwargs.get("batch_first") else (t, 3, 8)) for t in lengths]
    torch.manual_seed(7)
    expected = theirs(*map(torch.tensor, arrays))
    expected = expected[0] if isinstance(expected, tuple) else expected
    after = torch.rand(3).numpy()
    weights = np.cos(np.arange(expected.numel())).reshape(expected.shape)
    expected.backward(torch.tensor(weights))

    @jax.jit
    def loss(params):
        out, aux = func.functional_call(
            ours, params, tuple(arrays), training=True, generator=random.manual_seed(7), has_aux=True
        )
        out = out[0] if isinstance(out, tuple) else out
        return jnp.sum(out * weights), (out, aux.generator)

    grads, (out, generator) = jax.grad(loss, has_aux=True)(params)
    np.testing.assert_allclose(out, expected.detach().numpy(), rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(random.rand(generator, 3)[0], after)
    for key, p in theirs.named_parameters():
        grad = np.zeros(p.shape) if p.grad is None else p.grad.numpy()
        np.testing.assert_allclose(grads[key], grad, rtol=1e-9, atol=1e-12, err_msg=key)


def test_dropout_behind_a_transposed_view(x64):
    """What a vision transformer does: torch fills this mask in the order (L, N, E)."""

    def block(nn, **rngs):
        class Block(nn.Module):
            def __init__(self):
                super().__init__()
                self.attn = nn.MultiheadAttention(8, 2, batch_first=True, **rngs)
                self.drop = nn.Dropout(0.4)
                self.again = nn.Dropout(0.2)

            def forward(self, x):
                return x + self.again(self.drop(self.attn(x, x, x, need_weights=False)[0]))

        return Block()

    torch.manual_seed(0)
    theirs = block(torch.nn).double()
    ours = block(nn, rngs=nn.Rngs(random.manual_seed(0)))
    params = {name: jnp.asarray(p.detach().numpy()) for name, p in theirs.named_parameters()}
    x = np.random.default_rng(0).standard_normal((3, 5, 8))
    torch.manual_seed(1)
    expected = theirs(torch.tensor(x)).detach().numpy()
    out, _ = func.functional_call(ours, params, x, training=True, generator=random.manual_seed(1), has_aux=True)
    np.testing.assert_allclose(out, expected, rtol=1e-10, atol=1e-12)


def test_evaluation_beside_torchs_fast_path(x64):
    ours, theirs, params = both("TransformerEncoderLayer", SMALL, {"batch_first": True})
    x = np.random.default_rng(0).standard_normal((3, 5, 8))
    padding = np.arange(5) >= np.array([[5], [3], [4]])
    mask = ~np.tri(5, dtype=bool)
    with torch.no_grad():
        for kwargs in ({}, {"src_key_padding_mask": padding}, {"src_mask": mask}):
            expected = theirs.eval()(torch.tensor(x), **{k: torch.tensor(v) for k, v in kwargs.items()}).numpy()
            out = func.functional_call(ours, params, x, kwargs, training=False)
            np.testing.assert_allclose(out, expected, rtol=1e-9, atol=1e-11)


def complaint_of(fn, *args, **kwargs):
    try:
        fn(*args, **kwargs)
    except Exception as error:
        return type(error).__name__, str(error).splitlines()[0]
    return "no error"


Q, K, V = np.ones((2, 3, 4, 5), np.float32), np.ones((2, 3, 6, 5), np.float32), np.ones((2, 3, 6, 7), np.float32)
WRONG = [
    ((Q, K, V, np.ones((4, 6), np.float32)), {"is_causal": True}),
    ((Q[0, 0, 0], K, V), {}),
    ((Q, K.astype(np.float64), V), {}),
    ((Q, K, V, np.ones((4, 5), np.float32)), {}),
    ((Q, K, V, np.ones((4, 6), np.int32)), {}),
    ((Q, K, V, np.ones((4, 6))), {}),
    ((Q, K[..., :4], V), {}),
    ((Q, K, V[:, :, :5]), {}),
    ((np.ones((2, 6, 4, 5), np.float32), K, V), {}),
    ((np.ones((2, 5, 4, 5), np.float32), K, V), {"enable_gqa": True}),
    ((Q, K, V), {"dropout_p": 1.5}),
]


def test_bad_input_is_refused_in_torchs_words(x64):
    for args, kwargs in WRONG:
        tensors = [torch.from_numpy(each) for each in args]
        theirs = complaint_of(torch.nn.functional.scaled_dot_product_attention, *tensors, **kwargs)
        assert complaint_of(F.scaled_dot_product_attention, *args, **kwargs) == theirs != "no error"
    x = np.ones((4, 2, 8), np.float32)
    model, reference = (
        nn.MultiheadAttention(8, 2, rngs=nn.Rngs(random.manual_seed(0))),
        torch.nn.MultiheadAttention(8, 2),
    )
    for arrays, kwargs in (
        ((x, x[0], x), {}),
        ((x[0, 0], x, x), {}),
        ((x, x, x), {"key_padding_mask": np.ones(4, bool)}),
        ((x, x, x), {"attn_mask": np.ones(4, bool)}),
        ((x, x, x), {"attn_mask": np.ones((4, 3), bool)}),
        ((x, x, x), {"attn_mask": np.ones((3, 4, 4), bool)}),
        ((x, x, x), {"key_padding_mask": np.ones((2, 3), bool)}),
        ((x, x, x), {"key_padding_mask": np.ones((2, 4), np.int64)}),
        ((x, x[:3], x), {}),
        ((x, x, x), {"is_causal": True}),
        ((x[..., :6], x[..., :6], x[..., :6]), {}),
    ):
        options = {k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in kwargs.items()}
        theirs = complaint_of(reference, *map(torch.tensor, arrays), **options)
        assert complaint_of(model, *arrays, **kwargs) == theirs != "no error", kwargs
    for args in ((8, 3), (0, 1)):
        theirs = complaint_of(torch.nn.MultiheadAttention, *args)
        assert complaint_of(nn.MultiheadAttention, *args, rngs=nn.Rngs(random.manual_seed(0))) == theirs
    with pytest.raises(TypeError, match="generator"):
        F.scaled_dot_product_attention(Q, K, V, dropout_p=0.5)
