"""Functions of one array, element by element, whose derivative is written down beside them.

torch has a table: a kernel for the value and a formula for the gradient. The derivative at a kink, at infinity or at
nan is what that formula says, and not what follows from the operations of the value.
"""

import inspect
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeAlias

import jax
import jax.numpy as jnp

from jaxgrad._core.dtype_names import torch_name
from jaxgrad._core.errors import explain
from jaxgrad._core.types import Array

P = ParamSpec("P")

OfArray: TypeAlias = Callable[Concatenate[Array, P], Array]

Rule: TypeAlias = Callable[..., Array]
"""``rule(gradient, x, *constants)``: what the gradient becomes; linear in it, element by element."""


def elementwise(
    rule: Rule,
) -> Callable[[Callable[Concatenate[Array, P], Array]], Callable[Concatenate[Array, P], Array]]:
    """Give ``fn(x, *constants)`` the derivative that ``rule(gradient, x, *constants)`` states.

    16-bit numbers are computed in float32 and rounded once, the gradient too, as torch's kernels do. The rule is
    differentiated for higher derivatives. Constants are Python numbers.

    >>> @elementwise(lambda g, x: jnp.where(x <= 0, 0, g))
    ... def relu(x):
    ...     return jnp.maximum(x, 0)
    >>> jax.grad(relu)(0.0).item()
    0.0
    """

    def decorate(fn: OfArray[P]) -> OfArray[P]:
        constants = tuple(range(1, len(inspect.signature(fn).parameters)))
        core = jax.custom_jvp(fn, nondiff_argnums=constants)

        def jvp(*arguments: Any) -> tuple[Array, Array]:
            *given, (x,), (t,) = arguments
            return core(x, *given), rule(t, x, *given)

        core.defjvp(jvp)

        def call(x: Array, /, *args: P.args, **kwargs: P.kwargs) -> Array:
            if x.dtype in (jnp.float16, jnp.bfloat16):
                return core(x.astype(jnp.float32), *args, **kwargs).astype(x.dtype)
            return core(x, *args, **kwargs)

        return call

    return decorate


def check_kernel(kernel: str, x: Array, *kinds: Any) -> None:
    """Raise torch's error for a dtype that its kernel does not take.

    Args:
        kernel: torch's name for it.
        x: the array it is called with.
        kinds: what it takes; floating point if nothing is named.

    Raises:
        NotImplementedError: ``"elu_cpu" not implemented for 'Long'``.

    >>> check_kernel("elu_cpu", jnp.zeros(2, int))
    Traceback (most recent call last):
        ...
    NotImplementedError: "elu_cpu" not implemented for 'Int'
      got:      int32
      expected: floating
    """
    kinds = kinds or (jnp.floating,)
    if not any(jnp.issubdtype(x.dtype, kind) for kind in kinds):
        raise NotImplementedError(
            explain(
                f"\"{kernel}\" not implemented for '{torch_name(x.dtype)}'",
                got=x.dtype,
                expected=" or ".join(kind.__name__ for kind in kinds),
            )
        )
