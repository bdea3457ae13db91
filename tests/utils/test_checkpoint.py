"""Rematerialisation: torch's gradients, fewer saved tensors, less memory in the compiled program, the same draws."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad import random
from jaxgrad.autograd import backward, forward
from jaxgrad.utils.checkpoint import checkpoint, checkpoint_sequential

torch = pytest.importorskip("torch")
from torch.utils import checkpoint as torch_checkpoint  # noqa: E402

WIDTH, DEPTH = 16, 8
WEIGHTS = np.random.default_rng(0).normal(size=(DEPTH, WIDTH, WIDTH)) / WIDTH**0.5
X = np.random.default_rng(1).normal(size=(32, WIDTH))


def layers(lib, p):
    return [lambda h, w=p[f"w{i}"]: lib.tanh(lib.sin(h @ w)) for i in range(DEPTH)]


def loss(p, x, segments):
    if not segments:
        for layer in layers(jnp, p):
            x = layer(x)
    else:
        x = checkpoint_sequential(layers(jnp, p), segments, x)
    return jnp.sum(x**2)


@pytest.fixture
def params():
    return {f"w{i}": jnp.asarray(w) for i, w in enumerate(WEIGHTS)}


@pytest.mark.parametrize("segments", [1, 2, 3, 8])
def test_gradients_are_torchs(x64, segments):
    params = {f"w{i}": jnp.asarray(w) for i, w in enumerate(WEIGHTS)}
    leaves = {name: torch.tensor(np.asarray(w), requires_grad=True) for name, w in params.items()}
    out = torch_checkpoint.checkpoint_sequential(layers(torch, leaves), segments, torch.tensor(X), use_reentrant=False)
    (out**2).sum().backward()
    _, grads = jax.jit(backward, static_argnums=(0, 3))(loss, params, X, segments)
    for name, leaf in leaves.items():
        np.testing.assert_allclose(grads[name], leaf.grad.numpy(), rtol=1e-12, atol=1e-13)


def test_less_is_saved(params):
    def held(segments):
        _, graph = forward(loss, params, jnp.asarray(X, jnp.float32), segments)
        mine = {id(leaf) for leaf in jax.tree.leaves(params)}
        return sum(leaf.nbytes for leaf in jax.tree.leaves(graph) if id(leaf) not in mine)

    assert held(4) < 0.55 * held(0)  # three of four segments keep their input alone


def test_less_memory_in_the_compiled_program():
    """In a scan over layers, the form that no compiler pass can undo."""
    weights, x = jnp.zeros((8, WIDTH, WIDTH)), jnp.ones((2048, WIDTH))

    def block(h, w):
        for _ in range(3):
            h = jnp.tanh(jnp.sin(h @ w))
        return h

    def temporary(remat):
        def layer(h, w):
            return (checkpoint(block, h, w) if remat else block(h, w)), None

        def scanned(weights):
            return jnp.sum(jax.lax.scan(layer, x, weights)[0] ** 2)

        compiled: Any = jax.jit(lambda w: backward(scanned, w)).lower(weights).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    assert temporary(True) < 0.3 * temporary(False)


def test_the_second_run_draws_the_same_numbers():
    """Dropout inside a checkpoint: the mask of the backward is the mask of the forward."""
    generator, w = random.manual_seed(0), jnp.ones((4, 4))

    def dropped(w, generator):
        draws, generator = random.rand(generator, (8, 4))
        return jnp.sin(jnp.ones((8, 4)) @ w) * (draws < 0.5).astype(draws.dtype), generator

    def run(w, remat):
        out, after = checkpoint(dropped, w, generator) if remat else dropped(w, generator)
        return jnp.sum(out**2), after

    (value, after), grad = backward(run, w, True, has_aux=True)
    (expected_value, expected_after), expected = backward(run, w, False, has_aux=True)
    np.testing.assert_array_equal(grad, expected)
    np.testing.assert_array_equal(value, expected_value)
    for one, other in zip(jax.tree.leaves(after), jax.tree.leaves(expected_after), strict=True):
        np.testing.assert_array_equal(one, other)


def test_arguments_and_results_of_any_kind():
    def function(x, how, *, scale, nothing=None):
        assert how == "sum" and nothing is None
        return {"y": jnp.sin(x["a"]) * scale, "n": 3}

    out = checkpoint(function, {"a": jnp.ones(2)}, "sum", scale=2.0)
    np.testing.assert_allclose(out["y"], 2 * np.sin(np.ones(2)), rtol=1e-6)
    assert int(out["n"]) == 3


@pytest.mark.parametrize(
    "keywords",
    [{"use_reentrant": True}, {"context_fn": lambda: None}, {"debug": True}, {"preserve_rng_state": False}],
    ids=lambda each: next(iter(each)),
)
def test_what_cannot_act_raises(keywords):
    with pytest.raises(ValueError, match="cannot act as in torch here"):
        checkpoint(jnp.sin, jnp.ones(2), **keywords)


def sentence(call):
    with pytest.raises((ValueError, ZeroDivisionError)) as caught:
        call()
    return type(caught.value), str(caught.value)


def test_torchs_sentences():
    x, t = jnp.ones(2), torch.ones(2, requires_grad=True)
    theirs = sentence(
        lambda: torch_checkpoint.checkpoint(torch.sin, t, use_reentrant=False, determinism_check="x").sum().backward()
    )
    assert sentence(lambda: checkpoint(jnp.sin, x, determinism_check="x")) == theirs
    for segments in (0, 3):
        theirs = sentence(
            lambda n=segments: torch_checkpoint.checkpoint_sequential([torch.sin] * 2, n, t, use_reentrant=False)
        )
        assert sentence(lambda n=segments: checkpoint_sequential([jnp.sin] * 2, n, x)) == theirs
