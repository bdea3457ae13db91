"""A jaxpr evaluated again with something changed on the way, also inside loops, branches and jitted functions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import jax

from jaxgrad._core.types import PyTree
from jaxgrad._jaxpr.bodies import Body, Kind, body_of, branches_of, kind_of, scan_parts, test_of, while_parts
from jaxgrad._jaxpr.unstable import ClosedJaxpr, DebugInfo, Jaxpr, JaxprEqn, Literal, jaxpr_as_fun


@dataclass(frozen=True)
class Into:
    """What a visit returns to have the functions that an equation calls visited, with this much of ``extra``."""

    extra: PyTree = None


Visit: TypeAlias = Callable[[JaxprEqn, list[Any], PyTree], Sequence[Any] | Into]
"""``visit(equation, operands, extra)``: the results, or ``Into``."""

ENTERED = frozenset({Kind.CALL, Kind.REMAT, Kind.BRANCHES, Kind.SCAN, Kind.WHILE})
"""What ``Into`` can be returned for. A function with a derivative rule of its own is one operation."""


def evaluate(jaxpr: Jaxpr, consts: Sequence[Any], args: Sequence[Any], visit: Visit, extra: PyTree = None) -> list[Any]:
    """The outputs of ``jaxpr`` when every equation is done by ``visit``.

    Args:
        jaxpr: what to evaluate.
        consts: values of its constants.
        args: values of its inputs.
        visit: does one equation (``alone`` does it as it stands), or returns ``Into`` to have it taken apart.
        extra: a tree handed to every visit; the body of a scan sees one slice of each of its arrays a round, that of a
            while the whole.
    """
    env: dict[Any, Any] = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *args], strict=True))

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, Literal) else env[atom]

    for eqn in jaxpr.eqns:
        operands = [read(atom) for atom in eqn.invars]
        results = visit(eqn, operands, extra)
        if isinstance(results, Into):
            results = _apart(eqn, operands, visit, results.extra)
        env.update(zip(eqn.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def alone(eqn: JaxprEqn, operands: Sequence[Any]) -> Sequence[Any]:
    """One equation evaluated as it stands, its scopes and source lines included."""
    given = {atom: value for atom, value in zip(eqn.invars, operands, strict=True) if not isinstance(atom, Literal)}
    info = DebugInfo("evaluate", eqn.primitive.name, None, None)
    single = Jaxpr([], list(given), eqn.outvars, [eqn], eqn.effects, info)
    results: Sequence[Any] = jaxpr_as_fun(ClosedJaxpr(single, []))(*given.values())
    return results


def as_traced(atoms: Sequence[Any], values: Sequence[Any]) -> list[Any]:
    """Values in the dtypes that they had when the jaxpr was made, where a visit has given them others.

    What runs round and round, or is one of several, has to end in the dtypes that it began with.
    """
    pairs = zip(atoms, values, strict=True)
    return [v if v is None or v.dtype == a.aval.dtype else v.astype(a.aval.dtype) for a, v in pairs]


def _apart(eqn: JaxprEqn, operands: list[Any], visit: Visit, extra: PyTree) -> Sequence[Any]:
    def run(body: Body, operands: Sequence[Any], extra: PyTree = extra) -> list[Any]:
        results = evaluate(body.jaxpr, body.consts, operands, visit, extra)
        return results if polymorphic else as_traced(body.jaxpr.outvars, results)

    kind = kind_of(eqn)
    polymorphic = kind in (Kind.CALL, Kind.REMAT)
    if not polymorphic:
        operands = as_traced(eqn.invars, operands)
    if kind is Kind.BRANCHES:
        branches = [lambda *given, branch=branch: run(branch, *given) for branch in branches_of(eqn)]
        chosen: list[Any] = jax.lax.switch(operands[0], branches, operands[1:], extra)
        return chosen
    if kind is Kind.WHILE:
        of_test, of_body, start = while_parts(eqn, operands)
        test, body = test_of(eqn), body_of(eqn)
        end: list[Any] = jax.lax.while_loop(
            lambda carry: run(test, [*of_test, *carry])[0], lambda carry: run(body, [*of_body, *carry]), start
        )
        return end
    if kind is Kind.SCAN:
        return _scan(eqn, operands, run, extra)
    if kind is Kind.REMAT:
        options = {name: eqn.params[name] for name in ("prevent_cse", "policy")}
        again: list[Any] = jax.checkpoint(lambda *given: run(body_of(eqn), *given), **options)(operands, extra)
        return again
    return run(body_of(eqn), operands)


def _scan(eqn: JaxprEqn, operands: list[Any], run: Callable[..., list[Any]], extra: PyTree) -> list[Any]:
    consts, start, xs = scan_parts(eqn, operands)
    options = {name: eqn.params[name] for name in ("length", "reverse", "unroll")}

    def one_round(carry: list[Any], row: tuple[list[Any], PyTree]) -> tuple[list[Any], list[Any]]:
        rows, here = row
        results = run(body_of(eqn), [*consts, *carry, *rows], here)
        return results[: len(start)], results[len(start) :]

    carry, stacked = jax.lax.scan(one_round, start, (xs, extra), **options)
    return [*carry, *stacked]
