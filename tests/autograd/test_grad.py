"""``grad`` beside ``torch.autograd.grad``: sentences, batches, zeros on request, orders."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad.autograd import grad

torch = pytest.importorskip("torch")

PARAMS = {"b": np.array([0.5, -1.0]), "a": np.array([2.0, 3.0])}


@pytest.fixture
def params(x64):
    return {name: jnp.asarray(leaf) for name, leaf in PARAMS.items()}


def leaves():
    return [torch.tensor(leaf, requires_grad=True) for leaf in PARAMS.values()]


def sentence(call):
    with pytest.raises((RuntimeError, ValueError)) as caught:
        call()
    return type(caught.value), str(caught.value).split("\n  got:")[0].split("\n  remedy:")[0]


@pytest.mark.parametrize(
    "ours, theirs",
    [
        (lambda p: grad(lambda p: (p["b"] ** 2).sum(), p), lambda b, a: torch.autograd.grad((b**2).sum(), [b, a])),
        (lambda p: grad(lambda p: (p["a"] ** 2).sum(), p), lambda b, a: torch.autograd.grad((a**2).sum(), [b, a])),
        (
            lambda p: grad(lambda p: (p["b"] ** 2).sum(), p, inputs="a"),
            lambda b, a: torch.autograd.grad((b**2).sum(), [a]),
        ),
        (
            lambda p: grad(lambda p: p["a"].sum(), p, allow_unused=False, materialize_grads=True),
            lambda b, a: torch.autograd.grad(a.sum(), [b, a], allow_unused=False, materialize_grads=True),
        ),
        (lambda p: grad(lambda p: p["a"], p), lambda b, a: torch.autograd.grad(a * 1, [b, a])),
        (lambda p: grad(lambda p: jnp.argmax(p["a"]), p), lambda b, a: torch.autograd.grad(a.argmax(), [b, a])),
        (lambda p: grad(lambda p: p["a"].sum(), p, inputs=[]), lambda b, a: torch.autograd.grad(a.sum(), [])),
        (
            lambda p: grad(lambda p: p["a"], p, grad_outputs=np.ones(2), is_grads_batched=True),
            lambda b, a: torch.autograd.grad(a * 1, [a], grad_outputs=torch.ones(2), is_grads_batched=True),
        ),
    ],
    ids="unused unused_first only_unused contradiction scalar integer empty batch".split(),
)
def test_torchs_sentences(params, ours, theirs):
    assert sentence(lambda: ours(params)) == sentence(lambda: theirs(*leaves()))


def test_unused_allowed_or_materialized(params):
    found = grad(lambda p: (p["a"] ** 2).sum(), params, allow_unused=True)
    assert list(found) == ["b", "a"] and found["b"] is None
    found = grad(lambda p: (p["a"] ** 2).sum(), params, materialize_grads=True)
    np.testing.assert_array_equal(found["b"], np.zeros(2))
    np.testing.assert_array_equal(found["a"], 2 * PARAMS["a"])
    found = grad(lambda p: (p["a"] ** 2).sum(), params, materialize_grads=True, inputs="a")
    assert found["b"] is None


def test_batched(params):
    v = np.arange(6.0).reshape(3, 2)
    b, a = leaves()
    expected = torch.autograd.grad(a**2 * b, [b, a], grad_outputs=torch.tensor(v), is_grads_batched=True)
    found = grad(lambda p: p["a"] ** 2 * p["b"], params, grad_outputs=v, is_grads_batched=True)
    for name, each in zip(PARAMS, expected, strict=True):
        np.testing.assert_allclose(found[name], each.numpy(), rtol=1e-14)
    found = grad(lambda p: p["a"] ** 2, params, grad_outputs=v, is_grads_batched=True, materialize_grads=True)
    assert found["b"].shape == (3, 2)
    with pytest.raises(ValueError, match="needs every grad_output"):
        grad(lambda p: p["a"].sum(), params, is_grads_batched=True)


def test_outputs_are_summed_with_their_vectors(params):
    b, a = leaves()
    outputs = [(a * b).sum(), a**2]
    expected = torch.autograd.grad(outputs, [b, a], grad_outputs=[None, torch.tensor([1.0, -2.0]).double()])
    found = grad(lambda p: ((p["a"] * p["b"]).sum(), p["a"] ** 2), params, grad_outputs=(None, np.array([1.0, -2.0])))
    for name, each in zip(PARAMS, expected, strict=True):
        np.testing.assert_array_equal(found[name], each.numpy())


def test_argnums(params):
    def fn(p, x, y):
        return (p["a"] * x).sum() * y

    x = jnp.array([1.0, 2.0])
    np.testing.assert_array_equal(grad(fn, params, x, 3.0, argnums=1), 3 * PARAMS["a"])
    by_x, by_y = grad(fn, params, x, 3.0, argnums=(1, 2))
    np.testing.assert_array_equal(by_x, 3 * PARAMS["a"])
    np.testing.assert_array_equal(by_y, (PARAMS["a"] * x).sum())


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_any_order(x64, order):
    def ours(t):
        return jnp.sin(t) * t**3 + jnp.exp(-t)

    fn = ours
    for _ in range(order):
        fn = (lambda inner: lambda t: grad(inner, t, create_graph=True))(fn)
    t = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    value = torch.sin(t) * t**3 + torch.exp(-t)
    for _ in range(order):
        (value,) = torch.autograd.grad(value, t, create_graph=True)
    np.testing.assert_allclose(fn(jnp.asarray(0.7)), value.item(), rtol=1e-13)
    np.testing.assert_allclose(jax.jit(fn)(jnp.asarray(0.7)), value.item(), rtol=1e-13)


@pytest.mark.parametrize("create_graph", [False, True])
def test_create_graph_decides_whether_a_penalty_counts(params, create_graph):
    """A gradient penalty beside the loss: without create_graph it is a constant."""
    b, a = leaves()
    loss = (a**3 * b).sum()
    by_a, by_b = torch.autograd.grad(loss, [a, b], create_graph=create_graph, retain_graph=True)
    expected = torch.autograd.grad(loss + (by_a**2).sum() + (by_b**2).sum(), [b, a])

    def penalized(p):
        def fn(p):
            return (p["a"] ** 3 * p["b"]).sum()

        inner = grad(fn, p, create_graph=create_graph)
        return fn(p) + sum((each**2).sum() for each in inner.values())

    found = jax.jit(lambda p: grad(penalized, p))(params)
    for name, each in zip(PARAMS, expected, strict=True):
        np.testing.assert_allclose(found[name], each.numpy(), rtol=1e-14)


def test_a_gradient_without_graph_cannot_be_differentiated(params):
    b, a = leaves()
    (g,) = torch.autograd.grad((a**3).sum(), [a])
    expected = sentence(lambda: torch.autograd.grad(g.sum(), [a]))
    inner = lambda p: grad(lambda p: (p["a"] ** 3).sum(), p, allow_unused=True)["a"].sum()  # noqa: E731
    assert sentence(lambda: grad(inner, params)) == expected
    del b
