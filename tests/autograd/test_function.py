"""Custom functions beside torch: PyTorch's own database of them, the context's rights, and torch's sentences."""

from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxgrad.autograd import Function
from jaxgrad.testing import assert_close
from tests.autograd.function_database import FUNCTIONS

db = pytest.importorskip("torch.testing._internal.autograd_function_db")
RNG = np.random.default_rng(0)
CASES = [op for op in db.autograd_function_db if "MarkDirty" not in op.name]
NOT_COMPOSABLE = "NumpyCubeNotComposableAutogradFunction"


def samples(op):
    return [(s.input, *s.args) for s in op.sample_inputs("cpu", torch.float64, requires_grad=True)]


def split(args):
    """Positions of the differentiable arguments, and all arguments as JAX's."""
    floats = [i for i, a in enumerate(args) if isinstance(a, torch.Tensor) and a.is_floating_point()]
    return floats, [jnp.asarray(a.detach().numpy()) if isinstance(a, torch.Tensor) else a for a in args]


def of_floats(fn, args, floats):
    """``fn`` as a function of its differentiable arguments, its differentiable outputs as a tuple."""

    def call(*xs):
        full = list(args)
        for i, x in zip(floats, xs, strict=True):
            full[i] = x
        out = fn(*full)
        out = out if isinstance(out, tuple) else (out,)
        return tuple(o for o in out if hasattr(o, "dtype") and "float" in str(o.dtype))

    return call


def to_numpy(tree):
    return jax.tree.map(lambda t: t.detach().numpy() if isinstance(t, torch.Tensor) else t, tree)


def close(ours, theirs):
    assert_close(tuple(ours), tuple(to_numpy(list(theirs))), rtol=1e-12, atol=1e-12)


def ours_of(op):
    if op.name == NOT_COMPOSABLE:
        return lambda x: FUNCTIONS["NumpyCubeNotComposable"].apply(x)[0]
    return FUNCTIONS[op.name.removesuffix("AutogradFunction")].apply


def cases():
    return [pytest.param(op, id=op.name.removesuffix("AutogradFunction")) for op in CASES]


@pytest.mark.parametrize("op", cases())
def test_database_values_and_gradients(op, x64):
    for args in samples(op):
        floats, jargs = split(args)
        fn = of_floats(ours_of(op), jargs, floats)
        xs = [args[i] for i in floats]
        theirs = of_floats(op.op, args, floats)(*xs)
        ours, vjp = jax.vjp(fn, *(jargs[i] for i in floats))
        close(ours, theirs)
        cts = [torch.tensor(RNG.normal(size=tuple(o.shape))) for o in theirs]
        expected = torch.autograd.grad(theirs, xs, cts)
        close(vjp(tuple(jnp.asarray(c.numpy()) for c in cts)), expected)
        if op.name != NOT_COMPOSABLE:
            jitted = jax.jit(lambda xs, cts, fn=fn: jax.vjp(fn, *xs)[1](cts))
            close(jitted([jargs[i] for i in floats], tuple(jnp.asarray(c.numpy()) for c in cts)), expected)


@pytest.mark.parametrize("op", [p for p in cases() if p.id != "NumpyCubeNotComposable"])
def test_database_second_derivatives(op, x64):
    (args, *_) = samples(op)
    floats, jargs = split(args)
    xs = [args[i] for i in floats]

    def torch_energy(*xs):
        return sum((o * torch.sin(o)).sum() for o in of_floats(op.op, args, floats)(*xs))

    fn = of_floats(ours_of(op), jargs, floats)

    def energy(*xs):
        return sum((o * jnp.sin(o)).sum() for o in fn(*xs))

    first = torch.autograd.grad(torch_energy(*xs), xs, create_graph=True)
    weights = [torch.tensor(RNG.normal(size=tuple(x.shape))) for x in xs]
    total = sum((g * w).sum() for g, w in zip(first, weights, strict=True))
    if total.requires_grad:
        theirs = [
            torch.zeros_like(x) if g is None else g
            for g, x in zip(torch.autograd.grad(total, xs, allow_unused=True), xs, strict=True)
        ]
    else:
        theirs = [torch.zeros_like(x) for x in xs]
    argnums = tuple(range(len(floats)))

    def directional(*xs):
        grads = jax.grad(energy, argnums)(*xs)
        return sum((g * w.numpy()).sum() for g, w in zip(grads, weights, strict=True))

    close(jax.grad(directional, argnums)(*(jargs[i] for i in floats)), theirs)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
@pytest.mark.parametrize("op", [p for p in cases() if p.id != "NumpyCubeNotComposable"])
def test_database_forward_mode_and_vmap(op, x64):
    (args, *_) = samples(op)
    args = [a.detach() if isinstance(a, torch.Tensor) else a for a in args]
    floats, jargs = split(args)
    xs = tuple(args[i] for i in floats)
    fn, theirs = of_floats(ours_of(op), jargs, floats), of_floats(op.op, args, floats)
    tangents = tuple(torch.tensor(RNG.normal(size=tuple(x.shape))) for x in xs)
    jxs = tuple(jargs[i] for i in floats)
    jts = tuple(jnp.asarray(t.numpy()) for t in tangents)
    close(jax.jvp(fn, jxs, jts)[1], torch.func.jvp(theirs, xs, tangents)[1])

    def stacked(x, stack):
        return stack([x, 2 * x, x / 3])

    txs = tuple(stacked(x, torch.stack) for x in xs)
    batched = jax.vmap(fn)(*(stacked(x, jnp.stack) for x in jxs))
    expected = torch.vmap(theirs)(*txs)
    close(batched, expected)

    # the gradient of a batch, by both orders of the transformations
    def of_one(*xs):
        return sum(o.sum() for o in fn(*xs))

    def theirs_of_one(*xs):
        return sum(o.sum() for o in theirs(*xs))

    argnums = tuple(range(len(floats)))
    jbatch = tuple(stacked(x, jnp.stack) for x in jxs)
    expected = torch.vmap(torch.func.grad(theirs_of_one, argnums))(*txs)
    close(jax.vmap(jax.grad(of_one, argnums))(*jbatch), expected)


def test_needs_input_grad_and_materialize(x64):
    seen = []

    class Both(Function):
        @staticmethod
        def forward(ctx, x, y, n):
            ctx.set_materialize_grads(False)
            ctx.save_for_backward(x, y)
            return x * n, y * n

        @staticmethod
        def backward(ctx, gx, gy):
            seen.append((ctx.needs_input_grad, gx is None, gy is None))
            return (None if gx is None else gx * 2), (None if gy is None else gy * 2), None

    x = jnp.arange(3.0)
    grad = jax.grad(lambda x: Both.apply(x, 2 * jnp.ones(3), 4)[0].sum())(x)
    assert seen == [((True, False, False), False, True)]
    assert grad.tolist() == [2.0, 2.0, 2.0]


def test_saved_output_carries_the_rule_to_the_second_derivative(x64):
    """exp whose backward uses the saved *output*: without the connection its second derivative would be the raw one."""

    class Fake(Function):
        @staticmethod
        def forward(ctx, x):
            out = jnp.floor(x) + 2
            ctx.save_for_backward(out)
            return out

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[0]

    class TorchFake(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            out = x.floor() + 2
            ctx.save_for_backward(out)
            return out

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[0]

    x = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    first = torch.autograd.grad(TorchFake.apply(x), x, create_graph=True)[0]
    second = torch.autograd.grad(first, x)[0]
    ours = jax.grad(Fake.apply)
    assert float(ours(1.5 * jnp.ones(()))) == first.item() == 3.0
    assert float(jax.grad(ours)(1.5 * jnp.ones(()))) == second.item() == 3.0
    assert float(jax.jit(jax.grad(ours))(1.5 * jnp.ones(()))) == 3.0


def test_under_scan_cond_and_checkpoint(x64):
    class Cube(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            return 3 * ctx.saved_tensors[0] ** 2 * g

    x = jnp.array([0.5, 0.9])

    def looped(f):
        return lambda x: jax.lax.scan(lambda c, _: (f(c), None), x, None, length=3)[0].sum()

    def plain(x):
        return x**3

    np.testing.assert_allclose(jax.grad(looped(Cube.apply))(x), jax.grad(looped(plain))(x), rtol=1e-14)
    branch = jax.jit(jax.grad(lambda x: jax.lax.cond(x[0] > 0, Cube.apply, lambda x: x, x).sum()))
    np.testing.assert_allclose(branch(x), 3 * x**2, rtol=1e-14)
    np.testing.assert_allclose(jax.grad(jax.checkpoint(lambda x: Cube.apply(x).sum()))(x), 3 * x**2, rtol=1e-14)


def test_both_rules_inside_checkpoint(x64):
    class Cube(Function):
        @staticmethod
        def forward(x):
            return x**3

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)
            ctx.save_for_forward(*inputs)

        @staticmethod
        def backward(ctx, g):
            return 3 * ctx.saved_tensors[0] ** 2 * g

        @staticmethod
        def jvp(ctx, t):
            return 3 * ctx.saved_tensors[0] ** 2 * t

    x = jnp.array([0.5, 0.9])
    for fn in (Cube.apply, jax.checkpoint(Cube.apply), jax.jit(jax.checkpoint(Cube.apply))):
        grad = jax.grad(lambda x, fn=fn: fn(x).sum())(x)
        np.testing.assert_allclose(grad, 3 * x**2, rtol=1e-14)
    with pytest.raises(NotImplementedError, match=r"jax\.checkpoint transposes the jvp of a Function"):
        jax.grad(jax.checkpoint(lambda x: FUNCTIONS["CubeGenVmap"].apply(x)[0].sum()))(x)


def test_threads_do_not_know_of_each_other(x64):
    class Scaled(Function):
        @staticmethod
        def forward(ctx, x, factor):
            ctx.save_for_backward(x)
            ctx.factor = factor
            return x * factor, np.ones(factor)

        @staticmethod
        def backward(ctx, g, _):
            return g * ctx.factor, None

    def work(factor):
        grads = [jax.grad(lambda x: Scaled.apply(x, factor)[0].sum())(jnp.ones(factor)) for _ in range(20)]
        return all(grad.tolist() == [factor] * factor for grad in grads)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(1, 9)))
