"""Whether a program that was given float64 computes in float64."""

from typing import Any

import jax.numpy as jnp

from jaxgrad._jaxpr.bodies import inner_jaxprs


def is_pure(jaxpr: Any) -> bool:
    """Whether no floating number in a jaxpr, and in those inside of it, is narrower than float64.

    >>> import jax
    >>> with jax.enable_x64(True):
    ...     pure = jax.make_jaxpr(lambda x: x * 2)(1.0)
    ...     rounded = jax.make_jaxpr(lambda x: x.astype(jnp.float32) * 2)(jnp.float64(1))
    >>> is_pure(pure.jaxpr), is_pure(rounded.jaxpr)
    (True, False)
    """
    variables = [*jaxpr.constvars, *jaxpr.invars, *(v for eqn in jaxpr.eqns for v in eqn.outvars)]
    if any(_narrow(each.aval) for each in variables):
        return False
    return all(is_pure(inner) for eqn in jaxpr.eqns for inner in inner_jaxprs(eqn))


def _narrow(aval: Any) -> bool:
    dtype = getattr(aval, "dtype", None)
    return dtype is not None and jnp.issubdtype(dtype, jnp.floating) and dtype.itemsize < 8
