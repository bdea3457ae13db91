"""Primitives that carry a jaxpr: the one table of where it is and what it means.

Whoever reads a trace meets calls, loops and branches, and each reader goes into some of them. Which primitive is which,
under what name it keeps its function, and how its operands divide is said here once.
"""

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any, NamedTuple

import jax

from jaxgrad._jaxpr.unstable import Jaxpr, JaxprEqn


class Kind(Enum):
    """What a primitive does with the function that it carries."""

    CALL = "computes it, operands in and results out"
    REMAT = "computes it, and once more in the backward"
    RULE = "computes it, and has a derivative of its own"
    SHARDED = "computes it on every device"
    BRANCHES = "computes one of several"
    SCAN = "computes it once a round"
    WHILE = "computes it until a test fails"


_CARRIERS: dict[str, tuple[Kind, str]] = {
    "jit": (Kind.CALL, "jaxpr"),
    "closed_call": (Kind.CALL, "call_jaxpr"),
    "core_call": (Kind.CALL, "call_jaxpr"),
    "composite": (Kind.CALL, "jaxpr"),
    "custom_vmap_call": (Kind.CALL, "call"),
    "remat2": (Kind.REMAT, "jaxpr"),
    "checkpoint": (Kind.REMAT, "jaxpr"),
    "custom_jvp_call": (Kind.RULE, "call_jaxpr"),
    "custom_vjp_call": (Kind.RULE, "call_jaxpr"),
    "shard_map": (Kind.SHARDED, "jaxpr"),
    "cond": (Kind.BRANCHES, "branches"),
    "scan": (Kind.SCAN, "jaxpr"),
    "while": (Kind.WHILE, "body_jaxpr"),
}


class Body(NamedTuple):
    """A jaxpr and the values of its constants."""

    jaxpr: Jaxpr
    consts: Sequence[Any]


def kind_of(eqn: JaxprEqn) -> Kind | None:
    """What an equation does with the function that it carries; None where it carries none of the known kinds.

    >>> import jax
    >>> [kind_of(eqn).name for eqn in jax.make_jaxpr(jax.jit(lambda x: x + 1))(1.0).eqns]
    ['CALL']
    """
    return _CARRIERS[eqn.primitive.name][0] if eqn.primitive.name in _CARRIERS else None


def body_of(eqn: JaxprEqn) -> Body:
    """The function of a primitive of a known kind that carries one (of a ``while`` that of a round)."""
    return opened(eqn.params[_CARRIERS[eqn.primitive.name][1]])


def branches_of(eqn: JaxprEqn) -> list[Body]:
    """The functions among which a ``cond`` or ``switch`` chooses."""
    return [opened(branch) for branch in eqn.params["branches"]]


def test_of(eqn: JaxprEqn) -> Body:
    """The test of a ``while``."""
    return opened(eqn.params["cond_jaxpr"])


def opened(body: Any) -> Body:
    """A jaxpr with or without its constants as a jaxpr and its constants."""
    return Body(body.jaxpr, body.consts) if hasattr(body, "consts") else Body(body, ())


def inner_jaxprs(eqn: JaxprEqn) -> Iterator[Jaxpr]:
    """Every jaxpr among the parameters of an equation, of a known kind or not."""
    for value in jax.tree.leaves(list(eqn.params.values()), is_leaf=_is_jaxpr):
        if _is_jaxpr(value):
            yield opened(value).jaxpr


def _is_jaxpr(value: Any) -> bool:
    return hasattr(value, "eqns") or hasattr(getattr(value, "jaxpr", None), "eqns")


def scan_parts(eqn: JaxprEqn, operands: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any]]:
    """The operands of a scan as its constants, its carry, and what it runs over.

    >>> import jax
    >>> scan = lambda a, x: jax.lax.scan(lambda carry, x: (carry + a * x, x), 0.0, x)
    >>> eqn = jax.make_jaxpr(scan)(1.0, jax.numpy.ones(3)).eqns[-1]
    >>> scan_parts(eqn, ["a", "carry", "x"])
    (['a'], ['carry'], ['x'])
    """
    params = eqn.params
    if "num_carry" in params:
        n_consts, n_carry = params["num_consts"], params["num_carry"]
    else:  # jax 0.11
        consts, carry, _ = params["ft_in"].update(range(len(eqn.invars))).unpack()
        n_consts, n_carry = len(list(consts)), len(list(carry))
    end = n_consts + n_carry
    return list(operands[:n_consts]), list(operands[n_consts:end]), list(operands[end:])


def while_parts(eqn: JaxprEqn, operands: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any]]:
    """The operands of a while as the constants of its test, those of its body, and its carry."""
    n_test, n_body = eqn.params["cond_nconsts"], eqn.params["body_nconsts"]
    end = n_test + n_body
    return list(operands[:n_test]), list(operands[n_test:end]), list(operands[end:])
