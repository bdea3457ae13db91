"""Which leaves an output depends on: torch's ``requires_grad``, carried through a jaxpr.

In torch every result of a differentiable operation requires grad as soon as one operand does; what ``backward``
leaves at ``.grad is None`` is what no such chain reaches. JAX has no such mark: it hands out zeros. The rules here
carry a set of leaves (the bits of an integer) from operands to results, at trace time only. A result that is not
floating point or complex ends the chain, as do ``stop_gradient`` and the predicate of a branch; a product with zero
does not. A branch or loop whose path is not known before it runs counts with everything it may touch.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from operator import or_
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Jaxpr, JaxprEqn, Literal

from jaxgrad._jaxpr.evaluate import alone
from jaxgrad._jaxpr.scan_sizes import scan_sizes

Leaves = int
"""A set of leaves: bit ``i`` stands for leaf ``i``."""


def dependence(jaxpr: Jaxpr, inputs: Sequence[Leaves]) -> list[Leaves]:
    """For each output of ``jaxpr``, the leaves that it is connected to, given those of each input."""
    known: dict[Any, Leaves] = {}

    def read(atom: Any) -> Leaves:
        return 0 if isinstance(atom, Literal) else known.get(atom, 0)

    for var, leaves in zip(jaxpr.invars, inputs, strict=True):
        known[var] = leaves if _is_differentiable(var.aval) else 0
    for eqn in jaxpr.eqns:
        operands = [read(atom) for atom in eqn.invars]
        if not any(operands):
            continue
        for var, leaves in zip(eqn.outvars, _rule(eqn)(eqn, operands), strict=True):
            known[var] = leaves if _is_differentiable(var.aval) else 0
        for atom in eqn.invars:
            if _is_reference(atom):
                known[atom] = read(atom) | union(operands)
    return [read(atom) for atom in jaxpr.outvars]


def union(sets: Sequence[Leaves]) -> Leaves:
    """The leaves that are in any of the sets."""
    return reduce(or_, sets, 0)


def _is_differentiable(aval: Any) -> bool:
    aval = getattr(aval, "inner_aval", aval)
    return hasattr(aval, "dtype") and jnp.issubdtype(aval.dtype, jnp.inexact)


def _is_reference(atom: Any) -> bool:
    return hasattr(atom.aval, "inner_aval")


def _from_all(eqn: JaxprEqn, operands: list[Leaves]) -> list[Leaves]:
    return [union(operands)] * len(eqn.outvars)


def _from_none(eqn: JaxprEqn, operands: list[Leaves]) -> list[Leaves]:
    del operands
    return [0] * len(eqn.outvars)


def _from_own(eqn: JaxprEqn, operands: list[Leaves]) -> list[Leaves]:
    return operands if len(operands) == len(eqn.outvars) else _from_all(eqn, operands)


def _from_body(eqn: JaxprEqn, operands: list[Leaves]) -> list[Leaves]:
    bodies = [_open(eqn.params[name]) for name in ("jaxpr", "call_jaxpr") if name in eqn.params]
    if len(bodies) != 1 or len(bodies[0].invars) != len(operands) or len(bodies[0].outvars) != len(eqn.outvars):
        return _from_all(eqn, operands)
    return dependence(bodies[0], operands)


def _from_branches(eqn: JaxprEqn, operands: list[Leaves]) -> list[Leaves]:
    branches = [dependence(_open(branch), operands[1:]) for branch in eqn.params["branches"]]
    return [union(outputs) for outputs in zip(*branches, strict=True)]


def _from_scan(eqn: JaxprEqn, operands: list[Leaves]) -> list[Leaves]:
    body, length = _open(eqn.params["jaxpr"]), eqn.params["length"]
    consts, n_carry = scan_sizes(eqn)
    carried = consts + n_carry
    carry, stacked = operands[consts:carried], [0] * (len(eqn.outvars) - n_carry)
    before: list[list[Leaves]] = []
    while len(before) < length and carry not in before:
        outputs = dependence(body, [*operands[:consts], *carry, *operands[carried:]])
        before.append(carry)
        carry = outputs[: len(carry)]
        stacked = [mine | more for mine, more in zip(stacked, outputs[len(carry) :], strict=True)]
    if carry in before:  # from here on the rounds repeat each other
        start = before.index(carry)
        carry = before[start + (length - start) % (len(before) - start)]
    return carry + stacked


def _from_while(eqn: JaxprEqn, operands: list[Leaves]) -> list[Leaves]:
    predicate = eqn.params["cond_nconsts"]
    consts, carry = predicate + eqn.params["body_nconsts"], operands[predicate + eqn.params["body_nconsts"] :]
    while True:
        outputs = dependence(_open(eqn.params["body_jaxpr"]), [*operands[predicate:consts], *carry])
        grown = [mine | more for mine, more in zip(carry, outputs, strict=True)]
        if grown == carry:
            return carry
        carry = grown


def _from_backward(eqn: JaxprEqn, operands: list[Leaves]) -> list[Leaves]:
    """A rule that returns None for an operand cuts it off, as in torch; looked at only where that can matter."""
    shared = [union(operands[:i] + operands[i + 1 :]) for i in range(len(operands))]
    if all(mine | others == others for mine, others in zip(operands, shared, strict=True)) or _is_alone(operands):
        return _from_all(eqn, operands)

    def grads(*values: Any) -> Any:
        outputs, pullback = jax.vjp(lambda *values: list(alone(eqn, values)), *values)
        return pullback([_ones(output) for output in outputs])

    try:
        avals: list[Any] = [atom.aval for atom in eqn.invars]
        jaxpr = jax.make_jaxpr(grads)(*[jax.ShapeDtypeStruct(aval.shape, aval.dtype) for aval in avals]).jaxpr
    except (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError):
        return _from_all(eqn, operands)  # a rule that looks at its numbers
    zeros = {
        one.outvars[0] for one in jaxpr.eqns if one.primitive.name == "broadcast_in_dim" and _is_zero(one.invars[0])
    }
    kept = [
        0 if _is_zero(grad) or (not isinstance(grad, Literal) and grad in zeros) else leaves
        for grad, leaves in zip(jaxpr.outvars, operands, strict=True)
    ]
    return _from_all(eqn, kept)


def _is_alone(operands: list[Leaves]) -> bool:
    return sum(map(bool, operands)) == 1


def _is_zero(atom: Any) -> bool:
    return isinstance(atom, Literal) and np.ndim(atom.val) == 0 and not atom.val


def _ones(output: Any) -> Any:
    return np.ones(output.shape, output.dtype if _is_differentiable(jax.typeof(output)) else jax.dtypes.float0)


def _open(jaxpr: Any) -> Jaxpr:
    return getattr(jaxpr, "jaxpr", jaxpr)


_RULES: dict[str, Callable[[JaxprEqn, list[Leaves]], list[Leaves]]] = {
    "stop_gradient": _from_none,
    "sort": _from_own,
    "optimization_barrier": _from_own,
    "psum": _from_own,
    "psum_invariant": _from_own,
    "cond": _from_branches,
    "scan": _from_scan,
    "while": _from_while,
    "jit": _from_body,
    "closed_call": _from_body,
    "core_call": _from_body,
    "remat2": _from_body,
    "shard_map": _from_body,
    "custom_vjp_call": _from_backward,
}
"""Primitives through which not every operand reaches every result; all others connect all with all.

A function with a derivative rule of its own (``custom_jvp``, ``custom_vjp``) is, like torch's ``autograd.Function``,
one operation, whatever its body does.
"""


def _rule(eqn: JaxprEqn) -> Callable[[JaxprEqn, list[Leaves]], list[Leaves]]:
    return _RULES.get(eqn.primitive.name, _from_all)
