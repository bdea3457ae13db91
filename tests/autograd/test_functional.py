"""The six functions of ``torch.autograd.functional`` beside torch: numbers, structures, sentences."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxgrad.autograd import Function, functional
from jaxgrad.testing import assert_close

theirs = torch.autograd.functional
RNG = np.random.default_rng(0)


def exp_rows(lib, x):
    return lib.exp(x).sum(1)


def adder(lib, x, y):
    return 2 * x + 3 * y * y


def pair(lib, x, y):
    return lib.sin(x) * y, (x * x).sum() + y[0]


def energy(lib, x, y):
    return (lib.sin(x) * y**2).sum() + (x**3).sum()


def cubes(lib, x):
    return (x**3).sum()


def only_first(lib, x, y):
    return (x**2).sum()


A, B, M = RNG.normal(size=3), RNG.normal(size=3), RNG.normal(size=(2, 3))


def both(fn, *inputs, tuple_in=True):
    """The function and its inputs in both libraries."""
    t = tuple(torch.tensor(x) for x in inputs)
    j = tuple(jnp.asarray(x) for x in inputs)
    ours = lambda *a: fn(jnp, *a)  # noqa: E731
    torchs = lambda *a: fn(torch, *a)  # noqa: E731
    return (ours, j if tuple_in else j[0]), (torchs, t if tuple_in else t[0])


def like(tree, seed=1):
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda t: rng.normal(size=tuple(t.shape)), tree)


def to(lib, tree):
    return jax.tree.map(lib, tree)


def compare(ours, expected):
    assert jax.tree.structure(ours) == jax.tree.structure(jax.tree.map(lambda t: 0, expected))
    assert_close(ours, jax.tree.map(lambda t: t.detach().numpy(), expected), rtol=1e-12, atol=1e-13)


FUNCTIONS = [(exp_rows, (M,), False), (adder, (A, B), True), (pair, (A, B), True), (only_first, (A, B), True)]


@pytest.mark.parametrize(("fn", "inputs", "tuple_in"), FUNCTIONS)
@pytest.mark.parametrize("create_graph", [False, True])
def test_vjp_and_jvp(fn, inputs, tuple_in, create_graph, x64):
    (f, x), (g, t) = both(fn, *inputs, tuple_in=tuple_in)
    if create_graph:
        t = jax.tree.map(lambda a: a.requires_grad_(), t)
    out = g(*t) if tuple_in else g(t)
    v = like(out)
    compare(functional.vjp(f, x, to(jnp.asarray, v), create_graph), theirs.vjp(g, t, to(torch.tensor, v), create_graph))
    w = like(t)
    expected = theirs.jvp(g, t, to(torch.tensor, w), create_graph)
    compare(functional.jvp(f, x, to(jnp.asarray, w), create_graph), expected)
    jitted = jax.jit(lambda x, w: functional.jvp(f, x, w, create_graph))
    compare(jitted(x, to(jnp.asarray, w)), expected)


@pytest.mark.parametrize(("fn", "inputs", "tuple_in"), [(energy, (A, B), True), (cubes, (M,), False)])
def test_vhp_hvp_hessian(fn, inputs, tuple_in, x64):
    (f, x), (g, t) = both(fn, *inputs, tuple_in=tuple_in)
    v = like(t)
    compare(functional.vhp(f, x, to(jnp.asarray, v)), theirs.vhp(g, t, to(torch.tensor, v)))
    compare(functional.hvp(f, x, to(jnp.asarray, v)), theirs.hvp(g, t, to(torch.tensor, v)))
    expected = theirs.hessian(g, t)
    for options in ({}, {"vectorize": True}, {"vectorize": True, "outer_jacobian_strategy": "forward-mode"}):
        compare(functional.hessian(f, x, **options), expected)
    compare(jax.jit(lambda x: functional.hessian(f, x))(x), expected)


@pytest.mark.parametrize(("fn", "inputs", "tuple_in"), FUNCTIONS)
def test_jacobian(fn, inputs, tuple_in, x64):
    (f, x), (g, t) = both(fn, *inputs, tuple_in=tuple_in)
    expected = theirs.jacobian(g, t)
    for options in ({}, {"vectorize": True}, {"vectorize": True, "strategy": "forward-mode"}):
        compare(functional.jacobian(f, x, **options), expected)


def test_one_number_needs_no_vector(x64):
    (f, x), (g, t) = both(lambda lib, x: x**3, np.array([2.0]), tuple_in=False)
    for name in ("vjp", "jvp", "vhp", "hvp"):
        compare(getattr(functional, name)(f, x), getattr(theirs, name)(g, t))


def test_complex_vectors_follow_torch(x64):
    z = RNG.normal(size=3) + 1j * RNG.normal(size=3)
    v = RNG.normal(size=3) + 1j * RNG.normal(size=3)
    (f, x), (g, t) = both(lambda lib, z: z * z * (1 + 2j), z, tuple_in=False)
    compare(functional.vjp(f, x, jnp.asarray(v)), theirs.vjp(g, t, torch.tensor(v)))
    compare(functional.jvp(f, x, jnp.asarray(v)), theirs.jvp(g, t, torch.tensor(v)))


def test_create_graph_decides_whether_the_result_can_be_differentiated(x64):
    x = jnp.asarray(A)

    def of(create_graph):
        return jax.grad(lambda x: functional.vjp(lambda x: (x**3).sum(), x, None, create_graph)[1].sum())(x)

    np.testing.assert_allclose(of(True), 6 * A, rtol=1e-14)
    assert not of(False).any()


def test_a_function_with_a_reverse_rule_only_has_a_jvp_and_a_hessian(x64):
    class Cube(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            return 3 * ctx.saved_tensors[0] ** 2 * g

    x, v = jnp.asarray(A), jnp.asarray(B)
    np.testing.assert_allclose(functional.jvp(Cube.apply, x, v)[1], 3 * A**2 * B, rtol=1e-13)
    np.testing.assert_allclose(functional.hvp(lambda x: Cube.apply(x).sum(), x, v)[1], 6 * A * B, rtol=1e-13)


def linear(lib, x):
    return (2 * x).sum()


def detached(lib, x):
    return (lib.ones(3) if lib is jnp else lib.ones(3, dtype=x.dtype)).sum()


def bilinear(lib, x, y):
    return (x * y).sum()


def square_and_nothing(lib, x, y):
    return (x**2).sum(), x.sum()


def imaginary(lib, x):
    return (x * 1j).sum()


def size(lib, x):
    return (abs(x) ** 2).sum()


Z = A + 1j * A[::-1]
ERRORS = [
    ("vjp", exp_rows, (M,), {}),
    ("vjp", pair, (A, B), {"v": (np.ones(3),)}),
    ("vjp", pair, (A, B), {"v": (np.ones(3), np.ones(2))}),
    ("vjp", cubes, (A,), {"v": np.ones(2)}),
    ("vjp", cubes, (A,), {"v": (np.ones(()), np.ones(()))}),
    ("vjp", only_first, (A, B), {"strict": True}),
    ("vjp", detached, (A,), {"strict": True}),
    ("vjp", linear, (A,), {"strict": True, "create_graph": True}),
    ("jvp", adder, (A, B), {}),
    ("jvp", adder, (A, B), {"v": np.ones(3)}),
    ("jvp", adder, (A, B), {"v": (np.ones(3), np.ones(4))}),
    ("jvp", only_first, (A, B), {"v": (A, B), "strict": True}),
    ("jvp", linear, (A,), {"v": A, "strict": True, "create_graph": True}),
    ("vhp", exp_rows, (M,), {"v": M}),
    ("vhp", pair, (A, B), {"v": (A, B)}),
    ("vhp", energy, (A, B), {}),
    ("vhp", linear, (A,), {"v": A, "strict": True}),
    ("vhp", only_first, (A, B), {"v": (A, B), "strict": True}),
    ("hvp", exp_rows, (M,), {"v": M}),
    ("hvp", linear, (A,), {"v": A, "strict": True}),
    ("hvp", detached, (A,), {"v": A, "strict": True}),
    ("jacobian", only_first, (A, B), {"strict": True}),
    ("jacobian", linear, (A,), {"strict": True, "create_graph": True}),
    ("jacobian", cubes, (A,), {"strict": True, "vectorize": True}),
    ("jacobian", cubes, (A,), {"strict": True, "strategy": "forward-mode"}),
    ("jacobian", cubes, (A,), {"strategy": "forward-mode"}),
    ("jacobian", cubes, (A,), {"strategy": "forward-mode", "create_graph": True, "vectorize": True}),
    ("jacobian", cubes, (A,), {"strategy": "sideways"}),
    ("jacobian", lambda lib, x: 3.0, (A,), {}),
    ("jacobian", lambda lib, x: (x, "no"), (A,), {}),
    ("jacobian", cubes, (A, "no"), {}),
    ("jacobian", cubes, 3.0, {}),
    ("hessian", linear, (A,), {"strict": True}),
    ("hessian", exp_rows, (M,), {}),
    ("hessian", pair, (A, B), {}),
    ("hessian", cubes, (A,), {"outer_jacobian_strategy": "sideways"}),
    # no implicit gradient for a complex output
    ("vjp", imaginary, (A,), {}),
    ("vhp", imaginary, (A,), {"v": A}),
    ("hvp", imaginary, (A,), {"v": A}),
    ("hessian", imaginary, (A,), {}),
    ("hessian", imaginary, (A,), {"vectorize": True}),
    ("hessian", size, (Z,), {}),
    ("jacobian", lambda lib, x: x * 1j, (A,), {}),
    ("jacobian", lambda lib, x: (x, x * 1j), (A,), {}),
    ("jacobian", lambda lib, x: x * x, (Z,), {}),
    ("jvp", lambda lib, x: x * x, (Z[:1],), {}),
    # nor for integers
    ("jacobian", lambda lib, x: x * 2, (np.arange(2),), {}),
    ("vjp", lambda lib, x: x.sum(), (np.arange(2),), {}),
    ("jvp", lambda lib, x: (x > 0).sum(), (A,), {"v": A}),
    ("jacobian", lambda lib, x: x * 2, (A[:0],), {}),
    ("jacobian", lambda lib, x: (x, x[:0]), (A,), {}),
    ("hessian", lambda lib, x: x.sum(), (A[:0],), {}),
]


@pytest.mark.parametrize(("name", "fn", "inputs", "options"), ERRORS)
def test_torchs_sentences(name, fn, inputs, options, x64):
    def convert(lib, value, requires_grad=False):
        if isinstance(value, tuple):
            return tuple(convert(lib, v, requires_grad) for v in value)
        if not isinstance(value, np.ndarray):
            return value
        if lib is torch:
            return torch.tensor(value, requires_grad=requires_grad)
        return jnp.asarray(value)

    def call(lib, module):
        chosen = {k: convert(lib, v) for k, v in options.items()}
        given = inputs[0] if isinstance(inputs, tuple) and len(inputs) == 1 else inputs
        return getattr(module, name)(
            lambda *a: fn(lib, *a), convert(lib, given, bool(options.get("create_graph"))), **chosen
        )

    with pytest.raises((RuntimeError, TypeError, AssertionError, NotImplementedError)) as error:
        call(torch, theirs)
    with pytest.raises(type(error.value), match=re.escape(str(error.value))):
        call(jnp, functional)


def test_strict_is_silent_where_all_is_connected(x64):
    (f, x), (g, t) = both(bilinear, A, B)
    for name in ("vhp", "hvp"):
        compare(getattr(functional, name)(f, x, x, strict=True), getattr(theirs, name)(g, t, t, strict=True))
    (f, x), (g, t) = both(pair, A, B)
    compare(functional.jacobian(f, x, strict=True), theirs.jacobian(g, t, strict=True))
    compare(
        functional.hessian(cubes.__get__(jnp), x[0], strict=True),
        theirs.hessian(cubes.__get__(torch), t[0], strict=True),
    )


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
def test_what_has_no_elements_and_what_is_complex(x64):
    """Where torch has a value: empty blocks, a constant complex output, explicit vectors."""
    for fn, inputs, options in (
        (lambda lib, x: x.sum(), (A[:0],), {}),
        (lambda lib, x, y: x.sum() + y, (A[:0], A), {}),
        (lambda lib, x: x * 2, (A[:0],), {"vectorize": True, "strategy": "forward-mode"}),
        (lambda lib, x: x[:0] * 2, (A,), {"vectorize": True, "strategy": "forward-mode"}),
        (lambda lib, x: x * x, (Z,), {"vectorize": True}),
        (lambda lib, x: lib.ones(2) * 1j, (A,), {}),
    ):
        (f, x), (g, t) = both(fn, *inputs, tuple_in=len(inputs) > 1)
        compare(functional.jacobian(f, x, **options), theirs.jacobian(g, t, **options))
    (f, x), (g, t) = both(lambda lib, x: x.sum(), A[:0], tuple_in=False)
    compare(functional.hessian(f, x, vectorize=True), theirs.hessian(g, t, vectorize=True))


def test_a_jacobian_by_rows_is_the_same_eagerly_and_as_a_loop(x64):
    f, x = (lambda x: jnp.sin(x) * x.sum()), jnp.asarray(M)
    np.testing.assert_allclose(functional.jacobian(f, x), jax.jit(lambda x: functional.jacobian(f, x))(x), rtol=1e-13)
