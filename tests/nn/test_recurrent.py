"""Recurrent layers and packed sequences: PyTorch's samples, packed batches, dropout between layers, sentences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils import rnn as torch_rnn

from jaxgrad import func, nn, random
from jaxgrad.nn.utils import rnn
from tests.support.module_samples import error_inputs, infos, samples

NAMES = ("RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell")


@pytest.mark.parametrize("info", infos(*NAMES), ids=lambda info: info.name)
def test_samples(info, x64):
    samples(info, limit=2, modes=(True,)).check()
    error_inputs(info).check()


@pytest.mark.exhaustive
@pytest.mark.parametrize("info", infos(*NAMES), ids=lambda info: info.name)
def test_many_samples(info, x64):
    samples(info, limit=24).check()


def both(name, args, kwargs, seed=0):
    torch.manual_seed(seed)
    theirs = getattr(torch.nn, name)(*args, **kwargs, dtype=torch.float64)
    after = torch.rand(3).numpy()
    rngs = nn.Rngs(random.manual_seed(seed))
    ours = getattr(nn, name)(*args, **kwargs, dtype=jnp.float64, rngs=rngs)
    np.testing.assert_array_equal(random.rand(rngs.generator, 3)[0], after)
    params, _ = func.extract(ours)
    assert list(params) == list(theirs.state_dict())
    for key, value in theirs.state_dict().items():
        np.testing.assert_array_equal(params[key], value.numpy(), err_msg=key)
    assert repr(ours) == repr(theirs)
    return ours, theirs, params


def leaves_of(result):
    """Outputs and states as one list of arrays, a packed output by its data."""
    if isinstance(result, rnn.PackedSequence | torch_rnn.PackedSequence):
        return [result.data]
    return [leaf for each in result for leaf in leaves_of(each)] if isinstance(result, tuple) else [result]


def check(ours, theirs, params, given, hx, packed_as=None):
    """Values, gradients of parameters, input and state, and the stream, in training."""
    lengths, batch_first, enforce_sorted = packed_as or (None, False, True)
    x = torch.tensor(given, requires_grad=True)
    state = None if hx is None else [torch.tensor(each, requires_grad=True) for each in hx]
    their_hx = None if state is None else tuple(state) if len(state) == 2 else state[0]
    torch.manual_seed(5)
    entering = x if lengths is None else torch_rnn.pack_padded_sequence(x, lengths, batch_first, enforce_sorted)
    result = theirs(entering, their_hx)
    expected = leaves_of(result)
    after = torch.rand(3).numpy()
    weights = [np.cos(np.arange(each.numel())).reshape(each.shape) for each in expected]
    sum((each * torch.tensor(w)).sum() for each, w in zip(expected, weights, strict=True)).backward()

    @jax.jit
    def loss(params, x, hx):
        entering = x if lengths is None else rnn.pack_padded_sequence(x, lengths, batch_first, enforce_sorted)
        ours_hx = None if hx is None else tuple(hx) if len(hx) == 2 else hx[0]
        result, aux = func.functional_call(
            ours, params, (entering, ours_hx), training=True, generator=random.manual_seed(5), has_aux=True
        )
        found = leaves_of(result)
        return sum(jnp.sum(a * w) for a, w in zip(found, weights, strict=True)), (found, aux.generator)

    arrays = None if hx is None else [jnp.asarray(each) for each in hx]
    grads, (found, generator) = jax.grad(loss, argnums=(0, 1, 2), has_aux=True)(params, jnp.asarray(given), arrays)
    for mine, yours in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, yours.detach().numpy(), rtol=1e-10, atol=1e-13)
    np.testing.assert_array_equal(random.rand(generator, 3)[0], after)
    for key, p in theirs.named_parameters():
        np.testing.assert_allclose(grads[0][key], p.grad.numpy(), rtol=1e-9, atol=1e-12, err_msg=key)
    np.testing.assert_allclose(grads[1], x.grad.numpy(), rtol=1e-9, atol=1e-12)
    for mine, leaf in zip(grads[2] or [], state or [], strict=True):
        np.testing.assert_allclose(mine, leaf.grad.numpy(), rtol=1e-9, atol=1e-12)
    if lengths is not None:
        mine, _ = rnn.pad_packed_sequence(
            func.functional_call(ours, params, (rnn.pack_padded_sequence(given, *packed_as),), training=False)[0]
        )
        yours, _ = torch_rnn.pad_packed_sequence(theirs.eval()(entering)[0])
        np.testing.assert_allclose(mine, yours.detach().numpy(), rtol=1e-10, atol=1e-13)


@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_any_configuration(data):
    with jax.enable_x64(True):
        name = data.draw(st.sampled_from(["LSTM", "GRU", "RNN"]))
        layers, both_ways = data.draw(st.integers(1, 3)), data.draw(st.booleans())
        first = data.draw(st.booleans(), "batch_first")
        kwargs = {"batch_first": first, "bidirectional": both_ways, "bias": data.draw(st.booleans())}
        kwargs["dropout"] = data.draw(st.sampled_from([0.0, 0.4])) if layers > 1 else 0.0
        proj = data.draw(st.sampled_from([0, 2])) if name == "LSTM" else 0
        if proj:
            kwargs["proj_size"] = proj
        if name == "RNN":
            kwargs["nonlinearity"] = data.draw(st.sampled_from(["tanh", "relu"]))
        ours, theirs, params = both(name, (3, 4, layers), kwargs)
        rng = np.random.default_rng(data.draw(st.integers(0, 100)))
        form = data.draw(st.sampled_from(["batched", "unbatched", "packed", "sorted"]))
        n, steps = 3, 4
        shape = (steps, 3) if form == "unbatched" else (n, steps, 3) if first else (steps, n, 3)
        states = layers * (1 + both_ways)
        sizes = [proj or 4, 4] if name == "LSTM" else [4]
        hx = None
        if data.draw(st.booleans(), "hx"):
            hx = [rng.standard_normal((states, s) if form == "unbatched" else (states, n, s)) for s in sizes]
        packed_as = {"packed": ([2, 4, 1], first, False), "sorted": ([4, 4, 2], first, True)}.get(form)
        check(ours, theirs, params, rng.standard_normal(shape), hx, packed_as)


def test_dropout_behind_a_batch_first_lstm(x64):
    """Torch hands on a transposed view, and fills the next mask in the order (T, N, H)."""

    def tagger(nn, dtype, **rngs):
        class Tagger(nn.Module):
            def __init__(self):
                super().__init__()
                self.lstm = nn.LSTM(3, 4, batch_first=True, dtype=dtype, **rngs)
                self.drop = nn.Dropout(0.5)
                self.out = nn.Linear(4, 2, dtype=dtype, **rngs)

            def forward(self, x):
                return self.out(self.drop(self.lstm(x)[0]))

        return Tagger()

    torch.manual_seed(0)
    theirs = tagger(torch.nn, torch.float64)
    ours = tagger(nn, jnp.float64, rngs=nn.Rngs(random.manual_seed(0)))
    x = np.random.default_rng(0).standard_normal((3, 5, 3))
    torch.manual_seed(1)
    expected = theirs(torch.tensor(x)).detach().numpy()
    out, _ = func.functional_call(ours, {}, x, training=True, generator=random.manual_seed(1), has_aux=True)
    np.testing.assert_allclose(out, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN"])
def test_forward_mode_and_second_derivatives(name, x64):
    ours, theirs, params = both(name, (2, 3), {})
    x = np.random.default_rng(0).standard_normal((4, 2, 2))

    def loss(params, x):
        return jnp.sum(jnp.sin(func.functional_call(ours, params, x)[0]))

    def penalty(params, x):
        return sum(jnp.sum(g**2) for g in jax.tree.leaves(jax.grad(loss, argnums=(0, 1))(params, x)))

    leaf = torch.tensor(x, requires_grad=True)
    leaves = [*theirs.parameters(), leaf]
    first = torch.autograd.grad(theirs(leaf)[0].sin().sum(), leaves, create_graph=True)
    second = torch.autograd.grad(sum((g**2).sum() for g in first), leaves)
    mine = jax.jit(jax.grad(penalty, argnums=(0, 1)))(params, jnp.asarray(x))
    for (key, _), reference in zip(theirs.named_parameters(), second, strict=False):
        np.testing.assert_allclose(mine[0][key], reference.numpy(), rtol=1e-8, atol=1e-11, err_msg=key)
    np.testing.assert_allclose(mine[1], second[-1].numpy(), rtol=1e-8, atol=1e-11)
    forward = jax.jit(jax.jacfwd(loss))(params, jnp.asarray(x))
    for (key, _), reference in zip(theirs.named_parameters(), first, strict=False):
        np.testing.assert_allclose(forward[key], reference.detach().numpy(), rtol=1e-9, atol=1e-12, err_msg=key)


def test_packing_is_torchs():
    sequences = [np.arange(n * 2.0).reshape(n, 2) + 10 * n for n in (2, 4, 1, 4)]
    theirs = torch_rnn.pack_sequence([torch.tensor(each) for each in sequences], enforce_sorted=False)
    ours = rnn.pack_sequence(sequences, enforce_sorted=False)
    for mine, yours in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(mine, yours.numpy())
    for kwargs in ({}, {"batch_first": True, "padding_value": -1.0, "total_length": 6}):
        mine, mine_lengths = rnn.pad_packed_sequence(ours, **kwargs)
        yours, lengths = torch_rnn.pad_packed_sequence(theirs, **kwargs)
        np.testing.assert_array_equal(mine, yours.numpy())
        np.testing.assert_array_equal(mine_lengths, lengths.numpy())
    for each, original in zip(rnn.unpack_sequence(ours), sequences, strict=True):
        np.testing.assert_array_equal(each, original)
    for kwargs in ({}, {"batch_first": True, "padding_value": 7, "padding_side": "left"}):
        expected = torch_rnn.pad_sequence([torch.tensor(each) for each in sequences], **kwargs)
        np.testing.assert_array_equal(rnn.pad_sequence(sequences, **kwargs), expected.numpy())
    through = jax.jit(lambda packed: packed)(ours)
    assert isinstance(through, rnn.PackedSequence)
    np.testing.assert_array_equal(through.batch_sizes, ours.batch_sizes)
    with pytest.raises(TypeError, match="lengths decide the shapes"):
        jax.jit(rnn.pack_padded_sequence)(jnp.ones((3, 2)), jnp.array([3, 1]))


def complaint_of(fn, *args, **kwargs):
    try:
        fn(*args, **kwargs)
    except Exception as error:
        return type(error).__name__, str(error).splitlines()[0]
    return "no error"


def test_bad_input_is_refused_in_torchs_words():
    x = np.zeros((3, 2, 4), np.float32)
    for lengths in ([1, 2], [2, 0], [2], [[1, 2]]):
        theirs = complaint_of(torch_rnn.pack_padded_sequence, torch.tensor(x), lengths)
        assert complaint_of(rnn.pack_padded_sequence, x, lengths) == theirs != "no error"
    rngs = nn.Rngs(random.manual_seed(0))
    zeros = lambda *shape: np.zeros(shape, np.float32)  # noqa: E731
    calls = [(zeros(4),), (zeros(2, 3),), (zeros(2, 3, 5),), (zeros(0, 3, 4),), (np.zeros((2, 3, 4)),)]
    for name in ("LSTM", "GRU", "RNN"):
        states = [zeros(1, 3, 6), zeros(3, 5)]
        more = [(zeros(2, 3, 4), (s, zeros(1, 3, 5)) if name == "LSTM" else s) for s in states]
        more += [(zeros(2, 4), (zeros(1, 3, 5), zeros(1, 3, 5)) if name == "LSTM" else zeros(1, 3, 5))]
        ours, theirs = getattr(nn, name)(4, 5, rngs=rngs), getattr(torch.nn, name)(4, 5)
        for args in [*calls, *more]:
            expected = complaint_of(theirs, *jax.tree.map(torch.tensor, args))
            with jax.enable_x64(True):
                assert complaint_of(ours, *args) == expected != "no error", (name, args)
    for name, kwargs in (("RNN", {"nonlinearity": "x"}), ("LSTM", {"proj_size": 5}), ("LSTM", {"dropout": 2})):
        theirs = complaint_of(getattr(torch.nn, name), 4, 5, **kwargs)
        assert complaint_of(getattr(nn, name), 4, 5, **kwargs, rngs=rngs) == theirs
    with pytest.warns(UserWarning, match="dropout option adds dropout"):
        nn.GRU(4, 5, dropout=0.3, rngs=rngs)
