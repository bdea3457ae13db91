"""detect_anomaly: the operation torch blames, the line that called it, inside every kind of control flow."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

from jaxgrad._core.operations import operation
from jaxgrad.autograd import Function, detect_anomaly


def where(fn, offset):
    return rf"forward call: {re.escape(__file__)}:{fn.__code__.co_firstlineno + offset} "


def torch_sentence(fn, *arrays):
    xs = [torch.tensor(a, requires_grad=True) for a in arrays]
    with pytest.warns(UserWarning), pytest.raises(RuntimeError) as error, torch.autograd.detect_anomaly():
        fn(*xs).sum().backward()
    return str(error.value)


ZERO = np.zeros(2, np.float32)


@pytest.mark.parametrize(
    ("ours", "theirs", "arrays"),
    [
        (lambda x: jnp.sqrt(x) * 0, lambda x: torch.sqrt(x) * 0, [ZERO]),
        (lambda x: jnp.where(x > 0, x**0.5, 0.0), lambda x: torch.where(x > 0, x**0.5, 0.0), [ZERO]),
        (lambda x: jnp.where(x > 0, jnp.log(x), 0.0), lambda x: torch.where(x > 0, torch.log(x), 0.0), [ZERO]),
        (lambda x, y: jnp.where(y > 0, x / y, 0.0), lambda x, y: torch.where(y > 0, x / y, 0.0), [ZERO + 1, ZERO]),
        (lambda x: lax.rsqrt(x) * 0.0 + x, None, [ZERO]),
    ],
)
def test_the_backward_is_blamed_as_in_torch(ours, theirs, arrays):
    grad = jax.grad(lambda *xs: ours(*xs).sum(), argnums=tuple(range(len(arrays))))
    with pytest.raises(RuntimeError) as error:
        detect_anomaly(grad)(*map(jnp.asarray, arrays))
    if theirs is None:
        assert str(error.value).startswith("The forward of 'MulBackward0' returned nan values in its 0th output.")
    else:
        assert str(error.value).splitlines()[0] == torch_sentence(theirs, *arrays)


def test_the_line_of_the_forward_call_and_its_scope():
    def loss(x):
        with jax.named_scope("encoder"):
            y = jnp.sin(x)
            y = jnp.sqrt(y)
        return (y * 0).sum()

    for fn in (
        jax.grad(loss),
        jax.jit(jax.grad(loss)),
        jax.grad(jax.jit(loss)),
        jax.value_and_grad(jax.checkpoint(loss)),
    ):
        with pytest.raises(RuntimeError, match=where(loss, 3)) as error:
            detect_anomaly(fn)(jnp.zeros(3))
        assert "'SqrtBackward0'" in str(error.value)
        assert "scope:    encoder" in str(error.value)
        assert "y = jnp.sqrt(y)" in str(error.value)


def test_forward():
    def loss(x):
        y = jnp.log(x)
        return jnp.exp(y).sum()

    with pytest.raises(
        RuntimeError, match="The forward of 'LogBackward0' returned nan values in its 0th output"
    ) as error:
        detect_anomaly(loss)(jnp.array([1.0, -1.0, -2.0]))
    assert "nan in 2 of 3 elements, the first at index (1,)" in str(error.value)
    assert re.search(where(loss, 1), str(error.value))


def test_scan_names_the_step():
    def loss(x):
        def step(c, a):
            c = jnp.sqrt(c - a)
            return c, c

        return lax.scan(step, x, jnp.array([0.0, 0.0, 5.0, 0.0]))[0]

    with pytest.raises(RuntimeError, match="The forward of 'SqrtBackward0'") as error:
        detect_anomaly(loss)(jnp.float32(2.0))
    assert "loop:     step 2 of 4" in str(error.value)
    assert re.search(where(loss, 2), str(error.value))

    def vanishing(x):
        return lax.scan(lambda c, a: (jnp.sqrt(c * a), None), x, jnp.array([1.0, 0.0, 1.0]))[0] * 0

    with pytest.raises(RuntimeError, match="Function 'SqrtBackward0'") as error:
        detect_anomaly(jax.grad(vanishing))(jnp.float32(2.0))
    assert "loop:     step 2 of 3" in str(error.value)


def test_cond_while_and_custom_rules():
    def branch(x):
        return lax.cond(x > 0, jnp.log, lambda x: jnp.sqrt(x), x)

    with pytest.raises(RuntimeError, match="The forward of 'SqrtBackward0'"):
        detect_anomaly(branch)(jnp.float32(-1.0))
    assert detect_anomaly(branch)(jnp.float32(1.0)) == 0

    def loop(x):
        return lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, jnp.log(c[1])), (0, x))[1]

    with pytest.raises(RuntimeError, match="The forward of 'LogBackward0'") as error:
        detect_anomaly(loop)(jnp.float32(2.0))
    assert "loop:     step 2" in str(error.value)

    class Bad(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g / jnp.zeros_like(g) * 0

    def loss(x):
        return Bad.apply(x).sum()

    with pytest.raises(RuntimeError, match="Function 'BadBackward' returned nan values in its 0th output") as error:
        detect_anomaly(jax.grad(loss))(jnp.ones(2))
    assert re.search(where(loss, 1), str(error.value))

    with pytest.raises(RuntimeError, match="'SoftmaxBackward0'"):
        detect_anomaly(jax.nn.softmax)(jnp.array([jnp.inf, 1.0]))


def test_a_marked_operation_is_named():
    @operation("FancyBackward0")
    def fancy(x):
        return jnp.log(x)

    with pytest.raises(RuntimeError, match="The forward of 'FancyBackward0'"):
        detect_anomaly(lambda x: fancy(x).sum())(-jnp.ones(2))


def test_clean_functions_are_unchanged():
    params = {"w": jnp.array([[1.0, 2.0], [3.0, 4.0]]), "b": jnp.zeros(2)}

    def loss(params, x, *, power):
        h = jax.nn.relu(x @ params["w"] + params["b"])
        h, ys = lax.scan(lambda c, a: (c * 0.5 + a, jnp.sin(c)), h, jnp.stack([h, h]), reverse=True)
        return (h**power).sum() + ys.mean(), {"h": h}

    fn = jax.value_and_grad(loss, has_aux=True)
    x = jnp.ones((1, 2))
    with jax.numpy_rank_promotion("allow"):
        ours, plain = detect_anomaly(fn)(params, x, power=2), fn(params, x, power=2)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), ours, plain)


def test_arguments():
    def loss(x):
        return jnp.log(x).sum()

    assert jnp.isneginf(detect_anomaly(loss)(jnp.zeros(2)))
    with pytest.raises(RuntimeError, match="The forward of 'LogBackward0' returned inf values"):
        detect_anomaly(loss, check_inf=True)(jnp.zeros(2))
    masked = detect_anomaly(lambda x: jax.nn.softmax(jnp.where(x > 0, x, -jnp.inf)), check_inf=True)
    assert masked(jnp.array([1.0, -1.0])).tolist() == [1.0, 0.0]
    assert jnp.isnan(detect_anomaly(loss, check_nan=False)(-jnp.ones(2)))
    with pytest.raises(RuntimeError, match=r"The argument '0\.w' holds nan values already"):
        detect_anomaly(lambda p: p["w"].sum())({"w": jnp.array([1.0, jnp.nan])})
    with pytest.raises(RuntimeError, match="inside jit, grad or vmap there are none"):
        jax.jit(detect_anomaly(loss))(jnp.ones(2))
    with pytest.raises(TypeError, match="there is no global mode"):
        detect_anomaly(True)


def test_an_error_while_it_runs_names_the_operation():
    def fails(x):
        raise ValueError("no")

    def loss(x):
        return jax.pure_callback(fails, jax.ShapeDtypeStruct((), jnp.float32), x)

    with pytest.raises(Exception, match="no") as error:
        detect_anomaly(loss, check_nan=False)(jnp.float32(1.0))
    notes = "\n".join(error.value.__notes__)
    assert "Error detected in PureCallbackBackward" in notes
    assert re.search(where(loss, 1), notes)


WRAPPERS = {
    "plain": lambda f: f,
    "jit": jax.jit,
    "checkpoint": jax.checkpoint,
    "scan": lambda f: lambda x: lax.scan(lambda c, _: (f(c), None), x, None, length=1)[0],
    "cond": lambda f: lambda x: lax.cond(x.sum() > -1e9, f, lambda x: x, x),
    "vmap": lambda f: lambda x: jax.vmap(f)(x[None])[0],
}
SAFE = {"sin": jnp.sin, "tanh": jnp.tanh, "half": lambda x: x / 2, "sigmoid": jax.nn.sigmoid}


@settings(deadline=None, max_examples=25)
@given(
    before=st.lists(st.tuples(st.sampled_from(sorted(SAFE)), st.sampled_from(sorted(WRAPPERS))), max_size=3),
    after=st.lists(st.tuples(st.sampled_from(sorted(SAFE)), st.sampled_from(sorted(WRAPPERS))), max_size=3),
    around=st.sampled_from(sorted(WRAPPERS)),
    backward=st.booleans(),
)
def test_a_planted_fault_is_found_wherever_it_lies(before, after, around, backward):
    def fault(x):
        if backward:
            return jnp.sqrt(x * 0) * 0 + x  # sound in the forward, 0 * inf in the backward
        return jnp.log(-jnp.exp(x))

    def program(x):
        for name, wrapper in before:
            x = WRAPPERS[wrapper](SAFE[name])(x)
        x = WRAPPERS[around](fault)(x)
        for name, wrapper in after:
            x = WRAPPERS[wrapper](SAFE[name])(x)
        return x.sum()

    with pytest.raises(RuntimeError) as error:
        detect_anomaly(jax.grad(program))(jnp.array([0.5, 0.7]))
    first, line = ("Function 'SqrtBackward0'", 2) if backward else ("The forward of 'LogBackward0'", 3)
    assert str(error.value).startswith(f"{first} returned nan values in its 0th output.")
    assert re.search(where(fault, line), str(error.value))


NAN = np.array([np.nan, 1.0], np.float32)
MATRIX = np.array([[np.nan, 1.0], [1.0, 2.0]], np.float32)


def writes_nan(both_modes):
    class Writes(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g.at[0].set(jnp.nan) if isinstance(g, jax.Array) else torch.full_like(g, torch.nan)

    if both_modes:
        Writes.jvp = staticmethod(lambda ctx, t: 2 * t)
    return Writes.apply


class Writes(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return torch.full_like(g, torch.nan)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda x: (x * NAN).sum(), lambda x: (x * torch.tensor(NAN)).sum()),
        (lambda x: (x @ MATRIX).sum(), lambda x: (x @ torch.tensor(MATRIX)).sum()),
        (lambda x: jax.nn.relu(x * jnp.array([np.nan, 1.0])).sum(), lambda x: (x * torch.tensor(NAN)).relu().sum()),
        (lambda x: writes_nan(False)(x * 3).sum(), lambda x: Writes.apply(x * 3).sum()),
        (lambda x: writes_nan(True)(x * 3).sum(), lambda x: Writes.apply(x * 3).sum()),
    ],
)
def test_nan_that_a_constant_or_a_rule_brings_in(ours, theirs):
    """The first function of the backward that returns it is named, as in torch; a forward alone is blamed itself."""
    expected = torch_sentence(theirs, np.ones(2, np.float32))
    x = jnp.ones(2)
    for run in (jax.grad(ours), jax.value_and_grad(ours), jax.jit(jax.grad(ours))):
        with pytest.raises(RuntimeError) as caught:
            detect_anomaly(run)(x)
        assert str(caught.value).splitlines()[0] == expected


def test_nan_of_a_constant_that_nothing_comes_of_is_none():
    masked = lambda x: jnp.where(jnp.isnan(NAN), 0.0, x).sum() + jnp.nansum(x + NAN)  # noqa: E731
    for run in (masked, jax.grad(masked)):
        np.testing.assert_array_equal(detect_anomaly(run)(jnp.ones(2)), run(jnp.ones(2)))
    with pytest.raises(RuntimeError, match="The forward of 'MulBackward0' returned nan"):
        detect_anomaly(lambda x: x * NAN)(jnp.ones(2))
