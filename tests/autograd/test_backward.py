"""``backward`` beside ``Tensor.backward``: values, the pattern of None, the sentences."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad.autograd import accumulate, backward, zero_grad

torch = pytest.importorskip("torch")


def in_torch(loss_fn, params, **keywords):
    """``.grad`` of every leaf after one backward, as numpy or None."""
    leaves = {name: torch.tensor(np.asarray(leaf), requires_grad=True) for name, leaf in params.items()}
    loss_fn(leaves).backward(**keywords)
    return {name: None if leaf.grad is None else leaf.grad.numpy() for name, leaf in leaves.items()}


def same(ours, theirs):
    assert list(ours) == list(theirs)
    for name, expected in theirs.items():
        assert (ours[name] is None) == (expected is None), name
        if expected is not None:
            np.testing.assert_allclose(ours[name], expected, rtol=1e-12, atol=1e-14)


PARAMS = {"w": np.array([1.0, -2.0, 3.0]), "b": np.array([0.5, 0.25, 2.0]), "a": np.array(2.0)}


@pytest.mark.parametrize("jitted", [False, True])
@pytest.mark.parametrize(
    "ours, theirs",
    [
        (lambda p: jnp.sum(p["w"] * p["b"]), lambda p: torch.sum(p["w"] * p["b"])),
        (lambda p: jnp.sum(p["w"] * 0.0), lambda p: torch.sum(p["w"] * 0.0)),
        (
            lambda p: jnp.sum(p["w"] * jax.lax.stop_gradient(p["b"])),
            lambda p: torch.sum(p["w"] * p["b"].detach()),
        ),
        (lambda p: p["w"][jnp.argmax(p["b"])], lambda p: p["w"][torch.argmax(p["b"])]),
        (
            lambda p: jnp.sum(jnp.where(p["b"] > p["a"], p["w"], 0.0)),
            lambda p: torch.sum(torch.where(p["b"] > p["a"], p["w"], 0.0)),
        ),
        (lambda p: jnp.sum(jnp.floor(p["w"]) + p["b"]), lambda p: torch.sum(torch.floor(p["w"]) + p["b"])),
        (lambda p: jnp.sum(jnp.sort(p["w"]) * p["b"]), lambda p: torch.sum(torch.sort(p["w"])[0] * p["b"])),
        (
            lambda p: jnp.sum(p["b"][jnp.argsort(p["w"])]) * p["a"],
            lambda p: torch.sum(p["b"][torch.argsort(p["w"])]) * p["a"],
        ),
        (
            lambda p: jnp.sum(p["b"]) + jnp.float64(jnp.int32(p["a"])),
            lambda p: torch.sum(p["b"]) + p["a"].int().double(),
        ),
    ],
    ids=["product", "zero", "detach", "argmax", "comparison", "floor", "sort", "argsort", "integer"],
)
def test_gradients_and_none(x64, ours, theirs, jitted):
    run = jax.jit(lambda p: backward(ours, p)) if jitted else lambda p: backward(ours, p)
    params = {name: jnp.asarray(leaf) for name, leaf in PARAMS.items()}
    _, grads = run(params)
    expected = in_torch(theirs, PARAMS)
    same({name: grads[name] for name in expected}, expected)
    if not jitted:
        assert list(grads) == list(PARAMS)


def loss_fn(p):
    return (p["w"] ** 2).sum()


def test_without_zero_grad_is_the_sum(x64):
    params = {"w": jnp.array([1.0, 3.0]), "unused": jnp.ones(2)}
    _, first = backward(loss_fn, params)
    _, second = backward(lambda p: (p["w"] ** 3).sum() + p["unused"].sum(), params, grads=first)
    np.testing.assert_array_equal(second["w"], [2 + 3, 6 + 27])
    np.testing.assert_array_equal(second["unused"], [1, 1])
    _, fresh = backward(loss_fn, params, grads=zero_grad(second))
    np.testing.assert_array_equal(fresh["w"], first["w"])
    assert fresh["unused"] is None


def sentence(call):
    with pytest.raises((RuntimeError, TypeError)) as caught:
        call()
    return type(caught.value), str(caught.value).split("\n  got:")[0].split("\n  remedy:")[0]


A = np.array([2.0, 3.0], np.float32)


@pytest.mark.parametrize(
    "ours, theirs",
    [
        (lambda: backward(lambda a: a**2, A), lambda a: (a**2).backward()),
        (
            lambda: backward(lambda a: a**2, A, gradient=np.ones(3, np.float32)),
            lambda a: (a**2).backward(gradient=torch.ones(3)),
        ),
        (
            lambda: backward(lambda a: (a**2).sum(), A, gradient=np.ones(1, np.float32)),
            lambda a: (a**2).sum().backward(gradient=torch.ones(1)),
        ),
        (
            lambda: backward(lambda a: a**2, A, gradient=np.ones(2, np.complex64)),
            lambda a: (a**2).backward(gradient=torch.ones(2, dtype=torch.complex64)),
        ),
        (lambda: backward(lambda a: jax.lax.stop_gradient(a).sum(), A), lambda a: a.detach().sum().backward()),
        (lambda: backward(lambda a: jnp.argmax(a), A), lambda a: a.argmax().backward()),
        (
            lambda: backward(lambda a: (a.sum(), (a > 0).sum()), A),
            lambda a: torch.autograd.backward([a.sum(), (a > 0).sum()]),
        ),
        (
            lambda: backward(lambda a: (a.sum(), a.sum()), A, gradient=(np.float32(1),)),
            lambda a: torch.autograd.backward([a.sum(), a.sum()], grad_tensors=[torch.tensor(1.0)]),
        ),
        (
            lambda: backward(lambda a: (a * 1j).sum(), A),
            lambda a: (a * 1j).sum().backward(),
        ),
        (lambda: backward(lambda a: a.sum(), A, inputs=[]), lambda a: a.sum().backward(inputs=[])),
        (
            lambda: backward(lambda a: a.sum() * 1.0, np.array([1, 2])),
            lambda a: torch.nn.Parameter(torch.tensor([1, 2])),
        ),
    ],
    ids="scalar shape scalar_shape complex_gradient detached integer second count complex inputs dtype".split(),
)
def test_torchs_sentences(ours, theirs):
    expected_type, expected = sentence(lambda: theirs(torch.tensor(A, requires_grad=True)))
    got_type, got = sentence(ours)
    assert got_type is expected_type
    assert got == re.sub(r"torch\.(complex64)\b(?=$)", r"\1", expected) or got == expected


def test_sentences_under_jit():
    with pytest.raises(RuntimeError, match="grad can be implicitly created only for scalar outputs"):
        jax.jit(lambda a: backward(lambda a: a**2, a))(A)


def test_one_element_counts_as_scalar():
    _, grad = backward(lambda a: a**2, jnp.array([[3.0]]))
    np.testing.assert_array_equal(grad, [[6.0]])


def test_gradient_takes_the_outputs_dtype():
    _, grad = backward(lambda a: a**2, jnp.asarray(A), gradient=np.array([1, 2]))
    assert grad.dtype == jnp.float32
    np.testing.assert_array_equal(grad, [4.0, 12.0])


def test_complex_gradients_are_torchs(x64):
    z = np.array([1.0 + 2.0j, -0.5 + 0.25j])
    v = np.array([0.3 - 1.0j, 2.0 + 0.5j])
    t = torch.tensor(z, requires_grad=True)
    (t**2 * torch.exp(t) * (1 + 2j)).backward(gradient=torch.tensor(v))
    _, grad = backward(lambda z: z**2 * jnp.exp(z) * (1 + 2j), jnp.asarray(z), gradient=v)
    np.testing.assert_allclose(grad, t.grad.numpy(), rtol=1e-13)
    t = torch.tensor(z, requires_grad=True)
    (t.abs() * t.imag).sum().backward()
    _, grad = backward(lambda z: (jnp.abs(z) * jnp.imag(z)).sum(), jnp.asarray(z))
    np.testing.assert_allclose(grad, t.grad.numpy(), rtol=1e-13)


def test_aux_may_hold_anything():
    (loss, aux), grads = backward(
        lambda a: (a.sum(), {"name": "run", "twice": 2 * a, "count": 3, "none": None}), jnp.asarray(A), has_aux=True
    )
    assert float(loss) == 5.0 and aux["name"] == "run" and aux["none"] is None and int(aux["count"]) == 3
    np.testing.assert_array_equal(aux["twice"], 2 * A)
    np.testing.assert_array_equal(grads, [1.0, 1.0])


@pytest.mark.parametrize(
    "inputs",
    ["w", ["w"], {"w": True, "b": False, "a": False}, lambda name, leaf: name == "w"],
    ids=["name", "names", "mask", "predicate"],
)
def test_inputs_restrict(inputs):
    params = {name: jnp.asarray(leaf, jnp.float32) for name, leaf in PARAMS.items()}
    before = {"w": jnp.ones(3), "b": jnp.ones(3), "a": None}
    _, grads = backward(lambda p: (p["w"] * p["b"] * p["a"]).sum(), params, inputs=inputs, grads=before)
    np.testing.assert_allclose(grads["w"], 1 + 2 * PARAMS["b"])
    np.testing.assert_array_equal(grads["b"], np.ones(3))
    assert grads["a"] is None


def test_no_array_returned():
    with pytest.raises(TypeError, match="returned no array"):
        backward(lambda a: None, jnp.asarray(A))


def test_no_silent_narrowing():
    with pytest.raises(TypeError, match="64-bit mode"):
        backward(lambda p: p["w"].sum(), {"w": np.ones(2)})


def test_unknown_input():
    with pytest.raises(KeyError, match="no parameter matches"):
        backward(loss_fn, {"w": jnp.ones(2)}, inputs="v")


def test_values_may_be_looked_at_in_python():
    def loss(p):
        if p["w"].sum() > 0:
            return p["w"].sum() * 2
        return p["b"].sum()

    params = {"w": jnp.ones(2), "b": jnp.ones(2)}
    _, grads = backward(loss, params)
    assert grads["b"] is None
    np.testing.assert_array_equal(grads["w"], [2.0, 2.0])
    _, grads = backward(loss, {"w": -jnp.ones(2), "b": jnp.ones(2)})
    assert grads["w"] is None


def test_called_once():
    calls = []
    backward(lambda a: calls.append(1) or a.sum(), jnp.asarray(A))
    assert calls == [1]


def test_structure_of_any_tree():
    params = {"z": [jnp.ones(2), {"q": jnp.ones(1), "c": jnp.ones(1)}], "a": (jnp.ones(3), None)}
    _, grads = backward(lambda p: p["z"][0].sum() + p["z"][1]["q"].sum(), params)
    assert list(grads) == ["z", "a"] and list(grads["z"][1]) == ["q", "c"]
    assert grads["a"] == (None, None) and grads["z"][1]["c"] is None


def optimized(fn, *args):
    """The compiled program without names, locations and numbering."""
    text = jax.jit(fn).lower(*args).compile().as_text()
    text = re.sub(r", metadata=\{[^}]*\}", "", text)
    text = re.sub(r"[\w.\-]*_module[\w.\-]*|HloModule [^,]*", "", text)
    return re.findall(r"= \S+ (\w[\w\-]*)\(", text)


def test_compiles_to_the_program_of_value_and_grad():
    params = {"w": jnp.ones((4, 3)), "b": jnp.ones(3), "unused": jnp.ones(5)}

    def loss(p, x):
        return jnp.mean(jnp.tanh(x @ p["w"] + p["b"][None]) ** 2)

    x = jnp.ones((2, 4))

    def plain(p, x):
        loss_value, grads = jax.value_and_grad(loss)(p, x)
        return loss_value, {"w": grads["w"], "b": grads["b"]}

    assert optimized(lambda p, x: backward(loss, p, x), params, x) == optimized(plain, params, x)
    with pytest.raises(AssertionError):
        assert optimized(lambda p, x: backward(loss, p, x), params, x) == optimized(jax.value_and_grad(loss), params, x)


def test_under_vmap_scan_and_again():
    def gradient(a):
        return backward(lambda a: (a**3).sum(), a)[1]

    a = jnp.array([[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_allclose(jax.vmap(gradient)(a), 3 * a**2)
    _, stacked = jax.lax.scan(lambda c, row: (c, gradient(row)), 0, a)
    np.testing.assert_allclose(stacked, 3 * a**2)
    np.testing.assert_allclose(backward(lambda a: gradient(a).sum(), a)[1], 6 * a)


def test_accumulate_is_pure_and_checks():
    grads = {"w": jnp.ones(2), "b": None}
    more = {"b": jnp.ones(3), "w": jnp.ones(2)}
    total = accumulate(grads, more)
    assert list(total) == ["w", "b"] and grads["b"] is None
    np.testing.assert_array_equal(total["w"], [2.0, 2.0])
    assert accumulate(None, more) is more and accumulate(grads, None) is grads
    with pytest.raises(RuntimeError, match="attempting to assign a gradient of size"):
        accumulate(grads, {"w": jnp.ones(3), "b": None})
    with pytest.raises(RuntimeError, match="attempting to assign a gradient with dtype"):
        accumulate(grads, {"w": jnp.ones(2, jnp.bfloat16), "b": None})
    with pytest.raises(RuntimeError, match="do not have the same names"):
        accumulate(grads, {"w": jnp.ones(2)})
