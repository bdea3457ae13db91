"""A value that a compiled program has in memory, once, whoever reads it.

XLA puts element by element what is computed element by element, and on CPUs it does so anew for every reader: a sum of
residuals that three sums of a norm read is computed three times, and with it every norm that it consists of. Programs
grow with the square of the number of layers, and the time to compile them, too. A call that is not inlined is where
this ends (``optimization_barrier`` is dropped before it could). On other devices, and in programs for several of them,
nothing is done.
"""

from typing import Any

import jax
from jax.experimental.xla_metadata import set_xla_metadata
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from jaxgrad._core.types import Array

_primitive = Primitive("in_memory")


def in_memory(x: Array) -> Array:
    """The same array; in a program for a CPU it is not computed together with what reads it, nor is its cotangent.

    >>> import jax.numpy as jnp
    >>> jax.grad(lambda x: in_memory(x) ** 2)(jnp.float32(3.0)).item()
    6.0
    """
    if jax.sharding.get_abstract_mesh().manual_axes:  # inside shard_map, which knows JAX's primitives only
        return x
    out: Array = _primitive.bind(x)
    return out


@jax.jit
def _same(x: Array) -> Array:
    return x


def _not_inlined(x: Array) -> Array:
    with set_xla_metadata(inlineable="false"):
        return _same(x)


def _on_cpu(ctx: Any, x: Any) -> Any:
    alone = getattr(ctx.module_context.axis_context, "num_devices", None) == 1
    return mlir.lower_fun(_not_inlined if alone else _same, multiple_results=False)(ctx, x)


_primitive.def_impl(lambda x: x)
_primitive.def_abstract_eval(lambda x: x)
ad.deflinear2(_primitive, lambda cotangent, x: [in_memory(cotangent)])
batching.primitive_batchers[_primitive] = lambda args, dims: (in_memory(*args), dims[0])
mlir.register_lowering(_primitive, lambda ctx, x: [x])
mlir.register_lowering(_primitive, _on_cpu, platform="cpu")
