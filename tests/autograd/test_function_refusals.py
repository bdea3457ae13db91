"""What ``Function`` refuses, in torch's sentences, and what it makes of gradients that fit in another way."""

import re

import jax
import jax.numpy as jnp
import pytest
import torch

from jaxgrad.autograd import Function, once_differentiable
from tests.autograd.function_database import NumpyMul


def broken(grads, n_args=2):
    """The same wrong backward in both libraries."""

    class Torch(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *args):
            return args[0] * 2

        @staticmethod
        def backward(ctx, g):
            return grads(torch)

    class Ours(Function):
        @staticmethod
        def forward(ctx, *args):
            return args[0] * 2

        @staticmethod
        def backward(ctx, g):
            return grads(jnp)

    Torch.__name__ = Ours.__name__ = "Broken"
    Torch._backward_cls.__name__ = "BrokenBackward"
    return Torch, Ours


@pytest.mark.parametrize(
    ("grads", "args"),
    [
        (lambda lib: lib.ones(2), (0, 0)),
        (lambda lib: (lib.ones(2), lib.ones(2), lib.ones(2)), (0, 0)),
        (lambda lib: (lib.ones(2), lib.ones(2)), (0, 5)),
        (lambda lib: (lib.ones(3), None), (0, 0)),
        (lambda lib: (lib.ones(()), None), (0, 0)),
        (lambda lib: (2.0, None), (0, 0)),
    ],
)
def test_wrong_gradients_raise_torchs_sentence(grads, args):
    theirs, ours = broken(grads)
    x = torch.ones(2, requires_grad=True)
    with pytest.raises((RuntimeError, TypeError)) as error:
        theirs.apply(*(x if a == 0 else a for a in args)).sum().backward()
    sentence = str(error.value).splitlines()[0]
    with pytest.raises(RuntimeError, match=re.escape(sentence)):
        jax.grad(lambda x: ours.apply(*(x if a == 0 else a for a in args)).sum())(jnp.ones(2))


def test_gradients_are_summed_and_cast_to_their_input(x64):
    class Wide(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1.0

        @staticmethod
        def backward(ctx, g):
            return jnp.ones((4, 3, 2), jnp.float64)

    grad = jax.grad(lambda x: Wide.apply(x).sum())(jnp.ones((1, 2), jnp.float32))
    assert grad.dtype == jnp.float32
    assert grad.tolist() == [[12.0, 12.0]]


def test_refusals():
    class Dirty(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            return x

    class Saves(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(3)
            return x

    class Neither(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

    class TwoNames(Neither):
        backward = staticmethod(lambda ctx, g: g)
        vjp = staticmethod(lambda ctx, g: g)

    class Ambiguous(NumpyMul):
        generate_vmap_rule = True

    x = jnp.ones(2)
    with pytest.raises(RuntimeError, match=r"mark_dirty\(\) cannot mean anything"):
        Dirty.apply(x)
    with pytest.raises(TypeError, match="save_for_backward can only save variables, but argument 0 is of type int"):
        Saves.apply(x)
    with pytest.raises(NotImplementedError, match="You must implement either the backward or vjp method"):
        jax.grad(lambda x: Neither.apply(x).sum())(x)
    with pytest.raises(RuntimeError, match="Implementing both 'backward' and 'vjp'"):
        jax.grad(lambda x: TwoNames.apply(x).sum())(x)
    with pytest.raises(RuntimeError, match="should not be instantiated"):
        Neither()
    with pytest.raises(RuntimeError, match="both generate_vmap_rule=True and an overridden vmap"):
        Ambiguous.apply(x, x)

    class Listed(Function):
        @staticmethod
        def forward(ctx, x):
            return [x * 2]

    class Number(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2, 3

    with pytest.raises(TypeError, match=r"expected Tensor or tuple of Tensor \(got list\) for return value 0"):
        Listed.apply(x)
    assert Number.apply(x)[1] == 3
    with pytest.raises(NotImplementedError, match="You must implement the forward function"):
        Function.apply(x)


def test_once_differentiable_raises_at_the_second():
    class Once(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**2

        @staticmethod
        @once_differentiable
        def backward(ctx, g):
            return 2 * ctx.saved_tensors[0] * g

    assert float(jax.grad(Once.apply)(jnp.float32(3.0))) == 6.0
    with pytest.raises(RuntimeError, match="trying to differentiate twice a function that was marked with @once_diff"):
        jax.grad(jax.grad(Once.apply))(jnp.float32(3.0))
