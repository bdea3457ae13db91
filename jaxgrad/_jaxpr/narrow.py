"""The pull-back of some of the outputs of a ``jax.vjp``: what leads to the others alone is not visited."""

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import Any

from jax.interpreters import partial_eval as pe


def narrowed(pullback: Any, used: Sequence[bool]) -> Any:
    """``pullback`` with the outputs that are not ``used`` taken out, saved tensors untouched.

    A cotangent of zeros is no substitute: it is pulled back like any other, and 0 * inf is nan. A symbolic zero
    (``jax.interpreters.ad.Zero``) is, where the linear program holds nothing that leads to the output alone (a
    ``scan`` does not take one for its stacked outputs), and so that is removed first. JAX has no public way to this
    program; the parts of what ``jax.vjp`` returns are named here and nowhere else.
    """
    if all(used):
        return pullback
    spec, known, linear, avals = pullback.fun.args
    wanted = [use for use, is_known in zip(used, known, strict=True) if not is_known]
    reduced, _ = pe.dce_jaxpr(linear, wanted, True)
    dropped = [is_known or not use for use, is_known in zip(used, known, strict=True)]
    return dataclasses.replace(pullback, fun=partial(pullback.fun.func, spec, dropped, reduced, avals))
