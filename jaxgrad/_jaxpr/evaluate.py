"""A jaxpr evaluated again with something changed on the way, also inside loops, branches and jitted functions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import jax
from jax.extend.core import ClosedJaxpr, DebugInfo, Jaxpr, JaxprEqn, Literal, jaxpr_as_fun

from jaxgrad._core.types import PyTree
from jaxgrad._jaxpr.scan_sizes import scan_sizes


@dataclass(frozen=True)
class Into:
    """What a visit returns to have the functions that an equation calls visited, with this much of ``extra``."""

    extra: PyTree = None


Visit: TypeAlias = Callable[[JaxprEqn, list[Any], PyTree], Sequence[Any] | Into]
"""``visit(equation, operands, extra)``: the results, or ``Into``."""


def evaluate(jaxpr: Jaxpr, consts: Sequence[Any], args: Sequence[Any], visit: Visit, extra: PyTree = None) -> list[Any]:
    """The outputs of ``jaxpr`` when every equation is done by ``visit``.

    Args:
        jaxpr: what to evaluate.
        consts: values of its constants.
        args: values of its inputs.
        visit: does one equation (``alone`` does it as it stands), or returns ``Into`` to have it taken apart.
        extra: a tree handed to every visit; the body of a loop sees one slice of each of its arrays a round.
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
    return jaxpr_as_fun(ClosedJaxpr(single, []))(*given.values())


def bodies(eqn: JaxprEqn) -> list[Jaxpr]:
    """The functions that an equation calls and that ``evaluate`` can go into.

    Not those with a derivative rule of their own, which are one operation, nor a ``while`` loop.
    """
    if eqn.primitive.name == "cond":
        return [branch.jaxpr for branch in eqn.params["branches"]]
    if eqn.primitive.name in ("jit", "remat2", "closed_call", "core_call", "scan"):
        return [_closed(eqn)[0]]
    return []


def _closed(eqn: JaxprEqn) -> tuple[Jaxpr, Sequence[Any]]:
    body: Any = eqn.params.get("jaxpr", eqn.params.get("call_jaxpr"))
    return getattr(body, "jaxpr", body), getattr(body, "consts", ())


def _apart(eqn: JaxprEqn, operands: list[Any], visit: Visit, extra: PyTree) -> Sequence[Any]:
    kind, params = eqn.primitive.name, eqn.params
    if kind == "cond":
        branches = [
            lambda operands, extra, branch=branch: evaluate(branch.jaxpr, branch.consts, operands, visit, extra)
            for branch in params["branches"]
        ]
        return jax.lax.switch(operands[0], branches, operands[1:], extra)
    body, consts = _closed(eqn)
    if kind == "scan":
        return _scan(eqn, body, consts, operands, visit, extra)

    def run(operands: list[Any], extra: PyTree) -> list[Any]:
        return evaluate(body, consts, operands, visit, extra)

    if kind == "remat2":
        run = jax.checkpoint(run, prevent_cse=params["prevent_cse"], policy=params["policy"])
    return run(operands, extra)


def _scan(
    eqn: JaxprEqn, body: Jaxpr, consts: Sequence[Any], operands: list[Any], visit: Visit, extra: PyTree
) -> list[Any]:
    params = eqn.params
    n, n_carry = scan_sizes(eqn)
    m = n + n_carry

    def one_round(carry: list[Any], row: tuple[list[Any], PyTree]) -> tuple[list[Any], list[Any]]:
        rows, here = row
        results = evaluate(body, consts, [*operands[:n], *carry, *rows], visit, here)
        return results[: m - n], results[m - n :]

    carry, stacked = jax.lax.scan(
        one_round,
        operands[n:m],
        (operands[m:], extra),
        length=params["length"],
        reverse=params["reverse"],
        unroll=params["unroll"],
    )
    return [*carry, *stacked]
