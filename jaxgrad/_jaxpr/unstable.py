"""What JAX has and does not promise to keep, under names of our own; no other file imports it.

``jax.extend``, ``jax.interpreters`` and ``jax.experimental`` may change with any release. When one does, this file and
its neighbours are what has to be looked at. (``experimental.py`` holds what takes long to import.)
"""

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax._src.core import is_concrete as is_concrete
from jax.experimental import hijax
from jax.experimental.hijax import instantiate_zeros as instantiate_zeros
from jax.extend.core import ClosedJaxpr as ClosedJaxpr
from jax.extend.core import DebugInfo as DebugInfo
from jax.extend.core import Jaxpr as Jaxpr
from jax.extend.core import JaxprEqn as JaxprEqn
from jax.extend.core import Literal as Literal
from jax.extend.core import jaxpr_as_fun as jaxpr_as_fun
from jax.interpreters import ad, partial_eval

HiPrimitive: Any = getattr(hijax, "HiPrim", None) or getattr(hijax, "VJPHiPrimitive")  # noqa: B009  # before jax 0.11
"""Base of a primitive that answers every transformation itself."""

HI_CALL = "call_hi_primitive"
"""The name under which a call of such a primitive stands in a jaxpr."""

Zero = ad.Zero
"""A symbolic zero: a cotangent or tangent that is known to be nothing."""


def no_cotangent(shape: tuple[int, ...], dtype: np.dtype) -> Zero:
    """The symbolic zero that belongs to an output of this shape and dtype.

    >>> no_cotangent((2,), np.dtype("float32"))
    Zero(float32[2])
    """
    tangent = dtype if jnp.issubdtype(dtype, jnp.inexact) else jax.dtypes.float0
    return Zero(jax.core.ShapedArray(shape, tangent))


def linear_program(pullback: Any) -> Jaxpr:
    """The jaxpr of what ``jax.vjp`` returned: tangents of its inputs to tangents of its outputs."""
    program: Jaxpr = pullback.fun.args[2]
    return program


def without_outputs(pullback: Any, used: Sequence[bool]) -> Any:
    """What ``jax.vjp`` returned, with the outputs that are not ``used`` taken out, saved tensors untouched.

    A cotangent of zeros is no substitute: it is pulled back like any other, and 0 * inf is nan. A symbolic zero is,
    where the linear program holds nothing that leads to the output alone (a ``scan`` does not take one for its stacked
    outputs), and so that is removed first.
    """
    if all(used):
        return pullback
    spec, known, linear, avals = pullback.fun.args
    wanted = [use for use, is_known in zip(used, known, strict=True) if not is_known]
    reduced, _ = partial_eval.dce_jaxpr(linear, wanted, True)
    dropped = [is_known or not use for use, is_known in zip(used, known, strict=True)]
    return dataclasses.replace(pullback, fun=partial(pullback.fun.func, spec, dropped, reduced, avals))
