"""A primitive that is linear in each of two arrays, with a program of its own on CPUs.

JAX has decorators for derivatives and for programs by platform, but none for an operation that has both and must go
through every transformation, forwards and backwards, of any order.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

Program = Callable[..., Any]


def bilinear(
    name: str,
    shape: Callable[..., tuple[int, ...]],
    program: Program,
    on_cpu: Program,
    transposes: tuple[Program, Program],
    batched: Program,
) -> Program:
    """A function ``(a, b, **fixed)`` of two arrays of one dtype.

    Args:
        name: in a jaxpr.
        shape: ``(a, b, **fixed)``, of which it reads the shapes, to the output's shape.
        program: what it computes.
        on_cpu: what it computes on CPUs.
        transposes: ``(cotangent, b, **fixed)`` to a's cotangent, ``(cotangent, a, **fixed)`` to b's.
        batched: ``((a, b), axes, **fixed)`` to the output with its batch first.

    >>> import jax.numpy as jnp
    >>> times = lambda a, b: a * b
    >>> batch = lambda arrays, axes: jax.vmap(times, axes)(*arrays)
    >>> product = bilinear("product", lambda a, b: a.shape, times, times, (times, times), batch)
    >>> jax.grad(product)(jnp.float32(3.0), jnp.float32(5.0)).item()
    5.0
    """
    primitive = Primitive(name)

    def bind(a: Any, b: Any, **fixed: Any) -> Any:
        return primitive.bind(a, b, **fixed)

    def run(a: Any, b: Any, **fixed: Any) -> Any:
        return compiled(a, b, tuple(sorted(fixed.items())))

    compiled = jax.jit(lambda a, b, fixed: bind(a, b, **dict(fixed)), static_argnums=2)
    first, second = transposes
    primitive.def_impl(run)
    primitive.def_abstract_eval(lambda a, b, **fixed: jax.core.ShapedArray(shape(a, b, **fixed), a.dtype))
    ad.defbilinear(
        primitive,
        lambda ct, a, b, **fixed: first(ct, b, **fixed),
        lambda ct, a, b, **fixed: second(ct, a, **fixed),
    )
    batching.primitive_batchers[primitive] = lambda args, dims, **fixed: (batched(args, dims, **fixed), 0)
    lower = partial(mlir.lower_fun, multiple_results=False)
    mlir.register_lowering(primitive, lower(program))
    mlir.register_lowering(primitive, lower(on_cpu), platform="cpu")
    return bind
