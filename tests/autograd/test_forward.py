"""The graph as a value, beside torch's: used once, retained, shared by several losses, freed for real."""

import gc
import threading
import weakref

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad.autograd import accumulate, backward, forward

torch = pytest.importorskip("torch")

PARAMS = {"w": np.array([[1.0, -2.0], [0.5, 3.0]]), "head_b": np.array([0.3, -0.1]), "head_a": np.array([1.5, 2.0])}
X = np.array([[1.0, 2.0], [0.25, -1.0], [2.0, 0.5]])


def losses(p, x):
    trunk = jnp.tanh(x @ p["w"])
    return {"a": jnp.sum(trunk @ p["head_a"]), "b": jnp.sum((trunk @ p["head_b"]) ** 2)}


def losses_in_torch():
    p = {name: torch.tensor(leaf, requires_grad=True) for name, leaf in PARAMS.items()}
    trunk = torch.tanh(torch.tensor(X) @ p["w"])
    return p, {"a": torch.sum(trunk @ p["head_a"]), "b": torch.sum((trunk @ p["head_b"]) ** 2)}


def same(ours, leaves):
    for name, leaf in leaves.items():
        assert (ours[name] is None) == (leaf.grad is None), name
        if leaf.grad is not None:
            np.testing.assert_allclose(ours[name], leaf.grad.numpy(), rtol=1e-13)


@pytest.fixture
def params(x64):
    return {name: jnp.asarray(leaf) for name, leaf in PARAMS.items()}


def second_sentence():
    w = torch.ones(2, requires_grad=True)
    loss = (w**2).sum()
    loss.backward()
    with pytest.raises(RuntimeError) as caught:
        loss.backward()
    return str(caught.value)


def test_second_backward_raises_torchs_sentence(params):
    _, graph = forward(lambda p: jnp.sum(p["w"] ** 2), params)
    graph.backward()
    with pytest.raises(RuntimeError) as caught:
        graph.backward()
    assert str(caught.value) == second_sentence()
    with pytest.raises(RuntimeError, match="a second time"):
        graph.restore(params)


def test_retained_twice_is_exactly_double(params):
    _, graph = forward(losses, params, X)
    once = graph.backward(retain_graph=True)
    twice = graph.backward(grads=once)
    for name, grad in once.items():
        np.testing.assert_array_equal(twice[name], 2 * grad)


def test_one_backward_for_each_loss(params):
    leaves, theirs = losses_in_torch()
    value, graph = forward(losses, params, X)
    np.testing.assert_allclose(value["b"], theirs["b"].item(), rtol=1e-14)
    theirs["a"].backward(retain_graph=True)
    first = graph["a"].backward(retain_graph=True)
    assert first["head_b"] is None
    same(first, leaves)
    theirs["b"].backward()
    both = graph["b"].backward(grads=first)
    same(both, leaves)
    with pytest.raises(RuntimeError, match="a second time"):
        graph["a"].backward()

    _, at_once = backward(lambda p, x: sum(losses(p, x).values()), params, X)
    _, graph = forward(losses, params, X)
    summed = graph.backward()
    for name in params:
        np.testing.assert_allclose(both[name], at_once[name], rtol=1e-14)
        np.testing.assert_allclose(summed[name], at_once[name], rtol=1e-14)


def test_a_loss_left_out_is_not_visited():
    _, graph = forward(lambda a: (a.sum(), jnp.sqrt(a).sum()), jnp.zeros(2))
    np.testing.assert_array_equal(graph[0].backward(retain_graph=True), [1.0, 1.0])  # 0 * inf would be nan
    assert np.isinf(graph[1].backward()).all()


def test_vector_jacobian_product_with_a_tree_of_gradients(params):
    leaves, theirs = losses_in_torch()
    torch.autograd.backward([theirs["a"], theirs["b"]], [torch.tensor(2.0).double(), None])
    _, graph = forward(losses, params, X)
    same(graph.backward({"a": np.float64(2.0), "b": None}), leaves)


def test_crosses_jit_both_ways(params):
    first = jax.jit(lambda p, x: forward(losses, p, x))
    second = jax.jit(lambda graph: graph.backward())
    _, graph = first(params, X)
    leaves, theirs = losses_in_torch()
    sum(theirs.values()).backward()
    same(second(graph), leaves)
    same(graph.backward(), leaves)  # eagerly; the graph inside of `second` was another
    with pytest.raises(RuntimeError, match="a second time"):
        graph.backward()
    with pytest.raises(RuntimeError, match="a second time"):
        second(graph)


def test_second_backward_raises_inside_jit(params):
    def twice(p):
        _, graph = forward(losses, p, X)
        graph.backward()
        return graph.backward()

    with pytest.raises(RuntimeError, match="a second time"):
        jax.jit(twice)(params)

    @jax.jit
    def used_up(p):
        _, graph = forward(losses, p, X)
        return graph.backward(), graph

    _, graph = used_up(params)
    assert not jax.tree.leaves(graph)
    with pytest.raises(RuntimeError, match="a second time"):
        graph.backward()


def live_bytes():
    gc.collect()
    return sum(array.nbytes for array in jax.live_arrays())


@pytest.mark.parametrize("jitted", [False, True])
def test_freeing_is_real(jitted):
    def loss(p, x):
        return jnp.sum(jnp.tanh(jnp.sin(x @ p["w"]) @ p["w"]))

    params, x = {"w": jnp.full((64, 64), 0.01)}, jnp.ones((512, 64))
    run = jax.jit(lambda p, x: forward(loss, p, x)) if jitted else lambda p, x: forward(loss, p, x)
    before = live_bytes()
    _, graph = run(params, x)
    held = live_bytes() - before
    assert held >= 2 * 512 * 64 * 4  # the results of sin and tanh, or of their derivatives
    graph.backward(retain_graph=True)
    assert live_bytes() - before >= held
    saved = [weakref.ref(array) for array in jax.tree.leaves(graph)]
    graph.backward()
    assert live_bytes() - before < 1024
    assert all(array() is None for array in saved if array() is not params["w"] and array() is not x)


def test_views_share_their_end():
    _, graph = forward(lambda a: (jnp.sin(a).sum(), jnp.cos(a).sum()), jnp.ones(1000))
    view = graph[0]
    graph[1].backward()
    assert not jax.tree.leaves(view) and "freed" in repr(view)


def test_parameters_are_not_copied():
    def loss(p, x):
        return jnp.sum(jnp.tanh(jnp.sin(x @ p["w"]) @ p["v"]))

    params = {"w": jnp.full((256, 256), 0.01), "v": jnp.full((256, 256), 0.02)}
    x = jnp.ones((2, 256))
    size = sum(leaf.nbytes for leaf in params.values())

    _, whole = jax.jit(lambda p, x: forward(loss, p, x))(params, x)
    assert sum(leaf.nbytes for leaf in jax.tree.leaves(whole)) > size / 2

    thin = jax.jit(lambda p, x: forward(loss, p, x)[1].without(p, x))(params, x)
    assert sum(leaf.nbytes for leaf in jax.tree.leaves(thin)) < size / 20
    with pytest.raises(RuntimeError, match="without some of its saved tensors"):
        thin.backward()
    grads = jax.jit(lambda graph, p, x: graph.restore(p, x).backward())(thin, params, x)
    _, expected = jax.jit(lambda p, x: backward(loss, p, x))(params, x)
    for name in params:
        np.testing.assert_array_equal(grads[name], expected[name])

    _, graph = forward(jax.jit(loss), params, x)  # only the function is compiled: the very same arrays
    assert any(leaf is params["v"] for leaf in jax.tree.leaves(graph))


def test_graph_under_vmap_and_scan(params):
    xs = jnp.stack([X, 2 * X])

    def both(x):
        _, graph = forward(losses, params, x)
        return graph["a"].backward(retain_graph=True), graph["b"].backward()

    _, graph = jax.vmap(lambda x: forward(losses, params, x))(xs)
    one_by_one = jax.vmap(lambda graph: graph.backward())(graph)
    first, second = jax.lax.map(both, xs)
    for name in params:
        np.testing.assert_allclose(one_by_one[name], accumulate(first, second)[name], rtol=1e-13, atol=1e-14)


def test_two_threads_do_not_know_of_each_other():
    results, barrier = {}, threading.Barrier(4)

    def work(k):
        params = {"w": jnp.full((3,), float(k + 1)), "unused": jnp.ones(1)}
        barrier.wait()
        for _ in range(5):
            _, graph = forward(lambda p: (jnp.sum(p["w"] ** 2), jnp.sum(p["w"] ** 3)), params)
            barrier.wait()
            grads = graph[0].backward(retain_graph=True)
            barrier.wait()
            grads = graph[1].backward(grads=grads)
            with pytest.raises(RuntimeError, match="a second time"):
                graph.backward()
        results[k] = grads

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k in range(4):
        w = k + 1
        np.testing.assert_allclose(results[k]["w"], np.full(3, 2 * w + 3 * w**2), rtol=1e-6)
        assert results[k]["unused"] is None


def test_forward_needs_no_leaf_and_backward_does():
    value, graph = forward(lambda p: jnp.ones(()), {"w": jnp.ones(2)})
    assert float(value) == 1.0
    with pytest.raises(RuntimeError, match="element 0 of tensors does not require grad and does not have a grad_fn"):
        graph.backward()
