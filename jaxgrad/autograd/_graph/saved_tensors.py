"""What the backward of one node keeps from the forward: the residuals of its own ``jax.vjp``.

A residual that is an operand or the result of the node is the same array that the program holds anyway; the others
are kept for the backward alone. Constants (zeros to compare with) are not counted: a compiler makes them on the spot.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._jaxpr.bodies import Kind, body_of, kind_of
from jaxgrad._jaxpr.unstable import ClosedJaxpr, Jaxpr, Literal, jaxpr_as_fun


@dataclass(frozen=True)
class SavedTensor:
    """One array that a node keeps for its backward."""

    origin: str
    """'input 0', 'result 0', or 'intermediate'."""
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def nbytes(self) -> int:
        """Its size in bytes."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def __str__(self) -> str:
        return f"{self.origin} {self.dtype.name}{list(self.shape)}"


def saved_tensors(
    eqns: Sequence[Any], inputs: Sequence[Any], outputs: Sequence[Any], differentiable: Sequence[bool], like: Jaxpr
) -> tuple[SavedTensor, ...]:
    """The residuals of a stretch of a jaxpr, differentiated by some of its inputs.

    Args:
        eqns: the equations.
        inputs: variables from outside that they read.
        outputs: variables that are read outside.
        differentiable: which inputs are differentiated.
        like: the jaxpr that the equations are part of.
    """
    debug = like.debug_info._replace(arg_names=("",) * len(inputs), result_paths=("",) * len(outputs))
    part = like.replace(constvars=[], invars=list(inputs), outvars=list(outputs), eqns=list(eqns), debug_info=debug)
    fn = jaxpr_as_fun(ClosedJaxpr(part, ()))
    kept = [i for i, out in enumerate(outputs) if jnp.issubdtype(out.aval.dtype, jnp.inexact)]

    def residuals(*arguments: Any) -> tuple[list[Any], list[Any]]:
        def of(*chosen: Any) -> list[Any]:
            rest = iter(chosen)
            results = fn(*(next(rest) if d else a for a, d in zip(arguments, differentiable, strict=True)))
            return [results[i] for i in kept]

        out, pull = jax.vjp(of, *(a for a, d in zip(arguments, differentiable, strict=True) if d))
        return out, jax.tree.leaves(pull)

    avals = [jax.ShapeDtypeStruct(each.aval.shape, each.aval.dtype) for each in inputs]
    traced = jax.make_jaxpr(residuals)(*avals).jaxpr
    results, found = traced.outvars[: len(kept)], traced.outvars[len(kept) :]
    computed = _computed(traced, traced.invars)
    names = {var: f"result {i}" for i, var in enumerate(results) if not isinstance(var, Literal)}
    names |= {var: f"input {i}" for i, var in enumerate(traced.invars)}
    unique = dict.fromkeys(each for each in found if not isinstance(each, Literal) and each in computed)
    return tuple(SavedTensor(names.get(each, "intermediate"), each.aval.shape, each.aval.dtype) for each in unique)


def _computed(jaxpr: Jaxpr, inputs: Sequence[Any]) -> set[Any]:
    """The variables of a jaxpr that depend on ``inputs``; all others are constants."""
    found = set(inputs)
    for eqn in jaxpr.eqns:
        given = [not isinstance(atom, Literal) and atom in found for atom in eqn.invars]
        if kind_of(eqn) is Kind.CALL:
            body = body_of(eqn).jaxpr
            inside = _computed(body, [var for var, each in zip(body.invars, given, strict=True) if each])
            depends = [not isinstance(atom, Literal) and atom in inside for atom in body.outvars]
        else:
            depends = [any(given)] * len(eqn.outvars)
        found.update(var for var, each in zip(eqn.outvars, depends, strict=True) if each)
    return found
