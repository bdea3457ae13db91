"""One notion of "requires grad" and of "no gradient": rules that return None, frozen leaves, no_grad."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad.autograd import (
    Function,
    backward,
    backward_retaining,
    detach,
    enable_grad,
    forward,
    freeze,
    merge,
    no_grad,
    requires_grad,
    retain_grad,
)

torch = pytest.importorskip("torch")


def rule(returned, library, both_modes=False):
    """A function of two arrays whose backward returns the gradients of ``returned`` and None for the others."""
    base = Function if library is jnp else torch.autograd.Function

    class Rule(base):
        @staticmethod
        def forward(ctx, x, y):
            return 2 * x + y, x - y

        @staticmethod
        def backward(ctx, g, h):
            grads = {"x": 2 * g + h, "y": g - h, "zeros": 0 * g, "whole": library.zeros_like(g)}
            return tuple(grads[each] if each else None for each in returned)

    if both_modes:
        Rule.jvp = staticmethod(lambda ctx, dx, dy: (2 * dx + dy, dx - dy))
    return Rule.apply


@pytest.mark.parametrize("both_modes", [False, True])
@pytest.mark.parametrize(
    "returned", [("x", "y"), ("x", None), (None, "y"), (None, None), ("zeros", None), ("whole", "whole")]
)
def test_none_that_a_rule_returns_is_no_gradient(returned, both_modes, x64):
    """Also for the only input, for both, and upstream; zeros that it returns are a gradient."""
    a, b = np.array([1.0, 2.0]), np.array([0.5, -1.0])

    def loss(library, apply):
        return lambda a, b: (apply(library.sin(a), b)[0] ** 2 + apply(a, a)[1]).sum()

    ours = rule(returned, jnp, both_modes)
    run = lambda p: backward(lambda p: loss(jnp, ours)(p["a"], p["b"]), p)[1]  # noqa: E731
    params = {"a": jnp.asarray(a), "b": jnp.asarray(b), "unused": jnp.ones(1)}
    leaves = {name: torch.tensor(value, requires_grad=True) for name, value in (("a", a), ("b", b))}
    loss(torch, rule(returned, torch))(leaves["a"], leaves["b"]).backward()
    for grads in (run(params), jax.jit(run)(params)):
        for name, leaf in leaves.items():
            assert (grads[name] is None) == (leaf.grad is None), (name, returned)
            if leaf.grad is not None:
                np.testing.assert_allclose(grads[name], leaf.grad, rtol=1e-14)
        assert grads["unused"] is None


def test_none_leaves_what_others_send(x64):
    """A leaf with one path through None and one beside it has the gradient of the other; a NaN behind None is none."""
    ours, theirs = rule((None, "y"), jnp), rule((None, "y"), torch)
    for fn in (
        lambda library, apply, x: (apply(x, x)[0] * x).sum(),
        lambda library, apply, x: (apply(library.log(x - x), x)[0]).sum(),  # log(0) would send 0 * inf
        lambda library, apply, x: apply(x, library.exp(x))[1].sum(),
    ):
        leaf = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
        fn(torch, theirs, leaf).backward()
        _, grads = backward(lambda x, fn=fn: fn(jnp, ours, x), jnp.array([1.0, 2.0]))
        np.testing.assert_allclose(grads, leaf.grad, rtol=1e-14)


def test_an_output_that_a_rule_does_not_send_on_has_its_own_none(x64):
    class Ours(Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.set_materialize_grads(False)
            return x * 2, y * 3

        @staticmethod
        def backward(ctx, g, h):
            return None if g is None else 2 * g, None if h is None else 3 * h

    params = {"x": jnp.ones(2), "y": jnp.ones(2)}
    assert backward(lambda p: Ours.apply(p["x"], p["y"])[0].sum(), params)[1]["y"] is None
    assert backward(lambda p: Ours.apply(p["x"], p["y"])[1].sum(), params)[1]["x"] is None


PARAMS = {"w": np.array([1.0, 2.0]), "frozen": np.array([0.5, -1.0])}


def retained_in_torch(fn):
    w = torch.tensor(PARAMS["w"], requires_grad=True)
    kept = {}

    def retain(value, name):
        if value.requires_grad:
            value.retain_grad()
        kept[name] = value
        return value

    fn(torch, w, torch.tensor(PARAMS["frozen"]), retain).backward()
    return w.grad, {name: value.grad for name, value in kept.items()}


def detached(library, value):
    return detach(value) if library is jnp else value.detach()


def under_no_grad(library, fn):
    if library is jnp:
        return no_grad(fn)()
    with torch.no_grad():
        return fn()


def test_a_value_that_does_not_require_grad_retains_none(x64):
    """From frozen leaves, detach, no_grad, an output marked as non-differentiable; whatever the loss makes of it."""

    def program(library, w, frozen, retain):
        a = retain(frozen * 3, "of frozen leaves")
        b = retain(detached(library, w * 2), "detached")
        c = retain(under_no_grad(library, lambda: w**3), "no_grad")
        d = retain(w * frozen, "trained")
        return (a * d + b * d + c * d + a * b).sum()

    w_grad, expected = retained_in_torch(program)
    params = {name: jnp.asarray(value) for name, value in PARAMS.items()}
    trained, frozen = freeze(params, "frozen")

    def loss(p):
        return program(jnp, p["w"], p["frozen"], retain_grad)

    of_two_trees = backward_retaining(lambda trained: loss(merge(trained, frozen)), trained)
    of_a_mask = backward_retaining(loss, params, inputs=requires_grad(params, "frozen", False))
    compiled = jax.jit(lambda p: backward_retaining(loss, p, inputs={"w": True, "frozen": False})[1:])(params)
    for grads, retained in (of_two_trees[1:], of_a_mask[1:], compiled):
        assert retained.keys() == expected.keys()
        for name, grad in expected.items():
            assert (retained[name] is None) == (grad is None), name
        np.testing.assert_allclose(retained["trained"], expected["trained"], rtol=1e-14)
        np.testing.assert_allclose(grads["w"], w_grad, rtol=1e-14)
        assert grads["frozen"] is None


def test_a_loss_of_frozen_leaves_alone_requires_no_grad():
    params = {name: jnp.asarray(value) for name, value in PARAMS.items()}
    of_frozen = lambda p: retain_grad(p["frozen"] * 2, "h").sum()  # noqa: E731
    trained, frozen = freeze(params, "*")
    for call in (
        lambda: backward(lambda t: of_frozen(merge(t, frozen)), trained),
        lambda: backward(of_frozen, params, inputs=requires_grad(params, "frozen", False)),
        lambda: backward(of_frozen, params, inputs={"w": False, "frozen": False}),
        lambda: backward_retaining(of_frozen, params, inputs=requires_grad(params, "frozen", False)),
        lambda: forward(of_frozen, params, inputs=requires_grad(params, "frozen", False))[1].backward(),
    ):
        with pytest.raises(
            RuntimeError, match="element 0 of tensors does not require grad and does not have a grad_fn"
        ):
            call()
    # torch's inputs= says where gradients go: what they do not name requires grad all the same
    assert backward(of_frozen, params, inputs="w")[1] == {"w": None, "frozen": None}
    assert backward_retaining(of_frozen, params, inputs="w")[1:] == ({"w": None, "frozen": None}, {"h": None})


def test_a_name_inside_of_a_rule_is_there_with_none():
    @jax.custom_jvp
    def f(x):
        return retain_grad(x * 2, "inside").sum()

    f.defjvp(lambda primals, tangents: (f(*primals), 2 * tangents[0].sum()))
    _, grads, retained = backward_retaining(lambda p: f(retain_grad(p["w"] * 1, "outside")), {"w": jnp.ones(2)})
    assert retained["inside"] is None
    np.testing.assert_array_equal(retained["outside"], [2.0, 2.0])
    np.testing.assert_array_equal(grads["w"], [2.0, 2.0])


def test_enable_grad_inside_a_while_loop_under_no_grad_counts():
    """In forward mode; in reverse mode JAX refuses the loop, and nothing is dropped without a word."""

    def fn(x):
        body = lambda c: (c[0] + 1, enable_grad(lambda: c[0] * x)())  # noqa: E731
        loop = no_grad(lambda: jax.lax.while_loop(lambda c: c[0] < 5, body, (0.0, x)))
        return (x**2 + loop()[1]).sum()

    x = jnp.array([1.0, 2.0])
    leaf = torch.tensor([1.0, 2.0], requires_grad=True)
    with torch.no_grad():
        i, y = 0.0, leaf
        while i < 5:
            with torch.enable_grad():
                i, y = i + 1, i * leaf
    (leaf**2 + y).sum().backward()
    np.testing.assert_array_equal(jax.jacfwd(fn)(x), leaf.grad)
    np.testing.assert_array_equal(fn(x), (leaf.detach() ** 2 + y.detach()).sum())
    with pytest.raises(ValueError, match="Reverse-mode differentiation does not work"):
        backward(fn, x)


def test_a_leaf_that_is_no_array_is_passed_on():
    """A module may hold its activation function among its leaves, as equinox's do."""
    params = {"w": jnp.ones(2), "activation": jnp.tanh, "mode": "train"}
    loss, grads = backward(lambda p: p["activation"](p["w"]).sum() if p["mode"] == "train" else 0.0, params)
    np.testing.assert_allclose(grads["w"], 1 - np.tanh(1.0) ** 2 * np.ones(2), rtol=1e-6)
    assert grads["activation"] is None and grads["mode"] is None
    _, _, retained = backward_retaining(lambda p: retain_grad(p["activation"](p["w"]), "h").sum(), params)
    np.testing.assert_array_equal(retained["h"], np.ones(2))
    with pytest.raises(RuntimeError, match="Only Tensors of floating point"):
        backward(lambda p: p["w"].sum(), params | {"ids": jnp.arange(2)})
    del loss


@pytest.mark.parametrize("name", ["plus", "neg", "mean", "cat", "slice", "rsub", "times", "over", "product", "square"])
def test_a_second_backward_of_a_graph_that_saved_nothing(name):
    program = {
        "plus": lambda library, a: (a + 1).sum(),
        "neg": lambda library, a: (-a).sum(),
        "mean": lambda library, a: a.mean(),
        "cat": lambda library, a: (library.cat if library is torch else library.concatenate)([a, a]).sum(),
        "slice": lambda library, a: a[1:].sum(),
        "rsub": lambda library, a: (1 - a).sum(),
        "times": lambda library, a: (a * 2).sum(),
        "over": lambda library, a: (a / 2).sum(),
        "product": lambda library, a: (a * a).sum(),
        "square": lambda library, a: (a**2).sum(),
    }[name]
    leaf = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    loss = program(torch, leaf)
    loss.backward()
    _, graph = forward(lambda a: program(jnp, a), jnp.array([1.0, 2.0, 3.0]))
    grads = graph.backward()
    try:
        loss.backward()
    except RuntimeError:
        with pytest.raises(RuntimeError, match="Trying to backward through the graph a second time"):
            graph.backward(grads=grads)
    else:
        np.testing.assert_allclose(graph.backward(grads=grads), leaf.grad, rtol=1e-6)
