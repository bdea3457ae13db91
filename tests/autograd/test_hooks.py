"""Gradient hooks, retained gradients and hooks on leaves, beside torch's."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad.autograd import (
    backward,
    backward_retaining,
    detach,
    forward,
    grad,
    no_grad,
    post_accumulate_grad,
    register_hook,
    retain_grad,
)

torch = pytest.importorskip("torch")

A = np.array([2.0, -3.0, 0.5])


def clipped(lib):
    return lambda g: lib.clip(g, -1.0, 1.0)


HOOKS = {
    "scaled": lambda g: g * 0.1,
    "unchanged": lambda g: None,
    "nonlinear": lambda g: g**3 + g,
}


@pytest.mark.parametrize("jitted", [False, True])
@pytest.mark.parametrize("names", [["scaled"], ["unchanged"], ["nonlinear", "scaled"], ["scaled", "nonlinear"]])
def test_register_hook(x64, names, jitted):
    t = torch.tensor(A, requires_grad=True)
    h = t**2 + t
    for name in names:
        h.register_hook(HOOKS[name])
    (h * torch.sin(h) + t).sum().backward()

    def loss(a):
        h = register_hook(a**2 + a, *[HOOKS[name] for name in names])
        return (h * jnp.sin(h) + a).sum()

    run = jax.jit(lambda a: backward(loss, a)) if jitted else lambda a: backward(loss, a)
    value, found = run(jnp.asarray(A))
    np.testing.assert_allclose(found, t.grad.numpy(), rtol=1e-13)
    np.testing.assert_allclose(value, (h * torch.sin(h) + t).sum().item(), rtol=1e-14)


def test_hook_on_a_leaf_sees_the_sum_over_its_uses(x64):
    t = torch.tensor(A, requires_grad=True)
    t.register_hook(lambda g: g**2)
    (t * 3 + t**2).sum().backward()
    _, found = backward(lambda a: (lambda a: (a * 3 + a**2).sum())(register_hook(a, lambda g: g**2)), jnp.asarray(A))
    np.testing.assert_allclose(found, t.grad.numpy(), rtol=1e-14)


def test_second_derivative_goes_through_the_hook(x64):
    t = torch.tensor(A, requires_grad=True)
    h = t**3
    h.register_hook(lambda g: g**2 * t)  # closes over a leaf
    (first,) = torch.autograd.grad((h**2).sum(), t, create_graph=True)
    (second,) = torch.autograd.grad(torch.sin(first).sum(), t)

    def once(a):
        def loss(a):
            return (register_hook(a**3, lambda g: g**2 * a) ** 2).sum()

        return jnp.sin(grad(loss, a, create_graph=True)).sum()

    np.testing.assert_allclose(jax.jit(lambda a: grad(once, a))(jnp.asarray(A)), second.numpy(), rtol=1e-12)


def test_hook_under_vmap_and_scan(x64):
    def chain(a):
        def step(h, x):
            return register_hook(jnp.tanh(h * a + x), lambda g: jnp.clip(g, -0.3, 0.3) * a), None

        return jax.lax.scan(step, a * 0, jnp.arange(4.0))[0]

    expected = []
    for value in A:
        t = torch.tensor(value, requires_grad=True)
        h = t * 0
        for x in range(4):
            h = torch.tanh(h * t + x)
            h.register_hook(lambda g, t=t: torch.clip(g, -0.3, 0.3) * t.detach())
        h.backward()
        expected.append(t.grad.item())
    np.testing.assert_allclose(jax.jit(jax.vmap(jax.grad(chain)))(jnp.asarray(A)), expected, rtol=1e-11)
    np.testing.assert_allclose([backward(chain, jnp.asarray(a))[1] for a in A], expected, rtol=1e-11)


def test_complex_hook_sees_torchs_gradient(x64):
    z = np.array([1.0 + 2.0j, 0.5 - 1.0j])
    t = torch.tensor(z, requires_grad=True)
    h = t * t
    h.register_hook(lambda g: g * (1 + 2j))
    h.imag.sum().backward()
    _, found = backward(lambda z: jnp.imag(register_hook(z * z, lambda g: g * (1 + 2j))).sum(), jnp.asarray(z))
    np.testing.assert_allclose(found, t.grad.numpy(), rtol=1e-14)


def sentence(call):
    with pytest.raises((RuntimeError, TypeError)) as caught:
        call()
    return type(caught.value), str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda lib: lambda g: lib.ones(5),
        lambda lib: lambda g: lib.ones(3, dtype=lib.float16),
        lambda lib: lambda g: 1.0,
        lambda lib: lambda g: [g],
    ],
    ids=["shape", "dtype", "number", "list"],
)
def test_torchs_sentences(wrong):
    def theirs():
        t = torch.tensor(A, dtype=torch.float32, requires_grad=True)
        h = t * 2
        h.register_hook(wrong(torch))
        h.sum().backward()

    assert sentence(lambda: backward(lambda a: register_hook(a * 2, wrong(jnp)).sum(), jnp.float32(A))) == sentence(
        theirs
    )
    expected = sentence(lambda: torch.tensor([1, 2]).register_hook(lambda g: g))
    assert sentence(lambda: register_hook(jnp.array([1, 2]), lambda g: g)) == expected
    assert sentence(lambda: retain_grad(jnp.array([1]), "x")) == sentence(lambda: torch.tensor([1]).retain_grad())


def network(lib, keep):
    """Two layers with a branch that the loss does not use; ``keep`` marks intermediates."""

    def loss(p, x):
        h = keep(lib.tanh(x @ p["w"]), "hidden")
        aside = keep(h * 3.0, "aside")
        out = keep(h @ p["v"], "out")
        return (out**2).sum() + 0.0 * aside.detach().sum() if lib is torch else (out**2).sum()

    return loss


def test_retain_grad(x64):
    values = {"w": np.arange(6.0).reshape(2, 3) / 7, "v": np.ones((3, 2)) / 3}
    x = np.array([[1.0, -2.0], [0.5, 0.25]])
    kept = {}

    def keep(tensor, name):
        tensor.retain_grad()
        kept[name] = tensor
        return tensor

    leaves = {name: torch.tensor(value, requires_grad=True) for name, value in values.items()}
    network(torch, keep)(leaves, torch.tensor(x)).backward()
    params = {name: jnp.asarray(value) for name, value in values.items()}
    loss = network(jnp, retain_grad)

    for run in (backward_retaining, jax.jit(backward_retaining, static_argnums=0)):
        _, grads, retained = run(loss, params, x)
        assert set(retained) == {"hidden", "aside", "out"} and retained["aside"] is None and kept["aside"].grad is None
        for name in ("hidden", "out"):
            np.testing.assert_allclose(retained[name], kept[name].grad.numpy(), rtol=1e-14)
        for name in params:
            np.testing.assert_allclose(grads[name], leaves[name].grad.numpy(), rtol=1e-14)
    assert list(retained) == ["aside", "hidden", "out"] or list(retained) == ["hidden", "aside", "out"]

    _, plain = backward(loss, params, x)  # without it the names do nothing
    np.testing.assert_allclose(plain["w"], grads["w"], rtol=1e-14)
    _, doubled, _ = backward_retaining(loss, params, x, grads=plain)
    np.testing.assert_allclose(doubled["w"], 2 * plain["w"], rtol=1e-14)


@pytest.mark.parametrize("order", ["hook retain", "retain hook", "hook retain hook", "retain hook retain"])
def test_retained_gradient_is_the_one_after_the_hooks(order, x64):
    """Torch runs the hook of ``retain_grad`` after all others, whatever was registered first."""
    t = torch.tensor(A, requires_grad=True)
    h = t**2

    def loss(a):
        h = a**2
        for i, step in enumerate(order.split()):
            h = register_hook(h, lambda g: 10 * g) if step == "hook" else retain_grad(h, f"h{i}")
        return (h * 3).sum()

    for step in order.split():
        if step == "hook":
            h.register_hook(lambda g: 10 * g)
        else:
            h.retain_grad()
    (h * 3).sum().backward()
    for run in (backward_retaining, jax.jit(backward_retaining, static_argnums=0)):
        _, found, retained = run(loss, jnp.asarray(A))
        assert retained
        for each in retained.values():
            np.testing.assert_array_equal(each, h.grad.numpy())
        np.testing.assert_array_equal(found, t.grad.numpy())


def test_retained_after_hooks_in_a_scan_and_for_all_uses(x64):
    def loss(a):
        def step(h, row):
            hooked = register_hook(h * row, lambda g: 2 * g + 1)
            named = retain_grad(hooked, "h")
            return named + hooked, None  # in torch both are one tensor

        return jax.lax.scan(step, a, jnp.array([0.5, -2.0]))[0].sum()

    t = h = torch.tensor(A, requires_grad=True)
    kept = []
    for row in (0.5, -2.0):
        h = h * row
        h.register_hook(lambda g: 2 * g + 1)
        h.retain_grad()
        kept.append(h)
        h = h + h
    h.sum().backward()
    _, found, retained = backward_retaining(loss, jnp.asarray(A))
    np.testing.assert_allclose(retained["h"], [each.grad.numpy() for each in kept], rtol=1e-14)
    np.testing.assert_allclose(found, t.grad.numpy(), rtol=1e-14)


@pytest.mark.parametrize("call", [backward, backward_retaining, grad, forward])
def test_a_hook_on_what_requires_no_grad(call):
    """Torch says so, and we wherever it is known: constants, frozen leaves, ``no_grad``, ``detach``."""
    hook = lambda g: 2 * g  # noqa: E731
    expected = sentence(lambda: torch.ones(2).register_hook(hook))
    p = {"w": jnp.ones(2), "frozen": jnp.ones(2)}
    for of in (
        lambda p: jnp.ones(2),
        lambda p: detach(p["w"] * 2),
        lambda p: no_grad(lambda: p["w"] * 2)(),
        lambda p: jnp.floor(p["w"]).astype(jnp.int32).astype(jnp.float32),
    ):
        wrong = lambda p, of=of: (p["w"] * register_hook(of(p), hook)).sum()  # noqa: E731
        assert sentence(partial(call, wrong, p)) == expected
        assert sentence(partial(call, jax.jit(wrong), p)) == expected
    of_frozen = lambda p: (p["w"] * register_hook(p["frozen"] * 2, hook)).sum()  # noqa: E731
    if call is not grad:
        assert sentence(lambda: call(of_frozen, p, inputs={"w": True, "frozen": False})) == expected
    call(of_frozen, p)
    # a branch that is not taken registers nothing in torch
    call(
        lambda p: jax.lax.cond(True, lambda: (p["w"] * p["frozen"]).sum(), lambda: register_hook(jnp.ones(()), hook)), p
    )


def test_retain_grad_through_control_flow(x64):
    def loss(p, x):
        def step(h, row):
            h = retain_grad(jnp.tanh(h * p["w"] + row), "state")
            return h, h * 2

        h, rows = jax.lax.scan(step, p["h0"], x)
        h = jax.lax.cond(p["w"] > 0, lambda h: retain_grad(h * 2, "positive") ** 2, lambda h: h * 3, h)
        h = jax.jit(lambda h: retain_grad(jnp.sin(h), "jitted") ** 2)(h)
        h = jax.checkpoint(lambda h: retain_grad(jnp.cos(h), "again") ** 2)(h)
        return h + rows.sum()

    x = np.array([0.1, -0.4, 0.3])
    values = {"w": np.array(0.7), "h0": np.array(0.2)}
    leaves = {name: torch.tensor(value, requires_grad=True) for name, value in values.items()}
    kept, h, total = [], leaves["h0"], 0.0
    for row in x:
        h = torch.tanh(h * leaves["w"] + row)
        kept.append(h)
        total = total + h * 2
    kept += [h * 2]
    kept += [torch.sin(kept[-1] ** 2)]
    kept += [torch.cos(kept[-1] ** 2)]
    for tensor in kept:
        tensor.retain_grad()
    (kept[-1] ** 2 + total).backward()

    params = {name: jnp.asarray(value) for name, value in values.items()}
    _, grads, retained = jax.jit(lambda p: backward_retaining(loss, p, x))(params)
    assert retained["state"] is not None
    np.testing.assert_allclose(retained["state"], [t.grad.item() for t in kept[:3]], rtol=1e-13)
    for name, tensor in zip(("positive", "jitted", "again"), kept[3:], strict=True):
        assert retained[name] is not None
        np.testing.assert_allclose(retained[name], tensor.grad.item(), rtol=1e-13)
    for name in params:
        np.testing.assert_allclose(grads[name], leaves[name].grad.item(), rtol=1e-13)


def test_one_name_twice():
    with pytest.raises(ValueError, match="two values are retained under the name 'h'"):
        backward_retaining(lambda a: (retain_grad(a, "h") * retain_grad(a, "h")).sum(), jnp.ones(2))


def test_post_accumulate_hooks_step_within_the_backward(x64):
    """Torch's optimizer-in-backward: the parameter moves and its gradient is freed at once."""

    def step(param):
        with torch.no_grad():
            param -= 0.1 * param.grad
        param.grad = None

    t, u = torch.tensor(A, requires_grad=True), torch.tensor(A, requires_grad=True)
    t.register_post_accumulate_grad_hook(step)
    (t**2 * u).sum().backward()

    params = {"t": jnp.asarray(A), "u": jnp.asarray(A), "unused": jnp.ones(1)}
    _, grads = backward(lambda p: (p["t"] ** 2 * p["u"]).sum(), params)
    hooks: dict = {"t": [lambda p, g: (p, g * 1.0), lambda p, g: (p - 0.1 * g, None)], "unused": lambda p, g: 1 / 0}
    after, left = jax.jit(lambda p, g: post_accumulate_grad(p, g, hooks))(params, grads)
    np.testing.assert_allclose(after["t"], t.detach().numpy(), rtol=1e-15)
    assert left["t"] is None and left["unused"] is None
    np.testing.assert_array_equal(left["u"], u.grad.numpy())
    with pytest.raises(RuntimeError, match="post accumulate grad hooks cannot be registered on non-leaf tensors"):
        post_accumulate_grad(params, grads, {"v": lambda p, g: (p, g)})
