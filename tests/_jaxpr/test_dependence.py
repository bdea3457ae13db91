"""Which leaf reaches which output, where the random programs do not go: control flow, rules of one's own, numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad.autograd import Function, backward, forward, register_hook

torch = pytest.importorskip("torch")


def reached(fn, *leaves):
    """For each leaf whether it has a gradient, eagerly and under jit."""
    params = {str(i): leaf for i, leaf in enumerate(leaves)}

    def run(p):
        return backward(lambda p: jnp.sum(fn(*p.values())), p)[1]

    eager, compiled = run(params), jax.jit(run)(params)
    assert [g is None for g in eager.values()] == [g is None for g in compiled.values()]
    return [g is not None for g in eager.values()]


ONE = jnp.ones(3)


def test_scan_of_exactly_so_many_rounds():
    def shifting(n):
        def step(carry, _):
            _, b, c = carry
            return (b, c, c * 0.5), None

        return lambda a, b, c: jax.lax.scan(step, (a, b, c), None, length=n)[0][0]

    assert reached(shifting(1), ONE, ONE, ONE) == [False, True, False]
    assert reached(shifting(2), ONE, ONE, ONE) == [False, False, True]
    assert reached(shifting(50), ONE, ONE, ONE) == [False, False, True]

    def swapping(n):
        return lambda a, b: jax.lax.scan(lambda c, _: ((c[1], c[0] * 1.0), None), (a, b), None, length=n)[0][0]

    assert reached(swapping(6), ONE, ONE) == [True, False]
    assert reached(swapping(1001), ONE, ONE) == [False, True]


def test_scan_stacks_every_round():
    def fn(a, b):
        return jax.lax.scan(lambda c, _: ((c[1], c[1]), c[0]), (a, b), None, length=3)[1]

    assert reached(fn, ONE, ONE) == [True, True]


def test_while_and_cond():
    def looped(a, b, n):
        """The counter decides how often, and has no gradient; a float carry in a while loop cannot have one in JAX."""
        rounds = jax.lax.while_loop(lambda i: i < n.sum(), lambda i: i + 1, 0)
        return a * rounds

    assert reached(looped, ONE, ONE, ONE) == [True, False, False]

    def chosen(a, b, c):
        return jax.lax.cond(c.sum() > 0, lambda a, b: a * 2.0, lambda a, b: b * 3.0, a, b)

    assert reached(chosen, ONE, ONE, ONE) == [True, True, False]  # either branch may be taken


def test_calls_keep_operands_apart():
    def pair(a, b):
        return a * 2.0, b * 3.0

    for wrap in (jax.jit, jax.checkpoint, lambda f: jax.jit(jax.checkpoint(jax.jit(f)))):
        assert reached(lambda a, b, wrap=wrap: wrap(pair)(a, b)[0], ONE, ONE) == [True, False]


def test_sorting_along_with_another():
    assert reached(lambda a, b: jax.lax.sort((a, b), num_keys=1)[1], ONE, ONE) == [False, True]
    assert reached(lambda a, b: jax.lax.top_k(a, 2)[0] + b[jax.lax.top_k(a, 2)[1]], ONE, ONE) == [True, True]


def test_random_bits_and_keys():
    def dropped(a, b):
        key = jax.random.fold_in(jax.random.key(0), b.sum().astype(int))
        return a * jax.random.bernoulli(key, 0.5, (3,)).astype(a.dtype)

    assert reached(dropped, ONE, ONE) == [True, False]


class Crooked(Function):
    @staticmethod
    def forward(ctx, x, y):
        return x * y

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output, None


class TorchCrooked(torch.autograd.Function):  # type: ignore[name-defined]
    @staticmethod
    def forward(ctx, x, y):
        return x * y

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output, None


def test_a_rule_that_returns_none_cuts_off():
    x, y = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    TorchCrooked.apply(x, y).sum().backward()
    assert [x.grad is not None, y.grad is not None] == [True, False]
    assert reached(lambda x, y: Crooked.apply(x, y), ONE, ONE) == [True, False]

    @jax.custom_vjp
    def crooked(x, y):
        return x * y

    crooked.defvjp(lambda x, y: (x * y, None), lambda _, g: (g, None))
    assert reached(crooked, ONE, ONE) == [True, False]
    assert reached(lambda x, y: crooked(x, y) + y, ONE, ONE) == [True, True]

    @jax.custom_vjp
    def straight_through(x, y):
        return jnp.round(x).astype(int).astype(y.dtype) * jnp.round(y)

    straight_through.defvjp(lambda x, y: (straight_through(x, y), None), lambda _, g: (g, g))
    assert reached(straight_through, ONE, ONE) == [True, True]


def test_what_a_hook_closes_over_is_not_connected():
    x, y = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    h = x * 2
    h.register_hook(lambda g: g * y)
    h.sum().backward()
    assert [x.grad is not None, y.grad is not None] == [True, False]
    assert reached(lambda x, y: register_hook(x * 2, lambda g: g * y), ONE, ONE) == [True, False]


def test_custom_jvp_is_one_operation():
    @jax.custom_jvp
    def clipped(x, y):
        return jax.lax.stop_gradient(jnp.clip(x, 0.0, 1.0)) * y

    clipped.defjvp(lambda primals, tangents: (clipped(*primals), tangents[0] + tangents[1]))
    assert reached(clipped, ONE, ONE) == [True, True]


def test_references_are_followed():
    def through_a_reference(a, b):
        ref = jax.new_ref(a * 0.0)
        ref[...] = a
        return ref[...] * 1.0 + 0.0 * jax.lax.stop_gradient(b)

    assert reached(through_a_reference, ONE, ONE) == [True, False]


def test_numpy_in_the_forward_of_a_function():
    class Numpy(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return jnp.asarray(np.sin(np.asarray(x)))

        @staticmethod
        def backward(ctx, grad_output):
            (x,) = ctx.saved_tensors
            return grad_output * jnp.asarray(np.cos(np.asarray(x)))

    _, grads = backward(lambda p: Numpy.apply(p["x"]).sum(), {"x": ONE, "unused": ONE})
    np.testing.assert_allclose(grads["x"], np.cos(np.ones(3)), rtol=1e-6)
    assert grads["unused"] is None


def test_shard_map_and_sharded_parameters():
    mesh = jax.make_mesh((2,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    spec = jax.sharding.PartitionSpec

    def local(w, unused, x):
        w = jax.lax.pcast(w, "data", to="varying")
        _, grads = backward(lambda p: jnp.mean((x @ p["w"]) ** 2), {"w": w, "unused": unused})
        assert grads["unused"] is None
        return jax.lax.pmean(grads["w"], "data")

    x, w = jnp.arange(8.0).reshape(4, 2), jnp.array([1.0, -1.0])
    ours = jax.jit(jax.shard_map(local, mesh=mesh, in_specs=(spec(), spec(), spec("data")), out_specs=spec()))(w, w, x)
    np.testing.assert_allclose(ours, jax.grad(lambda w: jnp.mean((x @ w) ** 2))(w), rtol=1e-6)


def test_integer_outputs_have_no_graph():
    outputs, graph = forward(lambda a: {"loss": a.sum(), "count": (a > 0).sum()}, ONE)
    assert int(outputs["count"]) == 3
    with pytest.raises(RuntimeError, match="element 0 of tensors does not require grad"):
        graph["count"].backward()
    np.testing.assert_array_equal(graph["loss"].backward(), np.ones(3))
