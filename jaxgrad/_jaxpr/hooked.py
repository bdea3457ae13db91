"""Where hooks stand in a trace: for what runs after all of them, and for those that no gradient can come to."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from jaxgrad._jaxpr.bodies import Kind, body_of, inner_jaxprs, kind_of
from jaxgrad._jaxpr.dependence import Reach, dependence
from jaxgrad._jaxpr.unstable import Jaxpr, JaxprEqn, Literal

NO_GRADIENT = "cannot register a hook on a tensor that doesn't require gradient"
"""Torch's sentence."""

_NAME = "register_hook"

F = TypeVar("F", bound=Callable[..., Any])


def hooking(fn: F) -> F:
    """Mark a function, before ``custom_vjp``, as the identity in whose derivative a hook stands.

    What the hook belongs to is its last argument.
    """
    fn.__name__ = _NAME
    return fn


def is_hook(eqn: JaxprEqn) -> bool:
    """Whether an equation is a value that goes through a hook."""
    return eqn.primitive.name == "custom_vjp_call" and body_of(eqn).jaxpr.debug_info.func_name == _NAME


def first_hooks(jaxpr: Jaxpr) -> dict[Any, JaxprEqn]:
    """From every value that has hooks to the hook that its gradient comes through last, in this jaxpr itself.

    A name that a value is given on the way is passed over: it is the same value.
    """
    found: dict[Any, JaxprEqn] = {}
    for eqn in jaxpr.eqns:
        if is_hook(eqn):
            found[eqn.outvars[0]] = hook_of(found, eqn.invars[-1]) or eqn
        elif eqn.primitive.name == "name" and hook_of(found, eqn.invars[0]) is not None:
            found[eqn.outvars[0]] = found[eqn.invars[0]]
    return found


def hook_of(hooks: dict[Any, JaxprEqn], atom: Any) -> JaxprEqn | None:
    """What ``first_hooks`` found for a value; numbers written into the program have no hooks."""
    return None if isinstance(atom, Literal) else hooks.get(atom)


def check_hooks(jaxpr: Jaxpr, inputs: Sequence[Reach]) -> None:
    """Raise where a hook is on a value that does not require grad; in branches and rules it is not looked for.

    Raises:
        RuntimeError: torch's sentence.
    """
    hooks = list(_hooks(jaxpr))
    if not hooks:
        return
    met: set[int] = set()

    def watch(eqn: JaxprEqn, operands: list[Reach]) -> None:
        if operands[-1]:
            met.add(id(eqn))

    dependence(jaxpr, inputs, watch)
    if any(id(eqn) not in met for eqn in hooks):
        raise RuntimeError(NO_GRADIENT)


def _hooks(jaxpr: Jaxpr) -> Iterator[JaxprEqn]:
    for eqn in jaxpr.eqns:
        if is_hook(eqn):
            yield eqn
        elif kind_of(eqn) not in (Kind.RULE, Kind.BRANCHES, Kind.WHILE):
            for inner in inner_jaxprs(eqn):
                yield from _hooks(inner)
