"""What a program that was given float64 computes in less."""

from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxgrad._jaxpr.bodies import inner_jaxprs

NOTHING, SCALARS, ARRAYS = "nothing", "scalars", "arrays"
"""What is narrower than float64, from best to worst."""


def narrow_parts(jaxpr: Any) -> str:
    """What in a jaxpr, and in those inside of it, is a floating number narrower than float64.

    A program with float32 scalars alone (a learning rate, a bias correction) is off by their rounding, relative to what
    they multiply; one with float32 arrays rounds like the float32 program.

    >>> import jax
    >>> def parts(fn):
    ...     with jax.enable_x64(True):
    ...         return narrow_parts(jax.make_jaxpr(fn)(jnp.ones(3)).jaxpr)
    >>> rounded = float(np.float32(0.1))
    >>> parts(lambda x: 2 * x), parts(lambda x: rounded * x), parts(lambda x: x.astype(jnp.float32))
    ('nothing', 'scalars', 'arrays')
    """
    worst = NOTHING
    for atom in _atoms(jaxpr):
        dtype = getattr(atom.aval, "dtype", None)
        if dtype is None or not jnp.issubdtype(dtype, jnp.floating):
            continue
        if dtype.itemsize < 8 and atom.aval.size > 1:
            return ARRAYS
        if dtype.itemsize < 8 or _was_rounded(getattr(atom, "val", None)):
            worst = SCALARS
    return worst


def _atoms(jaxpr: Any) -> Iterator[Any]:
    yield from (*jaxpr.constvars, *jaxpr.invars)
    for eqn in jaxpr.eqns:
        yield from (*eqn.invars, *eqn.outvars)
        for inner in inner_jaxprs(eqn):
            yield from _atoms(inner)


def _was_rounded(literal: Any) -> bool:
    """Whether a number in the program was a float32 before: 0.10000000149, which nobody writes.

    >>> _was_rounded(np.float64(np.float32(0.1))), _was_rounded(np.float64(0.1)), _was_rounded(np.float64(0.5))
    (True, False, False)
    """
    if literal is None or np.ndim(literal):
        return False
    with np.errstate(over="ignore"):
        narrow = np.float32(literal)
    return float(narrow) == float(literal) and float(str(narrow)) != float(literal)
