"""Random programs with frozen leaves, ``no_grad``, ``detach``, hooks and rules that return None: the pattern of None.

As in ``test_random_programs``, with every value retained: torch's gradients of the leaves and of all intermediate
values, None exactly where torch has None, and torch's refusal where nothing requires grad.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad.autograd import (
    Function,
    backward_retaining,
    detach,
    enable_grad,
    freeze,
    merge,
    no_grad,
    register_hook,
    requires_grad,
    retain_grad,
)
from tests.autograd.test_random_programs import LEAVES, VALUES, as_matrix, lib
from tests.autograd.test_random_programs import OPERATIONS as PLAIN


def rules(base):
    """Functions of two matrices: the first gradient alone, none at all, one output without a gradient."""

    class First(base):
        @staticmethod
        def forward(ctx, a, b):
            return 2 * a + b

        @staticmethod
        def backward(ctx, g):
            return 2 * g, None

    class Neither(First):
        @staticmethod
        def backward(ctx, g):
            return None, None

    class Marked(base):
        @staticmethod
        def forward(ctx, a, b):
            c, d = a * 3, b * 2
            ctx.mark_non_differentiable(d)
            return c, d

        @staticmethod
        def backward(ctx, g, h):
            return 3 * g, None

    class Undefined(base):
        @staticmethod
        def forward(ctx, a, b):
            ctx.set_materialize_grads(False)
            return a * 3, b * 2

        @staticmethod
        def backward(ctx, g, h):
            return None if g is None else 3 * g, None if h is None else 2 * h

    return {"first": First, "neither": Neither, "marked": Marked, "undefined": Undefined}


RULES = {jnp: rules(Function), torch: rules(torch.autograd.Function)}


def ruled(name, output=None):
    def operation(a, b):
        found = RULES[lib(a)][name].apply(as_matrix(a), as_matrix(b))
        return found if output is None else found[output]

    return operation


def under_no_grad(fn):
    def operation(a, b):
        if lib(a) is jnp:
            return no_grad(fn)(a, b)
        with torch.no_grad():
            return fn(a, b)

    return operation


def enabled(fn):
    def operation(a, b):
        if lib(a) is jnp:
            return enable_grad(fn)(a, b)
        with torch.enable_grad():
            return fn(a, b)

    return operation


def hooked(a, b):
    """A hook on a value that is retained as well; torch refuses it where the value does not require grad."""
    value = a * 1.5
    if lib(a) is jnp:
        return register_hook(value, lambda grad: grad * grad)
    value.register_hook(lambda grad: None if grad is None else grad * grad)  # torch calls it with None too
    return value


# no scan among them: JAX raises where a None arrives at what it stacks and a gradient at what it carries
OPERATIONS = {name: PLAIN[name] for name in ("sin", "multiply", "add", "floor", "product", "mean", "jitted")} | {
    "detach": lambda a, b: detach(a) if lib(a) is jnp else a.detach(),
    "no_grad": under_no_grad(PLAIN["multiply"]),
    "enabled in no_grad": under_no_grad(lambda a, b: PLAIN["add"](enabled(PLAIN["multiply"])(a, b), b)),
    "all enabled in no_grad": under_no_grad(enabled(PLAIN["product"])),
    "hook": hooked,
    "first": ruled("first"),
    "neither": ruled("neither"),
    "marked": ruled("marked", 0),
    "not marked": ruled("marked", 1),
    "undefined 0": ruled("undefined", 0),
    "undefined 1": ruled("undefined", 1),
}

NAMES = [name for name in LEAVES if name not in ("w", "spare")]
programs = st.lists(
    st.tuples(st.sampled_from(sorted(OPERATIONS)), st.integers(0, 99), st.integers(0, 99)), min_size=2, max_size=7
)
frozen_leaves = st.lists(st.sampled_from(NAMES), unique=True, max_size=4)


def run(program, leaves, retain):
    pool = [leaves[name] for name in NAMES]
    for k, (name, i, j) in enumerate(program):
        value = OPERATIONS[name](pool[i % len(pool)], pool[j % len(pool)])
        value = value if value.ndim < 2 or tuple(value.shape) in ((2, 3), (2, 1)) else as_matrix(value)
        pool.append(retain(value, str(k)))
    return sum(value.sum() for value in pool[-3:])


def in_torch(program, frozen):
    leaves = {name: torch.tensor(VALUES[name], requires_grad=name not in frozen) for name in NAMES}
    values = {}

    def retain(value, name):
        if value.requires_grad:
            value.retain_grad()
        values[name] = value
        return value

    try:
        loss = run(program, leaves, retain)
        loss.backward()
    except RuntimeError as error:
        return str(error)
    return [
        {name: None if value.grad is None else value.grad.numpy() for name, value in each.items()}
        for each in (leaves, values)
    ]


def check(program, frozen, run_ours):
    expected = in_torch(program, frozen)
    if isinstance(expected, str):
        with pytest.raises(RuntimeError) as raised:
            run_ours()
        assert str(raised.value).splitlines()[0] == expected
        return
    for ours, theirs in zip(run_ours(), expected, strict=True):
        assert {n for n, g in ours.items() if g is None} == {n for n, g in theirs.items() if g is None}
        for name, each in theirs.items():
            if each is not None:
                np.testing.assert_allclose(ours[name], each, rtol=1e-11, atol=1e-11 * (1 + np.abs(each).max()))


def compare(program, frozen):
    """With a mask, with two trees, and inside of jit."""
    params = {name: jnp.asarray(VALUES[name]) for name in NAMES}
    mask = {name: name not in frozen for name in NAMES}
    loss = lambda p: run(program, p, retain_grad)  # noqa: E731
    check(program, frozen, lambda: backward_retaining(loss, params, inputs=mask)[1:])
    if frozen:
        assert mask == requires_grad(params, frozen, False)
        trained, rest = freeze(params, frozen)
        check(program, frozen, lambda: backward_retaining(lambda t: loss(merge(t, rest)), trained)[1:])


@settings(max_examples=25, deadline=None)
@given(programs, frozen_leaves)
def test_eager(program, frozen):
    with jax.enable_x64(True):
        compare(program, frozen)


@pytest.mark.exhaustive
@settings(max_examples=100, deadline=None)
@given(programs, frozen_leaves)
def test_eager_at_length(program, frozen):
    with jax.enable_x64(True):
        compare(program, frozen)


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_operation_alone(x64, name):
    compare([("sin", 2, 0), (name, 2, 1), (name, -1, 4), ("multiply", 4, 5)], ["s", "row"])
