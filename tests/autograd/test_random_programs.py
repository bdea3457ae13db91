"""Random programs: torch's gradients to 1e-12 in float64, and torch's pattern of None exactly.

A program is a list of operations on a growing pool of values, which starts with the leaves: leaves are shared, or not
used, or used behind a detach, an argmax, a comparison. The same list is run by both libraries, and each of two outputs
has a backward of its own through one graph.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad.autograd import backward, forward

torch = pytest.importorskip("torch")

LEAVES = {"s": (), "row": (3,), "m": (2, 3), "col": (2, 1), "w": (3, 3), "spare": (3,)}
START = np.random.default_rng(7)
VALUES = {name: START.normal(size=shape) for name, shape in LEAVES.items()}
OFFSETS = np.array([[0.11, 0.53, 0.29], [0.83, 0.07, 0.61]])


def together(a, b):
    """Two values in their common shape (ranks are promoted by hand, as the strict settings of the suite demand)."""
    shape = np.broadcast_shapes(tuple(a.shape), tuple(b.shape))
    return (
        (a.broadcast_to(shape), b.broadcast_to(shape))
        if torch.is_tensor(a)
        else tuple(jnp.broadcast_to(each, shape) for each in (a, b))
    )


def as_matrix(a):
    return together(a, torch.zeros(2, 3) if torch.is_tensor(a) else jnp.zeros((2, 3)))[0]


def constant(like, array):
    return torch.tensor(array) if torch.is_tensor(like) else jnp.asarray(array)


def lib(a):
    return torch if torch.is_tensor(a) else jnp


def pick_by_argmax(a, b):
    a, b = as_matrix(a), as_matrix(b)
    offsets = constant(b, OFFSETS)
    return a.reshape(-1)[lib(a).argmax((b + offsets).reshape(-1))]


def order_by(a, b):
    a, key = as_matrix(a), as_matrix(b)
    indices = lib(a).argsort((key + constant(b, OFFSETS))[0])
    return a[:, indices]


def where(a, b):
    a, b = together(a, b)
    return lib(a).where(b > 0.1, a, 0.0 * a)


def product(a, b):
    a, b = as_matrix(a), as_matrix(b)
    return lib(a).tanh(a @ b.T).sum(1)[:, None]


def recurrence(a, b):
    """h_t = tanh(h_{t-1} * b + row_t): a scan on our side, a loop on torch's; states and last state both count."""
    rows, weight = as_matrix(a), as_matrix(b)[0]
    if torch.is_tensor(a):
        h, states = 0.0 * weight, []
        for row in rows:
            h = torch.tanh(h * weight + row)
            states.append(h * 2.0)
        return torch.stack(states) + h[None]

    def step(h, row):
        h = jnp.tanh(h * weight + row)
        return h, h * 2.0

    h, states = jax.lax.scan(step, 0.0 * weight, rows)
    return states + h[None]


def shift_register(a, b):
    """A carry of which a part is lost: after two rounds nothing is left of the start."""
    a, b = together(a, b)
    first, second = a, 2.0 * a
    if torch.is_tensor(a):
        for _ in range(2):
            first, second = second, torch.sin(b)
        return first + second
    (first, second), _ = jax.lax.scan(lambda c, _: ((c[1], jnp.sin(b)), None), (first, second), None, length=2)
    return first + second


def branch(a, b):
    a, b = together(a, b)
    if torch.is_tensor(a):
        return torch.sin(a) * b if (b.sum() > 0).item() else a + b * b
    return jax.lax.cond(jnp.sum(b) > 0, lambda a, b: jnp.sin(a) * b, lambda a, b: a + b * b, a, b)


def jitted(a, b):
    """A jitted function of which one result does not depend on one argument."""

    def both(a, b):
        return lib(a).sin(a), b * 3.0

    return (jax.jit(both) if lib(a) is jnp else both)(a, b)[0]


OPERATIONS = {
    "sin": lambda a, b: lib(a).sin(a),
    "tanh": lambda a, b: lib(a).tanh(a),
    "square": lambda a, b: 0.3 * a**2,
    "add": lambda a, b: (lambda a, b: a + b)(*together(a, b)),
    "multiply": lambda a, b: (lambda a, b: a * b)(*together(a, b)),
    "divide": lambda a, b: (lambda a, b: a / (2.0 + b * b))(*together(a, b)),
    "times zero": lambda a, b: a * 0.0,
    "floor": lambda a, b: lib(a).floor(a + 0.37),
    "sign": lambda a, b: lib(a).sign(a + 0.21),
    "detach": lambda a, b: a.detach() if torch.is_tensor(a) else jax.lax.stop_gradient(a),
    "to integer": lambda a, b: (a * 3).int().double() if torch.is_tensor(a) else jnp.int32(a * 3) * jnp.float64(1),
    "zeros like": lambda a, b: lib(a).zeros_like(a) + 0.5,
    "mean": lambda a, b: a.mean(),
    "sum of rows": lambda a, b: as_matrix(a).sum(0),
    "transpose": lambda a, b: as_matrix(a).T.reshape(2, 3),
    "sort": lambda a, b: (
        torch.sort(as_matrix(a) + constant(a, OFFSETS), 1)[0]
        if torch.is_tensor(a)
        else jnp.sort(as_matrix(a) + OFFSETS, 1)
    ),
    "concatenate": lambda a, b: lib(a).concatenate([as_matrix(a)[:1], as_matrix(b)[1:]]),
    "pick by argmax": pick_by_argmax,
    "order by": order_by,
    "where": where,
    "product": product,
    "recurrence": recurrence,
    "shift register": shift_register,
    "branch": branch,
    "jitted": jitted,
}

programs = st.lists(
    st.tuples(st.sampled_from(sorted(OPERATIONS)), st.integers(0, 99), st.integers(0, 99)), min_size=2, max_size=9
)


def run(program, leaves):
    """Two outputs: the sum of the last two values, and of the first two that were computed."""
    pool = [leaves[name] for name in LEAVES if name not in ("w", "spare")]
    first = len(pool)
    for name, i, j in program:
        value = OPERATIONS[name](pool[i % len(pool)], pool[j % len(pool)])
        pool.append(value if value.ndim < 2 or tuple(value.shape) in ((2, 3), (2, 1)) else as_matrix(value))
    return pool[-1].sum() + pool[-2].sum(), pool[first].sum() * 2.0 + pool[first + 1].sum()


def torch_grads(program, which):
    leaves = {name: torch.tensor(value, requires_grad=True) for name, value in VALUES.items()}
    outputs = run(program, leaves)
    chosen = sum(outputs) if which is None else outputs[which]
    if not chosen.requires_grad:
        return None, chosen.detach().numpy()
    chosen.backward()
    return {n: None if leaf.grad is None else leaf.grad.numpy() for n, leaf in leaves.items()}, chosen.detach().numpy()


def check(found, expected):
    assert {n for n, g in found.items() if g is None} == {n for n, g in expected.items() if g is None}
    for name, each in expected.items():
        if each is not None:
            np.testing.assert_allclose(found[name], each, rtol=1e-12, atol=1e-12 * (1 + np.abs(each).max()))


def compare(program):
    params = {name: jnp.asarray(value) for name, value in VALUES.items()}
    outputs, graph = forward(lambda p: run(program, p), params)
    for which in (0, 1):
        expected, value = torch_grads(program, which)
        np.testing.assert_allclose(outputs[which], value, rtol=1e-12, atol=1e-12)
        if expected is None:
            with pytest.raises(RuntimeError, match="does not require grad"):
                graph[which].backward(retain_graph=True)
        else:
            check(graph[which].backward(retain_graph=True), expected)
    return params


@settings(max_examples=25, deadline=None)
@given(programs)
def test_eager(program):
    with jax.enable_x64(True):
        compare(program)


@settings(max_examples=4, deadline=None)
@given(programs)
def test_jitted(program):
    with jax.enable_x64(True):
        params = {name: jnp.asarray(value) for name, value in VALUES.items()}
        expected, _ = torch_grads(program, None)
        jitted = jax.jit(lambda p: backward(lambda p: sum(run(program, p)), p))
        if expected is None:
            with pytest.raises(RuntimeError, match="does not require grad"):
                jitted(params)
        else:
            check(jitted(params)[1], expected)


@pytest.mark.slow
@settings(max_examples=120, deadline=None)
@given(programs)
def test_eager_at_length(program):
    with jax.enable_x64(True):
        compare(program)


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_operation_alone(x64, name):
    """Every operation of the table is alive: run once on two leaves, and once on two results."""
    compare([("sin", 2, 0), (name, 2, 1), (name, -1, 0)])


def test_a_gradient_wrong_by_a_tenth_of_a_percent_is_found(x64):
    program = [("sin", 2, 0), ("multiply", 4, 1)]
    expected, _ = torch_grads(program, 0)
    with pytest.raises(AssertionError):
        check({n: None if g is None else g * 1.001 for n, g in expected.items()}, expected)
    with pytest.raises(AssertionError):
        check({n: np.zeros_like(VALUES[n]) if g is None else g for n, g in expected.items()}, expected)
