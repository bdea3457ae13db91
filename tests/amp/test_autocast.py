"""Autocast as a transformation: under jit, grad, vmap, scan and checkpoint, nested, and what it leaves alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgrad
from jaxgrad import amp, func, nn, random
from jaxgrad.nn import functional as F

torch = pytest.importorskip("torch", reason="the reference is not installed")

X = jnp.asarray(np.random.default_rng(0).standard_normal((4, 3)), jnp.float32)
W = jnp.asarray(np.random.default_rng(1).standard_normal((3, 3)), jnp.float32)


def dtypes(tree):
    return jax.tree.map(lambda leaf: str(leaf.dtype), tree)


def forward(x, w):
    h = F.relu(F.linear(x, w))
    z = (h @ w + 1.0) * 2
    return h, z, z + w[:1], F.mse_loss(z, x)


def test_dtypes_flow_as_in_torch():
    """Also through JAX's own product, and a number from Python does not widen what it is added to."""
    t = [torch.tensor(np.asarray(each)) for each in (X, W)]
    with torch.autocast("cpu"):
        h = torch.nn.functional.relu(torch.nn.functional.linear(*t))
        z = (h @ t[1] + 1.0) * 2
        expected = [h, z, z + t[1][:1], torch.nn.functional.mse_loss(z, t[0])]
    got = jax.jit(amp.autocast("cpu")(forward))(X, W)
    for mine, yours in zip(got, expected, strict=True):
        assert f"torch.{mine.dtype}" == str(yours.dtype)
        np.testing.assert_allclose(np.asarray(mine, np.float32), yours.float().numpy(), rtol=0.02, atol=0.02)


def test_transformations_give_the_same():
    fn = amp.autocast("cpu")(forward)
    expected = fn(X, W)
    for other in (
        jax.jit(fn),
        amp.autocast("cpu")(jax.jit(forward)),
        jax.checkpoint(fn),
        amp.autocast("cpu")(jax.checkpoint(forward)),
        lambda x, w: jax.tree.map(lambda y: y[0], jax.vmap(fn, (0, None))(x[None], w)),
        lambda x, w: jax.lax.scan(lambda c, _: (c, fn(c, w)), x, None, 1)[1],
    ):
        got = jax.tree.map(lambda a, like: a.reshape(like.shape), other(X, W), expected)
        assert dtypes(got) == dtypes(expected)
        for a, b in zip(got, expected, strict=True):
            np.testing.assert_allclose(np.asarray(a, np.float32), np.asarray(b, np.float32), rtol=0.02, atol=0.02)


def test_nothing_compiled_outside_is_taken_inside():
    inner = jax.jit(F.linear)
    assert dtypes((inner(X, W), amp.autocast("cpu")(inner)(X, W), inner(X, W))) == ("float32", "bfloat16", "float32")


def test_gradients_have_the_dtype_of_the_parameters():
    grads = jax.grad(lambda w: amp.autocast("cuda")(forward)(X, w)[3])(W)
    assert grads.dtype == jnp.float32
    inside = amp.autocast("cuda")(jax.grad(lambda w: forward(X, w)[3]))(W)
    assert inside.dtype == jnp.float32
    np.testing.assert_allclose(inside, grads, rtol=0.02, atol=0.02)


def test_loops_keep_the_dtype_of_what_they_carry():
    def body(c, _):
        return jnp.tanh(c @ W), F.linear(c, W)

    fn = amp.autocast("cpu")(lambda x: jax.lax.scan(body, x, None, 3))
    assert dtypes(fn(X)) == ("float32", "bfloat16")
    text = str(jax.make_jaxpr(fn)(X))
    assert text.count("bf16[4,3] = dot_general") == 2
    chosen = amp.autocast("cpu")(lambda x: jax.lax.cond(x[0, 0] > 0, lambda: x @ W, lambda: x))
    assert chosen(X).dtype == jnp.float32 and "bf16[4,3] = dot_general" in str(jax.make_jaxpr(chosen)(X))


def test_the_innermost_region_counts():
    def products():
        return X @ W, F.linear(X, W)

    def nested():
        off = amp.autocast("cpu", enabled=False)(products)()
        half = amp.autocast("cpu", dtype=jnp.float16)(products)()
        on_again = amp.autocast("cpu", enabled=False)(amp.autocast("cpu")(products))()
        return products(), off, half, on_again

    found = dtypes(jax.jit(amp.autocast("cpu")(nested))())
    assert [pair[0] for pair in found] == ["bfloat16", "float32", "float16", "bfloat16"]
    assert [pair[1] for pair in found] == ["bfloat16", "float32", "float16", "bfloat16"]


def test_a_disabled_region_inside_of_a_model_that_draws_and_remembers():
    class Model(nn.Module):
        def __init__(self, rngs):
            self.inside, self.norm = nn.Linear(3, 3, rngs=rngs), nn.BatchNorm1d(3)
            self.drop, self.outside = nn.Dropout(0.5), nn.Linear(3, 2, rngs=rngs)

        def forward(self, x):
            h = self.norm(self.inside(x))
            return h, amp.autocast("cpu", enabled=False)(lambda h: self.outside(self.drop(h)))(h.astype(jnp.float32))

    model = Model(nn.Rngs(random.manual_seed(0)))
    values = func.extract(model)

    def call(params, x):
        return func.functional_call(model, (params, values[1]), x, training=True, generator=stream, has_aux=True)

    stream = random.manual_seed(1)
    (h, out), aux = jax.jit(amp.autocast("cpu")(call))(values[0], X)
    assert dtypes((h, out)) == ("bfloat16", "float32")
    assert aux.buffers["norm.running_mean"].dtype == jnp.float32 and aux.buffers["norm.num_batches_tracked"] == 1


def test_float64_and_integers_are_left_alone(x64):
    x = jnp.ones((2, 3), jnp.float64)
    i = jnp.arange(3)
    assert dtypes(amp.autocast("cpu")(lambda: (F.linear(x, x), x @ x.T, i @ i))()) == ("float64", "float64", "int64")
    assert amp.autocast("cuda")(lambda x: F.softmax(x, 1))(x).dtype == jnp.float32  # torch asks for float32 there


def test_rules_of_cuda():
    """No such device is here; the lists are compared with torch's, and this is what each of them does."""
    low = X.astype(jnp.float16)
    run = amp.autocast("cuda")
    for fn in (
        lambda x: F.softmax(x, 1),
        lambda x: F.log_softmax(x, 1),
        lambda x: F.layer_norm(x, (3,)),
        lambda x: jaxgrad.pow(x, 2),
        lambda x: jaxgrad.norm(x, 2, 1, False, None),
        lambda x: jaxgrad.linalg.norm(x),
        lambda x: F.interpolate(x[None], scale_factor=2.0),
        lambda x: jaxgrad.atan2(x, X),
    ):
        assert run(fn)(low).dtype == jnp.float32
    assert run(lambda x: jaxgrad.atan2(x, x))(low).dtype == jnp.float16
    assert run(lambda x: F.softmax(x, 1, dtype=jnp.float16))(low).dtype == jnp.float16
    assert amp.autocast("cpu")(lambda x: F.softmax(x, 1))(X.astype(jnp.bfloat16)).dtype == jnp.bfloat16
    with pytest.raises(RuntimeError, match="Unexpected floating ScalarType in at::autocast::prioritize"):
        run(lambda x: jaxgrad.atan2(x, x))(X.astype(jnp.bfloat16))
    with pytest.raises(RuntimeError, match="are unsafe to autocast"):
        run(F.binary_cross_entropy)(F.sigmoid(X), F.sigmoid(X))


RARELY = [pytest.param(name, marks=pytest.mark.exhaustive) for name in ("RNN", "LSTMCell", "RNNCell")]


@pytest.mark.parametrize("name", ["LSTM", "GRU", "GRUCell", *RARELY])
def test_recurrent_layers_beside_torch(name):
    torch.manual_seed(0)
    reference = getattr(torch.nn, name)(3, 2)
    layer = getattr(nn, name)(3, 2, rngs=nn.Rngs(random.manual_seed(0)))
    params, _ = func.extract(layer)
    x = X if name.endswith("Cell") else jnp.stack([X, X[::-1]])
    with torch.autocast("cpu"):
        expected = reference(torch.tensor(np.asarray(x)))
    got = amp.autocast("cpu")(lambda params, x: func.functional_call(layer, params, x))(params, x)
    flat = jax.tree.leaves(tuple(expected) if isinstance(expected, tuple) else expected)
    for mine, yours in zip(jax.tree.leaves(got), flat, strict=True):
        assert f"torch.{mine.dtype}" == str(yours.dtype)
        np.testing.assert_allclose(np.asarray(mine, np.float32), yours.detach().float().numpy(), atol=0.02)

    def total(params):
        return jax.tree.leaves(func.functional_call(layer, params, x))[0].sum().astype(jnp.float32)

    grads = jax.grad(amp.autocast("cpu")(total))(params)
    flat[0].float().sum().backward()
    for key, value in reference.named_parameters():
        assert grads[key].dtype == jnp.float32
        np.testing.assert_allclose(grads[key], value.grad.numpy(), rtol=0.05, atol=0.05, err_msg=key)


def test_torchs_sentences():
    half = {torch: torch.bfloat16, amp: jnp.bfloat16}
    for call in (lambda a: a.autocast("vulkan", half[a]), lambda a: a.autocast(3), lambda a: a.autocast("cpu")(3)):
        with pytest.raises(Exception) as expected:
            call(torch)
        with pytest.raises(type(expected.value)) as got:
            call(amp)
        assert str(got.value).splitlines()[0] == str(expected.value).splitlines()[0].partition(" Did you")[0]
    with pytest.warns(UserWarning) as theirs:
        torch.autocast("cpu", dtype=torch.float32)
    with pytest.warns(UserWarning) as ours:
        region = amp.autocast("cpu", dtype=jnp.float32)
    assert str(ours[0].message) == str(theirs[0].message)
    assert region(F.linear)(X, W).dtype == jnp.float32
    with pytest.raises(ValueError, match="autocast casts to half precision"):
        amp.autocast("cuda", dtype=jnp.float32)
    with pytest.raises(TypeError, match="no context manager"), amp.autocast("cpu"):
        pass
