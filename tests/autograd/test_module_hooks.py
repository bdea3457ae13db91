"""Hooks on modules by dotted name, beside torch's."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxgrad import func, nn, random
from jaxgrad.autograd import (
    backward,
    grad,
    register_forward_hook,
    register_forward_pre_hook,
    register_full_backward_hook,
    register_full_backward_pre_hook,
)

torch = pytest.importorskip("torch")

X = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def model():
    rngs = nn.Rngs(random.manual_seed(3))
    return nn.Sequential(
        nn.Linear(3, 4, rngs=rngs), nn.Sequential(nn.ReLU(), nn.Linear(4, 4, rngs=rngs)), nn.Linear(4, 2, rngs=rngs)
    )


def in_torch(register):
    """Loss and gradients of the same model in torch, after ``register(model)``."""
    torch.manual_seed(3)
    first, second, third = torch.nn.Linear(3, 4), torch.nn.Linear(4, 4), torch.nn.Linear(4, 2)
    twin = torch.nn.Sequential(first, torch.nn.Sequential(torch.nn.ReLU(), second), third)
    handles = register(twin)
    x = torch.tensor(X, requires_grad=True)
    loss = (twin(x) ** 2).sum()
    loss.backward()
    del handles
    leaves = dict(twin.named_parameters()) | {"x": x}
    return loss.item(), {n: None if p.grad is None else p.grad.numpy() for n, p in leaves.items()}


def ours(model, jitted):
    params, _ = func.extract(model)

    def loss(p):
        return (func.functional_call(model, {n: v for n, v in p.items() if n != "x"}, p["x"]) ** 2).sum()

    run = (lambda p: backward(loss, p)) if not jitted else jax.jit(lambda p: backward(loss, p))
    return run(params | {"x": jnp.asarray(X)})


CASES = {
    "grad_input": (
        lambda m: m.get_submodule("1.1").register_full_backward_hook(lambda m, gi, go: (gi[0] * 2 + go[0].mean(),)),
        lambda m: register_full_backward_hook(m, "1.1", lambda m, gi, go: (gi[0] * 2 + go[0].mean(),)),
    ),
    "kept": (
        lambda m: m.get_submodule("1").register_full_backward_hook(lambda m, gi, go: None),
        lambda m: register_full_backward_hook(m, "1", lambda m, gi, go: None),
    ),
    "undefined": (
        lambda m: m.get_submodule("2").register_full_backward_hook(lambda m, gi, go: (None,)),
        lambda m: register_full_backward_hook(m, "2", lambda m, gi, go: (None,)),
    ),
    "grad_output": (
        lambda m: m.get_submodule("1.0").register_full_backward_pre_hook(lambda m, go: (go[0] ** 2,)),
        lambda m: register_full_backward_pre_hook(m, "1.0", lambda m, go: (go[0] ** 2,)),
    ),
    "both_in_order": (
        lambda m: [
            m[2].register_full_backward_hook(lambda m, gi, go: (gi[0] * 3,)),
            m[2].register_full_backward_hook(lambda m, gi, go: (gi[0] ** 2 + go[0].sum(),)),
            m[2].register_full_backward_pre_hook(lambda m, go: (go[0] + 1,)),
        ],
        lambda m: register_full_backward_pre_hook(
            register_full_backward_hook(
                register_full_backward_hook(m, "2", lambda m, gi, go: (gi[0] * 3,)),
                "2",
                lambda m, gi, go: (gi[0] ** 2 + go[0].sum(),),
            ),
            "2",
            lambda m, go: (go[0] + 1,),
        ),
    ),
    "forward": (
        lambda m: [
            m[0].register_forward_hook(lambda m, args, out: out * args[0].sum()),
            m[1].register_forward_pre_hook(lambda m, args: args[0] + 1),
            m[1].register_full_backward_hook(lambda m, gi, go: (gi[0] - 1,)),
            m[1].register_forward_hook(lambda m, args, kwargs, out: out**2, with_kwargs=True),
        ],
        lambda m: register_forward_hook(
            register_full_backward_hook(
                register_forward_pre_hook(
                    register_forward_hook(m, "0", lambda m, args, out: out * args[0].sum()),
                    "1",
                    lambda m, args: args[0] + 1,
                ),
                "1",
                lambda m, gi, go: (gi[0] - 1,),
            ),
            "1",
            lambda m, args, kwargs, out: out**2,
            with_kwargs=True,
        ),
    ),
    "whole": (
        lambda m: m.register_full_backward_hook(lambda m, gi, go: (gi[0] * go[0].sum(),)),
        lambda m: register_full_backward_hook(m, "", lambda m, gi, go: (gi[0] * go[0].sum(),)),
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("jitted", [False, True])
def test_beside_torch(model, case, jitted):
    theirs, register = CASES[case]
    loss, expected = in_torch(theirs)
    hooked = register(model)
    assert list(func.extract(hooked)[0]) == list(func.extract(model)[0])
    value, found = ours(hooked, jitted)
    np.testing.assert_allclose(value, loss, rtol=1e-5)
    for name, each in expected.items():
        assert (found[name] is None) == (each is None), name
        if each is not None:
            np.testing.assert_allclose(found[name], each, rtol=2e-5, atol=1e-5 * np.abs(each).max(initial=0))


def test_the_old_model_has_no_hook(model):
    _, before = ours(model, True)
    hooked = CASES["grad_input"][1](model)
    _, after = ours(model, True)
    _, changed = ours(hooked, True)
    np.testing.assert_array_equal(before["x"], after["x"])
    assert not np.allclose(before["x"], changed["x"])


def sentence(call):
    with pytest.raises((RuntimeError, TypeError, AttributeError)) as caught:
        call()
    return type(caught.value), str(caught.value).split("\n  got:")[0]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda m, gi, go: (gi[0], gi[0]),
        lambda m, gi, go: 1.0,
        lambda m, gi, go: (gi[0][:1],),
    ],
    ids=["number", "float", "shape"],
)
def test_torchs_sentences(model, wrong):
    expected = sentence(lambda: in_torch(lambda m: m[2].register_full_backward_hook(wrong)))
    assert sentence(lambda: ours(register_full_backward_hook(model, "2", wrong), False)) == expected
    pre = sentence(lambda: in_torch(lambda m: m[2].register_full_backward_pre_hook(lambda m, go: (go[0],) * 2)))
    assert sentence(lambda: ours(register_full_backward_pre_hook(model, "2", lambda m, go: (go[0],) * 2), False)) == pre


def test_unknown_name(model):
    theirs = sentence(lambda: in_torch(lambda m: m.get_submodule("1.7")))
    assert sentence(lambda: register_forward_hook(model, "1.7", lambda m, a, o: o)) == theirs
    theirs = sentence(lambda: in_torch(lambda m: m.get_submodule("0.weight")))
    assert sentence(lambda: register_forward_hook(model, "0.weight", lambda m, a, o: o)) == theirs


def test_under_vmap_scan_and_second_derivatives(model):
    params, _ = func.extract(model)
    hooked = register_full_backward_hook(model, "1.1", lambda m, gi, go: (gi[0] ** 2 * go[0].sum(),))

    def by_x(x):
        return grad(lambda x: func.functional_call(hooked, params, x[None]).sum(), x, create_graph=True)

    one_by_one = jnp.stack([by_x(jnp.asarray(x)) for x in X])
    np.testing.assert_allclose(jax.jit(jax.vmap(by_x))(X), one_by_one, rtol=1e-5)
    np.testing.assert_allclose(jax.lax.map(by_x, jnp.asarray(X)), one_by_one, rtol=1e-5)

    def theirs(m):
        m.get_submodule("1.1").register_full_backward_hook(lambda m, gi, go: (gi[0] ** 2 * go[0].sum(),))
        x = torch.tensor(X[0], requires_grad=True)
        (first,) = torch.autograd.grad(m(x[None]).sum(), x, create_graph=True)
        second.append(torch.autograd.grad((first**2).sum(), m[2].weight)[0].numpy())

    second: list = []
    in_torch(theirs)

    def penalty(p):
        inner = grad(lambda x: func.functional_call(hooked, p, x[None]).sum(), jnp.asarray(X[0]), create_graph=True)
        return (inner**2).sum()

    np.testing.assert_allclose(grad(penalty, params, allow_unused=True)["2.weight"], second[0], rtol=1e-4)


class Counting(nnx.Module):
    def __init__(self):
        self.calls = nnx.Variable(jnp.zeros((), int))
        self.scale = nnx.Param(jnp.array(2.0))

    def __call__(self, x):
        self.calls.set_value(self.calls.get_value() + 1)
        return x * self.scale.get_value()


def test_a_module_with_state_runs_once():
    """The run that finds out the shapes for a backward hook leaves nothing in the state."""
    hooked = register_full_backward_hook(Counting(), "", lambda m, gi, go: (gi[0] * 3,))

    def loss(p, x):
        out, aux = func.functional_call(hooked, p, x, has_aux=True)
        return out.sum(), aux.buffers

    run = jax.jit(lambda p, x: backward(loss, p, x, has_aux=True))
    (_, buffers), grads = run({"scale": jnp.array(2.0)}, jnp.ones(3))
    assert int(buffers["calls"]) == 1
    np.testing.assert_array_equal(grads["scale"], 3.0)


def test_modules_in_lists_and_more_than_ten_children():
    class Many(nnx.Module):
        def __init__(self):
            self.blocks = nnx.List([Counting() for _ in range(12)])

        def __call__(self, x):
            for block in self.blocks:
                x = block(x) + 1.0
            return x

    def replaced(m, args, out):
        return out * 0.0

    many = Many()
    expected = many(jnp.array(1.0))
    plain = register_forward_hook(many, "blocks.10", lambda m, args, out: None)
    assert plain(jnp.array(1.0)) == expected
    assert register_forward_hook(many, "blocks.10", replaced)(jnp.array(1.0)) == 3.0  # one more block, and its 1


def no_gradient(module, grad_input, grad_output):
    return (None,)


def test_a_module_with_a_hook_is_stored_and_is_the_same_again(model):
    hooked = register_full_backward_hook(model, "2", no_gradient)
    again = register_full_backward_hook(model, "2", no_gradient)
    stored = pickle.loads(pickle.dumps(hooked))
    assert type(hooked[2]) is type(again[2]) is type(stored[2]) is not type(model[2])
    traces = []

    @nnx.jit
    def run(model, x):
        traces.append(model)
        return model(x)

    x = jnp.asarray(X)
    out = run(hooked, x)
    for other in (again, stored):
        np.testing.assert_array_equal(run(other, x), out)
    assert len(traces) == 1
    other = register_full_backward_hook(hooked, "2", no_gradient)  # twice is not once
    assert type(other[2]) is not type(hooked[2])
