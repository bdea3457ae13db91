"""gradcheck beside torch's: the same verdict on right and wrong rules, the same sentences."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxgrad.autograd import Function, GradcheckError, gradcheck, gradgradcheck

RNG = np.random.default_rng(0)
A, B = RNG.normal(size=(2, 2)) + 3, RNG.normal(size=(2, 2))
Z = B + 1j * RNG.normal(size=(2, 2))


def scaled(factor, first=True):
    """x * sin(y) in both libraries with gradients (``first``: the one by x) that are wrong by ``factor``."""
    fx, fy = (factor, 1.0) if first else (1.0, factor)

    class Ours(Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.save_for_backward(x, y)
            return x * jnp.sin(y)

        @staticmethod
        def backward(ctx, g):
            x, y = ctx.saved_tensors
            return fx * g * jnp.sin(y), fy * g * x * jnp.cos(y)

    class Torch(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.save_for_backward(x, y)
            return x * torch.sin(y)

        @staticmethod
        def backward(ctx, g):
            x, y = ctx.saved_tensors
            return fx * g * torch.sin(y), fy * g * x * torch.cos(y)

    return Ours.apply, Torch.apply


def torch_inputs(*arrays):
    return tuple(torch.tensor(a, requires_grad=True) for a in arrays)


def verdicts(ours, theirs, *arrays, check=gradcheck, torch_check=torch.autograd.gradcheck, **options):
    mine = check(ours, tuple(map(jnp.asarray, arrays)), raise_exception=False, **options)
    return mine, torch_check(theirs, torch_inputs(*arrays), raise_exception=False, **options)


@pytest.mark.parametrize("fast_mode", [False, True])
@pytest.mark.parametrize("first", [True, False])
def test_verdicts_agree_with_torch(fast_mode, first, x64):
    for factor, rtol, right in (
        (1.0, 1e-3, True),
        (1.0005, 1e-3, True),
        (1.01, 1e-3, False),
        (1.001, 1e-4, False),  # a tenth of a percent
        (1.0, 1e-7, True),
        (1.0 - 1e-3, 1e-5, False),
    ):
        ours, theirs = scaled(factor, first)
        found = verdicts(ours, theirs, A, B, rtol=rtol, atol=1e-7, fast_mode=fast_mode)
        assert found == (right, right), (factor, rtol)


@pytest.mark.parametrize("fast_mode", [False, True])
def test_second_derivatives(fast_mode, x64):
    right = scaled(1.0)
    assert verdicts(
        *right, A, B, check=gradgradcheck, torch_check=torch.autograd.gradgradcheck, fast_mode=fast_mode
    ) == (
        True,
        True,
    )

    class Ours(Function):  # a right first derivative whose own derivative is wrong
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            x = ctx.saved_tensors[0]
            return 3 * g * x * jax.lax.stop_gradient(x)

    x = jnp.asarray(A)
    assert gradcheck(Ours.apply, x, fast_mode=fast_mode)
    with pytest.raises(GradcheckError, match="Jacobian mismatch for output 0 with respect to input 0"):
        gradgradcheck(Ours.apply, x, fast_mode=fast_mode)
    assert not gradgradcheck(Ours.apply, x, fast_mode=fast_mode, raise_exception=False)


def test_the_sentence_is_torchs(x64):
    ours, theirs = scaled(1.1, first=False)
    with pytest.raises(RuntimeError) as error:
        torch.autograd.gradcheck(theirs, torch_inputs(A, B))
    first_line = str(error.value).splitlines()[0]
    with pytest.raises(GradcheckError, match=re.escape(first_line)) as mine:
        gradcheck(ours, (jnp.asarray(A), jnp.asarray(B)))
    assert "numerical:" in str(mine.value) and "analytical:" in str(mine.value)
    with pytest.raises(GradcheckError, match="computed \nin fast mode"):
        gradcheck(ours, (jnp.asarray(A), jnp.asarray(B)), fast_mode=True)


@pytest.mark.parametrize("fast_mode", [False, True])
def test_complex(fast_mode, x64):
    z, w = jnp.asarray(Z), jnp.asarray(A)
    for fn in (lambda z: z * z, lambda z: jnp.abs(z) ** 2, lambda z: jnp.conj(z) * 2, lambda z: jnp.exp(z).real):
        assert gradcheck(fn, z, fast_mode=fast_mode)
    assert gradcheck(lambda z, w: (z * w, w * 2), (z, w), fast_mode=fast_mode)
    if not fast_mode:
        assert gradcheck(lambda z: z * z, z, check_forward_ad=True)

    class Wrong(Function):  # the gradient of the real part is right
        @staticmethod
        def forward(ctx, z):
            return z * 1.0

        @staticmethod
        def backward(ctx, g):
            return g.real + 1.1j * g.imag

    with pytest.raises(GradcheckError, match="While considering the imaginary part of complex outputs only, Jacobian"):
        gradcheck(Wrong.apply, z, fast_mode=fast_mode)


@pytest.mark.parametrize("fast_mode", [False, True])
def test_forward_mode(fast_mode, x64):
    @jax.custom_jvp
    def wrong(x):
        return jnp.sin(x)

    wrong.defjvp(lambda p, t: (jnp.sin(p[0]), 1.01 * t[0] * jnp.cos(p[0])))
    x = jnp.asarray(A)
    assert gradcheck(jnp.sin, x, check_forward_ad=True, check_batched_forward_grad=True, fast_mode=fast_mode)
    with pytest.raises(GradcheckError, match="Jacobian computed with forward mode mismatch for output 0 with respect"):
        gradcheck(wrong, x, check_forward_ad=True, check_backward_ad=False, fast_mode=fast_mode)


def test_every_extra_check_can_fail(x64):
    x = jnp.asarray(A)

    class NotLinear(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1.0

        @staticmethod
        def backward(ctx, g):
            return jnp.where(jnp.all(g == 0), 1.0, g)

    with pytest.raises(GradcheckError, match="backward not multiplied by grad_output"):
        gradcheck(NotLinear.apply, x)

    class NeedsBoth(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 1.0, x * 2.0

        @staticmethod
        def backward(ctx, g, h):
            return g + 2 * h

    with pytest.raises(GradcheckError, match="Expected backward function to handle undefined output grads"):
        gradcheck(NeedsBoth.apply, x)
    assert gradcheck(NeedsBoth.apply, x, check_undefined_grad=False)

    calls = []

    class Moody(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1.0

        @staticmethod
        def backward(ctx, g):
            calls.append(1)
            return g * (1 + 1e-9 * len(calls))

    with pytest.raises(GradcheckError, match="Backward is not reentrant"):
        gradcheck(Moody.apply, x)
    assert gradcheck(Moody.apply, x, nondet_tol=1e-6)

    class NoBatch(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1.0

        @staticmethod
        def backward(ctx, g):
            return jnp.asarray(np.asarray(g))

    assert gradcheck(NoBatch.apply, x)
    with pytest.raises(GradcheckError, match="While computing batched gradients, got"):
        gradcheck(NoBatch.apply, x, check_batched_grad=True)
    assert gradcheck(jnp.sin, x, check_batched_grad=True, check_grad_dtypes=True)


def test_arguments_act_or_raise(x64):
    x = jnp.asarray(A)
    with pytest.raises(ValueError, match="gradcheck expects at least one input tensor to require gradient"):
        gradcheck(jnp.sin, jnp.arange(3))
    with pytest.raises(ValueError, match="masked=True has no meaning"):
        gradcheck(jnp.sin, x, masked=True)
    with pytest.raises(ValueError, match="gen_non_contig_grad_outputs=True has no meaning"):
        gradgradcheck(jnp.sin, x, gen_non_contig_grad_outputs=True)
    with pytest.raises(AssertionError, match="Expected at least one of check_forward_ad or check_backward_ad"):
        gradcheck(jnp.sin, x, check_backward_ad=False)
    with pytest.raises(AssertionError, match="Setting check_batched_grad=True requires"):
        gradcheck(jnp.sin, x, check_backward_ad=False, check_forward_ad=True, check_batched_grad=True)
    with pytest.raises(AssertionError, match="requires check_rev_over_rev to be True"):
        gradgradcheck(jnp.sin, x, check_rev_over_rev=False, check_fwd_over_rev=True)
    with pytest.warns(UserWarning, match="Input #0 requires gradient and is not a double precision"):
        gradcheck(jnp.sin, x.astype(jnp.float32), eps=1e-2, atol=1e-2, rtol=1e-2)
    assert gradgradcheck(jnp.sin, x, jnp.ones_like(x), check_fwd_over_rev=True)
    assert gradcheck(lambda x, n: x[n] ** 2, (x, 1))


@pytest.mark.parametrize("fast_mode", [False, True])
def test_a_gradient_that_is_nan_is_a_mismatch(fast_mode, x64):
    """And a nan of the function where the derivative has one; torch turns its comparison so that two nan are equal."""
    a = A[:1]
    for ours, theirs in (
        (lambda x: jnp.sqrt(x - x) * x, lambda x: torch.sqrt(x - x) * x),
        (lambda x: x * jnp.nan, lambda x: x * torch.nan),
    ):
        with pytest.raises(RuntimeError) as expected:
            torch.autograd.gradcheck(theirs, torch_inputs(a), fast_mode=fast_mode)
        with pytest.raises(GradcheckError) as found:
            gradcheck(ours, jnp.asarray(a), fast_mode=fast_mode)
        assert str(found.value).split(",\n")[0] == str(expected.value).split(",\n")[0]
        assert str(found.value).startswith("Jacobian mismatch")


def test_the_default_tolerances_are_torchs(x64):
    """An error just on either side of them: rtol 1e-3 of a large derivative, atol 1e-5 of a small one."""
    borders = ((1.0, 1.0010098, True), (1.0, 1.0010102, False), (1e-4, 1.10098, True), (1e-4, 1.10102, False))
    for scale, wrong, verdict in borders:
        ours, theirs = line(Function, scale, wrong), line(torch.autograd.Function, scale, wrong)
        assert verdicts(ours, theirs, np.ones(2)) == (verdict, verdict), wrong
        second = dict(check=gradgradcheck, torch_check=torch.autograd.gradgradcheck)
        mine, torchs = verdicts(lambda x, f=ours: f(x * x), lambda x, f=theirs: f(x * x), np.ones(2), **second)
        assert mine is torchs


def line(base, scale, wrong):
    class Line(base):
        @staticmethod
        def forward(ctx, x):
            return scale * x

        @staticmethod
        def backward(ctx, g):
            return scale * wrong * g

    return Line.apply
