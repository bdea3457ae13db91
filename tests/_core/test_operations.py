"""A mark is metadata: it names the equations and changes nothing else."""

import inspect

import jax
import jax.numpy as jnp
import pytest

from jaxgrad._core.operations import is_grad_fn, operation


def scale(x: jax.Array, factor: float = 2.0) -> jax.Array:
    """Times a factor."""
    return jnp.sin(x) * factor


marked = operation("ScaleBackward0")(scale)


def test_the_program_is_the_same():
    x = jnp.ones(3)

    def text(fn):
        def program(x):
            return jax.grad(lambda x: fn(x, 3.0).sum())(x)

        return jax.jit(program).lower(x).as_text()

    assert text(marked) == text(scale)
    names = {str(eqn.source_info.name_stack) for eqn in jax.make_jaxpr(marked)(x).eqns}
    assert names == {"ScaleBackward0"}


def test_the_function_looks_the_same():
    assert inspect.signature(marked) == inspect.signature(scale)
    assert (marked.__doc__, marked.__name__, marked.__module__) == (scale.__doc__, "scale", __name__)
    assert inspect.isfunction(marked) and marked.__globals__ is globals()  # so doctest collects it
    assert float(marked(jnp.float32(0.0), factor=1.0)) == 0.0


def test_only_names_of_grad_fns_are_marks():
    assert is_grad_fn("BinaryCrossEntropyWithLogitsBackward0") and is_grad_fn("MyFunctionBackward")
    assert not is_grad_fn("encoder") and not is_grad_fn("transpose(jvp(ReluBackward0))")
    with pytest.raises(ValueError, match="a grad_fn is called like"):
        operation("relu")
