"""What each mode does to gradients beside torch, to the compiled program, and to the memory that a graph holds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad.autograd import backward, detach, enable_grad, forward, inference_mode, no_grad, set_grad_enabled

torch = pytest.importorskip("torch")

A, B = np.array([2.0, -1.0, 0.5]), np.array([0.25, 3.0, 1.0])


def theirs(loss):
    leaves = {"a": torch.tensor(A, requires_grad=True), "b": torch.tensor(B, requires_grad=True)}
    loss(leaves["a"], leaves["b"]).backward()
    return {name: None if leaf.grad is None else leaf.grad.numpy() for name, leaf in leaves.items()}


def t_no_grad(a, b):
    with torch.no_grad():
        h = a * 2 + b
    return (h * b).sum()


def t_enable_inside(a, b):
    with torch.no_grad():
        y = a * 2
        with torch.enable_grad():
            z, w = b * 3, y * b
        u = y * z
    return (z * w * u).sum() + (a**2).sum()


def t_enable_of_detached_only(a, b):
    with torch.no_grad():
        y = a * 2
        with torch.enable_grad():
            z = y * 3
    return (z * b).sum()


def t_argument_handed_through(a, b):
    hand, product = torch.no_grad()(lambda a, b: (a, a * b))(a, b)
    return (hand**2 * product).sum()


def t_inference(a, b):
    with torch.inference_mode():
        y = a * 2
        with torch.enable_grad():
            z = y * b
    return (z.clone() + b).sum()


def t_nested(a, b):
    with torch.no_grad():
        with torch.enable_grad():
            x = a * b
            with torch.no_grad():
                y = a**2
                with torch.enable_grad():
                    z = b**2
            w = x * y
        v = w * 2
    return (x + y + z + w + v).sum()


def t_scan(a, b):
    with torch.no_grad():
        h = a
        for _ in range(3):
            h = torch.sin(h)
            with torch.enable_grad():
                g = h * b
    return (g * h + a).sum()


def o_no_grad(a, b):
    return (no_grad(lambda: a * 2 + b)() * b).sum()


def o_enable_inside(a, b):
    def inside():
        y = a * 2
        z, w = enable_grad(lambda: (b * 3, y * b))()
        return y * z, z, w

    u, z, w = no_grad(inside)()
    return (z * w * u).sum() + (a**2).sum()


def o_enable_of_detached_only(a, b):
    def inside():
        y = a * 2
        return enable_grad(lambda: y * 3)()

    return (no_grad(inside)() * b).sum()


def o_argument_handed_through(a, b):
    hand, product = no_grad(lambda a, b: (a, a * b))(a, b)
    return (hand**2 * product).sum()


def o_inference(a, b):
    def inside():
        y = a * 2
        return enable_grad(lambda: y * b)()

    return (inference_mode(inside)() + b).sum()


def o_nested(a, b):
    def second():
        y = a**2
        return y, enable_grad(lambda: b**2)()

    def first():
        x = a * b
        y, z = no_grad(second)()
        return x, y, z, x * y

    def outer():
        x, y, z, w = enable_grad(first)()
        return x, y, z, w, w * 2

    return sum(no_grad(outer)()).sum()


def o_scan(a, b):
    def step(h, _):
        h = jnp.sin(h)
        return h, enable_grad(jax.jit(lambda h: h * b))(h)

    def inside():
        h, g = jax.lax.scan(step, a, None, length=3)
        return h, enable_grad(lambda: g[-1])()

    h, g = no_grad(inside)()
    return (g * h + a).sum()


CASES = {
    "no_grad": (o_no_grad, t_no_grad),
    "enable_inside": (o_enable_inside, t_enable_inside),
    "enable_of_detached_only": (o_enable_of_detached_only, t_enable_of_detached_only),
    "argument_handed_through": (o_argument_handed_through, t_argument_handed_through),
    "inference": (o_inference, t_inference),
    "nested": (o_nested, t_nested),
    "scan": (o_scan, t_scan),
    "detach": (lambda a, b: (detach(a * b) * b).sum(), lambda a, b: ((a * b).detach() * b).sum()),
    "enable": (lambda a, b: enable_grad(lambda: (a * b).sum())(), lambda a, b: (a * b).sum()),
}


@pytest.mark.parametrize("jitted", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_beside_torch(x64, case, jitted):
    ours, reference = CASES[case]
    run = (lambda f: f) if not jitted else jax.jit
    _, found = run(lambda p: backward(lambda p: ours(p["a"], p["b"]), p))({"a": jnp.asarray(A), "b": jnp.asarray(B)})
    for name, expected in theirs(reference).items():
        assert (found[name] is None) == (expected is None), name
        if expected is not None:
            np.testing.assert_allclose(found[name], expected, rtol=1e-13, atol=1e-14)


def test_values_do_not_change():
    def fn(a, *, scale, words):
        assert words == "sum"
        return {"out": jnp.sin(a) * scale, "words": words, "none": None}

    a = jnp.asarray(A, jnp.float32)
    expected = fn(a, scale=2.0, words="sum")
    for transform in (no_grad, inference_mode, enable_grad, set_grad_enabled(False), set_grad_enabled(True)):
        found = transform(fn)(a, scale=2.0, words="sum")
        np.testing.assert_array_equal(found["out"], expected["out"])
        assert found["words"] == "sum" and found["none"] is None and transform(fn).__name__ == "fn"
    with pytest.raises(TypeError, match="no mode to switch"):
        inference_mode(True)


def test_no_grad_leaves_nothing_to_save_and_no_backward():
    w, x = jnp.full((64, 64), 0.01), jnp.ones((256, 64))

    def body(w):
        return jnp.tanh(jnp.sin(x @ w) @ w)

    _, tracked = forward(lambda p: jnp.sum(body(p["w"])) + jnp.sum(p["b"]), {"w": w, "b": jnp.ones(2)})
    _, detached = forward(lambda p: jnp.sum(no_grad(body)(p["w"])) + jnp.sum(p["b"]), {"w": w, "b": jnp.ones(2)})
    saved = [sum(leaf.nbytes for leaf in jax.tree.leaves(graph)) for graph in (tracked, detached)]
    assert saved[0] >= 2 * 256 * 64 * 4 and saved[1] <= 64
    assert detached.backward()["w"] is None and tracked.backward()["w"] is not None

    def dots(fn):
        return jax.jit(lambda p: backward(fn, p)).lower({"w": w, "b": jnp.ones(2)}).as_text().count("dot_general")

    assert dots(lambda p: jnp.sum(body(p["w"])) + jnp.sum(p["b"])) == 5
    assert dots(lambda p: jnp.sum(no_grad(body)(p["w"])) + jnp.sum(p["b"])) == 2


def test_marks_leave_no_trace_in_the_compiled_program():
    def compiled(fn):
        text = jax.jit(fn).lower(jnp.ones(3)).compile().as_text()
        return text.count("sine("), text.count("fusion("), text.count(" = ")

    assert compiled(lambda a: enable_grad(jnp.sin)(a) * 2) == compiled(lambda a: jnp.sin(a) * 2)
