"""Frozen parameters: gradient None as in torch, nothing computed for them, trees that split and merge."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad.autograd import backward, forward, freeze, merge, requires_grad, unfreeze

torch = pytest.importorskip("torch")

SHAPES = {"0.weight": (6, 4), "0.bias": (6,), "2.weight": (5, 6), "2.bias": (5,), "4.weight": (2, 5), "4.bias": (2,)}


@pytest.fixture
def params():
    rng = np.random.default_rng(0)
    return {name: jnp.asarray(rng.normal(size=shape), jnp.float32) for name, shape in SHAPES.items()}


X = np.random.default_rng(1).normal(size=(7, 4)).astype(np.float32)


def loss_fn(p, x):
    for i in (0, 2, 4):
        x = x @ p[f"{i}.weight"].T + p[f"{i}.bias"][None]
        x = jnp.tanh(x) if i < 4 else x
    return jnp.mean(x**2)


def torch_grads(params, where):
    model = torch.nn.Sequential(
        torch.nn.Linear(4, 6), torch.nn.Tanh(), torch.nn.Linear(6, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2)
    )
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.tensor(np.asarray(params[name])))
            parameter.requires_grad_(not where(name))
    (model(torch.tensor(X)) ** 2).mean().backward()
    return {name: None if p.grad is None else p.grad.numpy() for name, p in model.named_parameters()}


def same(found, expected):
    assert list(found) == list(expected)
    for name, each in expected.items():
        assert (found[name] is None) == (each is None), name
        if each is not None:
            np.testing.assert_allclose(found[name], each, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "where, in_torch",
    [
        ("0.*", lambda n: n.startswith("0.")),
        (["*.bias", "2.*"], lambda n: n.endswith("bias") or n.startswith("2.")),
        (lambda name, leaf: leaf.ndim == 2, lambda n: n.endswith("weight")),
    ],
    ids=["pattern", "patterns", "predicate"],
)
def test_frozen_leaves_have_none(params, where, in_torch):
    expected = torch_grads(params, in_torch)
    trained, frozen = freeze(params, where)
    assert list(trained) == list(frozen) == list(params)
    _, by_trees = backward(lambda t, x: loss_fn(merge(t, frozen), x), trained, X)
    same(by_trees, expected)
    _, by_mask = backward(loss_fn, params, X, inputs=requires_grad(params, where, False))
    same(by_mask, expected)
    again = merge(trained, frozen)
    assert list(again) == list(params) and all(again[name] is params[name] for name in params)


def dots(params, **keywords):
    def run(p):
        return backward(loss_fn, p, X, **keywords)

    return jax.jit(run).lower(params).as_text().count("stablehlo.dot_general")


def test_a_frozen_gradient_is_not_computed(params):
    """3 products forward; backward one for each weight and one for each input behind a trained layer."""
    assert dots(params) == 3 + 3 + 2
    assert dots(params, inputs=requires_grad(params, "0.*", False)) == 3 + 2 + 1
    assert dots(params, inputs=requires_grad(params, "4.*")) == 3 + 1 + 0
    assert dots(params, inputs=requires_grad(params, ["2.*", "4.*"], False)) == 3 + 1 + 2

    trained, frozen = freeze(params, ["0.*", "2.*"])
    text = jax.jit(lambda t: backward(lambda t: loss_fn(merge(t, frozen), X), t)).lower(trained).as_text()
    assert text.count("stablehlo.dot_general") == 3 + 1 + 0


def test_a_frozen_layer_saves_nothing(params):
    """With the first two layers frozen only what the last one needs is kept."""

    def held(inputs):
        _, graph = forward(loss_fn, params, X, inputs=inputs)
        mine = {id(leaf) for leaf in jax.tree.leaves(params)}
        return sum(leaf.nbytes for leaf in jax.tree.leaves(graph) if id(leaf) not in mine)

    assert held(requires_grad(params, "4.*")) < held(None) / 2


def test_unfreeze(params):
    trained, frozen = freeze(params, "*")
    assert all(leaf is None for leaf in trained.values())
    with pytest.raises(RuntimeError, match="does not require grad"):
        backward(lambda t: loss_fn(merge(t, frozen), X), trained)
    trained, frozen = unfreeze(trained, frozen, "4.*")
    trained, frozen = unfreeze(trained, frozen, lambda name, leaf: name == "0.bias")
    _, grads = backward(lambda t: loss_fn(merge(t, frozen), X), trained)
    same(grads, torch_grads(params, lambda n: not n.startswith("4.") and n != "0.bias"))


def test_faults(params):
    with pytest.raises(KeyError, match=r'no parameter matches "features\.\*"'):
        freeze(params, "features.*")
    with pytest.raises(ValueError, match="a leaf is in two trees"):
        merge(params, params)
    with pytest.raises(RuntimeError, match="Only Tensors of floating point and complex dtype can require gradients"):
        requires_grad({"ids": jnp.arange(3)}, "ids")
    assert requires_grad({"ids": jnp.arange(3), "w": jnp.ones(1)}, "w") == {"ids": False, "w": True}


def test_masks_of_any_tree():
    tree = {"z": [jnp.ones(2), jnp.ones(1)], "a": (jnp.ones(3),)}
    mask = requires_grad(tree, "z.*")
    assert mask == {"z": [True, True], "a": (False,)}
    _, grads = backward(lambda t: sum(leaf.sum() for leaf in jax.tree.leaves(t)), tree, inputs=mask)
    assert grads["a"] == (None,) and grads["z"][1] is not None
