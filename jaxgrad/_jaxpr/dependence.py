"""What stands behind a value: torch's ``requires_grad``, and where its gradient leads, carried through a jaxpr.

In torch every result of a differentiable operation requires grad as soon as one operand does; what ``backward``
leaves at ``.grad is None`` is what no defined gradient arrives at. JAX has no such mark: it hands out zeros. The rules
here carry sets of leaves from operands to results, at trace time only. A result that is not floating point or complex
ends the chain, as do ``stop_gradient`` and the predicate of a branch; a product with zero does not. A branch or loop
whose path is not known before it runs counts with everything it may touch.

The sets differ where a rule of somebody's own returns None: the result requires grad, and no gradient arrives. A None
goes on through operations as None; an ``autograd.Function`` makes zeros of it, as torch's do, and its rule makes
gradients of these.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from typing import Any

import jax.numpy as jnp

from jaxgrad._jaxpr.bodies import Kind, body_of, branches_of, kind_of, scan_parts, while_parts
from jaxgrad._jaxpr.rules import gradients_of_rule, makes_zeros
from jaxgrad._jaxpr.unstable import HI_CALL, Jaxpr, JaxprEqn, Literal

Leaves = int
"""A set of leaves: bit ``i`` stands for leaf ``i``."""


@dataclass(frozen=True)
class Reach:
    """The leaves behind a value; false where there are none.

    >>> Reach.leaf(0) | Reach.leaf(2)
    Reach(requires=5, defined=5, of_none=0)
    """

    requires: Leaves = 0
    """Those on account of which it requires grad."""
    defined: Leaves = 0
    """Those at which a gradient arrives when it has one; fewer where a rule returned None."""
    of_none: Leaves = 0
    """Those at which one arrives all the same when its own is None."""

    @classmethod
    def leaf(cls, i: int) -> "Reach":
        """What stands behind leaf ``i``: itself."""
        return cls(1 << i, 1 << i)

    def __or__(self, other: "Reach") -> "Reach":
        return Reach(self.requires | other.requires, self.defined | other.defined, self.of_none | other.of_none)

    def __bool__(self) -> bool:
        return bool(self.requires)

    def without_gradient(self) -> "Reach":
        """What is left where the gradient is None."""
        return Reach(self.requires, self.of_none, self.of_none)


NOTHING = Reach()

Watch = Callable[[JaxprEqn, list[Reach]], None]
"""``watch(equation, what stands behind its operands)``."""


def dependence(jaxpr: Jaxpr, inputs: Sequence[Reach], watch: Watch | None = None) -> list[Reach]:
    """For each output of ``jaxpr`` what stands behind it, given that of each input.

    Args:
        jaxpr: what to read.
        inputs: what stands behind each of its inputs.
        watch: is shown every equation that anything stands behind, those inside calls, branches and loops included
            (a loop's several times).
    """
    return _Reading(watch).through(jaxpr, inputs)


def union(reaches: Iterable[Reach]) -> Reach:
    """What stands behind any of them."""
    return reduce(or_, reaches, NOTHING)


@dataclass(frozen=True)
class _Reading:
    watch: Watch | None

    def through(self, jaxpr: Jaxpr, inputs: Sequence[Reach]) -> list[Reach]:
        known: dict[Any, Reach] = {}

        def read(atom: Any) -> Reach:
            return NOTHING if isinstance(atom, Literal) else known.get(atom, NOTHING)

        for var, reach in zip(jaxpr.invars, inputs, strict=True):
            known[var] = reach if _is_differentiable(var.aval) else NOTHING
        for eqn in jaxpr.eqns:
            operands = [read(atom) for atom in eqn.invars]
            if not any(operands):
                continue
            if self.watch is not None:
                self.watch(eqn, operands)
            for var, reach in zip(eqn.outvars, self._results(eqn, operands), strict=True):
                known[var] = reach if _is_differentiable(var.aval) else NOTHING
            for atom in eqn.invars:
                if _is_reference(atom):
                    known[atom] = read(atom) | union(operands)
        return [read(atom) for atom in jaxpr.outvars]

    def _results(self, eqn: JaxprEqn, operands: list[Reach]) -> list[Reach]:
        """A function with a derivative rule of its own is one operation, whatever its body does, as in torch."""
        kind = kind_of(eqn)
        if kind in (Kind.CALL, Kind.REMAT, Kind.SHARDED):
            return self.through(body_of(eqn).jaxpr, operands)
        if kind is Kind.BRANCHES:
            branches = [self.through(branch.jaxpr, operands[1:]) for branch in branches_of(eqn)]
            return [union(outputs) for outputs in zip(*branches, strict=True)]
        if kind is Kind.SCAN:
            return self._scan(eqn, operands)
        if kind is Kind.WHILE:
            return self._while(eqn, operands)
        if eqn.primitive.name in ("custom_vjp_call", HI_CALL):
            return _from_rule(eqn, operands)
        if eqn.primitive.name == "stop_gradient":
            return [NOTHING] * len(eqn.outvars)
        if eqn.primitive.name in _SIDE_BY_SIDE and len(operands) == len(eqn.outvars):
            return operands
        return [union(operands)] * len(eqn.outvars)

    def _scan(self, eqn: JaxprEqn, operands: list[Reach]) -> list[Reach]:
        body, length = body_of(eqn).jaxpr, eqn.params["length"]
        consts, carry, xs = scan_parts(eqn, operands)
        stacked = [NOTHING] * (len(eqn.outvars) - len(carry))
        before: list[list[Reach]] = []
        while len(before) < length and carry not in before:
            outputs = self.through(body, [*consts, *carry, *xs])
            before.append(carry)
            carry = outputs[: len(carry)]
            stacked = [mine | more for mine, more in zip(stacked, outputs[len(carry) :], strict=True)]
        if carry in before:  # from here on the rounds repeat each other
            start = before.index(carry)
            carry = before[start + (length - start) % (len(before) - start)]
        return carry + stacked

    def _while(self, eqn: JaxprEqn, operands: list[Reach]) -> list[Reach]:
        _, consts, carry = while_parts(eqn, operands)
        while True:
            outputs = self.through(body_of(eqn).jaxpr, [*consts, *carry])
            grown = [mine | more for mine, more in zip(carry, outputs, strict=True)]
            if grown == carry:
                return carry
            carry = grown


_SIDE_BY_SIDE = frozenset({"sort", "optimization_barrier", "psum", "psum_invariant"})
"""Primitives that take each operand to the result beside it; all others connect all with all."""


def _from_rule(eqn: JaxprEqn, operands: list[Reach]) -> list[Reach]:
    """A rule that returns None for an operand cuts it off, as in torch."""
    results = []
    for gradients in gradients_of_rule(eqn, [bool(reach) for reach in operands]):
        pairs = zip(operands, gradients, strict=True)
        found = union(reach if defined else reach.without_gradient() for reach, defined in pairs)
        results.append(replace(found, of_none=found.defined) if makes_zeros(eqn) else found)
    return results


def _is_differentiable(aval: Any) -> bool:
    aval = getattr(aval, "inner_aval", aval)
    return hasattr(aval, "dtype") and jnp.issubdtype(aval.dtype, jnp.inexact)


def _is_reference(atom: Any) -> bool:
    return hasattr(atom.aval, "inner_aval")
