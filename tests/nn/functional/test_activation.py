"""Activations: PyTorch's own samples, special points with two derivatives, torch's streams, dtypes and sentences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxgrad import random
from jaxgrad.nn import functional as F
from jaxgrad.parity import distance
from jaxgrad.parity.jax_side import cotangent
from jaxgrad.parity.torch_side import to_numpy
from tests.support.op_samples import entries, error_inputs, op_id, samples
from tests.support.samples import error_complaint

NAMES = (
    "threshold relu relu6 elu selu celu leaky_relu prelu rrelu logsigmoid gelu hardshrink tanhshrink softsign softplus "
    "softmin softshrink hardsigmoid silu mish hardswish hardtanh glu"
).split()
OPS = entries(*(f"nn.functional.{name}" for name in NAMES))
SOFTMAX = entries("softmax", "log_softmax", "sigmoid", "tanh")
OF_TORCH_TOP = {"softmax": F.softmax, "log_softmax": F.log_softmax, "sigmoid": F.sigmoid, "tanh": F.tanh}

ELEMENTWISE = {
    "threshold": (1.0, 2.0),
    "relu": (),
    "relu6": (),
    "elu": (2.0,),
    "selu": (),
    "celu": (0.5,),
    "leaky_relu": (),
    "logsigmoid": (),
    "gelu": (),
    "hardshrink": (),
    "tanhshrink": (),
    "softsign": (),
    "softplus": (),
    "tanh": (),
    "sigmoid": (),
    "hardsigmoid": (),
    "silu": (),
    "mish": (),
    "hardswish": (),
    "hardtanh": (),
    "softshrink": (),
}
POINTS = [-np.inf, -1e4, -20, -3, -1, -0.5, -0.0, 0.0, 0.5, 1, 2, 3, 6, 19.9, 20, 21, 1e4, np.inf, np.nan]
INTEGERS = {"threshold", "relu", "relu6", "hardtanh", "tanhshrink", "softsign", "tanh", "sigmoid"}


def run(op, **options):
    return samples(op, OF_TORCH_TOP.get(op.name), **options)


@pytest.mark.parametrize("op", OPS + SOFTMAX, ids=op_id)
def test_samples(op, x64):
    run(op, limit=3).check()
    error_inputs(op, OF_TORCH_TOP.get(op.name)).check(at_least=0)


@pytest.mark.exhaustive
@pytest.mark.parametrize("op", OPS + SOFTMAX, ids=op_id)
def test_all_samples(op):
    dtypes = op.supported_dtypes("cpu")
    with jax.enable_x64(True):
        for dtype in {torch.float64, torch.complex128, torch.int64, torch.uint8} & dtypes:
            run(op, dtype=dtype).check()
        run(op, jit=True).check()
    for dtype in {torch.float32, torch.bfloat16, torch.float16} & dtypes:
        with jax.enable_x64("dtype" in op.variant_test_name):
            run(op, dtype=dtype).check()


def test_values_and_two_derivatives_at_special_points(x64):
    """Kinks, infinities and nan; each point alone, so that one cannot hide another."""
    for name, args in ELEMENTWISE.items():
        x = torch.tensor(POINTS, dtype=torch.float64, requires_grad=True)
        y = getattr(torch.nn.functional, name)(x, *args)
        (slope,) = torch.autograd.grad(y.sum(), x, create_graph=True)

        def ours(x, name=name, args=args):
            return getattr(F, name)(x, *args)

        points = jnp.asarray(POINTS)
        checks = [(ours(points), y), (jax.vmap(jax.grad(ours))(points), slope)]
        if name != "hardsigmoid":  # torch has no second derivative of it
            (curve,) = torch.autograd.grad(slope.sum(), x)
            checks.append((jax.vmap(jax.grad(jax.grad(ours)))(points), curve))
        for order, (got, expected) in enumerate(checks):
            wanted = to_numpy(expected)
            if name == "mish" and order == 2:
                got, wanted = got[:16], wanted[:16]  # torch's overflows to nan at 1e4, where the answer is 0
            for i, (mine, theirs) in enumerate(zip(np.asarray(got), wanted, strict=True)):
                measured = distance(mine, theirs)
                assert measured.relative < 1e-10 or measured.absolute < 1e-14, (name, order, POINTS[i], mine, theirs)


def test_gradients_that_are_stopped_stop_an_infinity(x64):
    """torch selects where it might multiply by 0: an infinite cotangent does not become nan behind a closed gate."""
    for name in ("relu", "threshold", "hardtanh", "relu6", "hardshrink", "softshrink", "hardsigmoid", "hardswish"):
        args = ELEMENTWISE[name]
        x = torch.tensor([-7.0, 0.25, 7.0], dtype=torch.float64, requires_grad=True)
        infinite = torch.full((3,), torch.inf, dtype=torch.float64)
        (theirs,) = torch.autograd.grad(getattr(torch.nn.functional, name)(x, *args), x, infinite)
        _, pull = jax.vjp(lambda x, name=name, args=args: getattr(F, name)(x, *args), jnp.asarray([-7.0, 0.25, 7.0]))
        np.testing.assert_array_equal(pull(jnp.full(3, jnp.inf))[0], theirs.numpy(), err_msg=name)


def test_float32_lies_within_torchs_own_rounding():
    ratios = []
    for op in OPS + SOFTMAX:
        if "dtype" in op.variant_test_name or "complex" in op.variant_test_name:
            continue
        tally = run(op, dtype=torch.float32, limit=1)
        tally.check()
        ratios += tally.ratios
    assert np.median(ratios) <= 1.5


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "int32", "uint8", "bool", "complex64"])
def test_dtypes_of_results_and_sentences_for_the_others(dtype):
    x = np.array([[1, 0], [1, 1]])
    theirs, ours = torch.tensor(x).to(getattr(torch, dtype)), jnp.asarray(x).astype(dtype)
    calls = {**ELEMENTWISE, "softmax": (0,), "log_softmax": (1,), "softmin": (1,), "glu": (), "rrelu": ()}
    for name, args in calls.items():
        call = getattr(torch.nn.functional, name)

        def mine(name=name, args=args):
            return getattr(F, name)(ours, *args)

        try:
            expected = call(theirs, *args)
        except Exception:
            assert not error_complaint(mine, lambda call=call, args=args: call(theirs, *args)), name
        else:
            assert mine().dtype.name == str(expected.dtype).removeprefix("torch."), name


def both_draw(name, values, *args, **kwargs):
    torch.manual_seed(3)
    x = torch.from_numpy(values).requires_grad_()
    theirs = getattr(torch.nn.functional, name)(x, *args, **kwargs)
    weights = cotangent(values)
    (gradient,) = torch.autograd.grad(theirs, x, torch.from_numpy(weights))

    def ours(x, generator):
        return getattr(F, name)(x, *args, generator=generator, **kwargs)

    for fn in (ours, jax.jit(ours)):
        output, pull, generator = jax.vjp(
            lambda x, fn=fn: fn(x, random.manual_seed(3)), jnp.asarray(values), has_aux=True
        )
        assert distance(output, to_numpy(theirs)).relative < (1e-10 if values.dtype == np.float64 else 1e-6)
        assert distance(pull(jnp.asarray(weights))[0], to_numpy(gradient)).relative < (
            1e-10 if values.dtype == np.float64 else 1e-5
        )
        np.testing.assert_array_equal(generator.get_state(), torch.get_rng_state().numpy())
    return output, theirs


def test_draws_are_torchs(x64):
    values = np.random.default_rng(0).normal(size=(5, 7))
    both_draw("rrelu", values, 0.1, 0.4, True)
    output, theirs = both_draw("rrelu", values.astype(np.float32), training=True)
    np.testing.assert_array_equal(output, to_numpy(theirs))
    both_draw("gumbel_softmax", values, 0.7)
    both_draw("gumbel_softmax", values, 0.7, True, dim=0)
    both_draw("gumbel_softmax", values.astype(np.float32), hard=True)


def test_a_key_serves_and_nothing_to_draw_from_is_an_error():
    x = jnp.ones((3, 4)) * -1
    output, key = F.rrelu(x, training=True, generator=jax.random.key(0))
    assert ((output < -1 / 8) & (output > -1 / 3)).all() and (key != jax.random.key(0)).any()
    output, _ = F.gumbel_softmax(x, hard=True, generator=jax.random.key(0))
    assert (output.sum(-1) == 1).all()
    for fn in (lambda: F.rrelu(x, training=True), lambda: F.gumbel_softmax(x)):
        with pytest.raises(TypeError, match=r"generator=random.manual_seed\(seed\)"):
            fn()
    with pytest.warns(UserWarning, match="`eps` parameter is deprecated"):
        F.gumbel_softmax(x, eps=1e-5, generator=jax.random.key(0))


ERRORS = {
    "lower above upper": ("rrelu", ((2,),), (0.5, 0.3)),
    "infinite": ("rrelu", ((2,),), (float("inf"), 0.3)),
    "alpha": ("celu", ((2,),), (0,)),
    "lambda": ("softshrink", ((2,),), (-1,)),
    "odd": ("glu", ((2, 3),), ()),
    "no axis": ("glu", ((2, 4),), (5,)),
    "scalar": ("glu", ((),), ()),
    "axis": ("softmax", ((2, 3),), (5,)),
    "axis of log": ("log_softmax", ((2, 3),), (-3,)),
    "bounds": ("hardtanh", ((2,),), (3.0, 1.0)),
    "channels": ("prelu", ((2, 4, 5), (5,)), ()),
    "channels of a vector": ("prelu", ((5,), (5,)), ()),
    "weights of a scalar": ("prelu", ((), (3,)), ()),
    "rank of weights": ("prelu", ((2, 3), (3, 1)), ()),
}


def test_sentences():
    for what, (name, shapes, args) in ERRORS.items():
        found = error_complaint(
            lambda: getattr(F, name)(*(jnp.ones(s) for s in shapes), *args),  # noqa: B023
            lambda: getattr(torch.nn.functional, name)(*(torch.ones(s) for s in shapes), *args),  # noqa: B023
        )
        assert not found, (what, found)
    for name in ("relu", "relu6", "elu", "selu", "celu", "leaky_relu", "silu", "mish", "hardswish", "hardsigmoid"):
        with pytest.raises(ValueError, match="inplace=True has no meaning here"):
            getattr(F, name)(jnp.ones(2), inplace=True)


def test_an_axis_that_is_not_named_is_torchs_with_its_warning():
    for shape in [(), (3,), (2, 3), (2, 2, 3), (1, 2, 2, 3)]:
        for name in ("softmax", "softmin", "log_softmax"):
            x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
            with pytest.warns(UserWarning, match=f"Implicit dimension choice for {name}") as seen:
                ours = getattr(F, name)(jnp.asarray(x))
            assert seen[0].filename == __file__
            with pytest.warns(UserWarning):
                theirs = getattr(torch.nn.functional, name)(torch.from_numpy(x))
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_a_derivative_wrong_by_a_thousandth_is_seen(x64):
    (op,) = entries("nn.functional.silu")[:1]

    def slanted(x, inplace=False):
        return F.silu(x * 1.001 - jax.lax.stop_gradient(0.001 * x))

    assert samples(op, slanted).complaints
