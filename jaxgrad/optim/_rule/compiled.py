"""One program for closures that do the same on other numbers.

A closure is often made anew for each batch, and to JAX another function is another program. What a closure does is its
jaxpr; two that are equal but for the arrays they captured share one compiled descent, which takes those as arguments.
"""

import functools
from collections.abc import Callable, Hashable
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, Var, jaxpr_as_fun

from jaxgrad._core.errors import is_traced
from jaxgrad._core.types import Array
from jaxgrad.optim._rule.descent import LBFGSState, Options, descent


def compiled_descent(
    evaluate: Callable[[Array], tuple[Array, Array]],
    x: Array,
    memory: LBFGSState,
    h: dict[str, Array],
    options: Options,
) -> tuple[Array, Array, LBFGSState]:
    """``descent``, compiled once for all closures of the same jaxpr; inside ``jit`` it is part of the program."""
    if is_traced(x, memory, h):
        return descent(evaluate, x, memory, h, options)
    closed = jax.make_jaxpr(evaluate)(x)
    return _program(_ByContent(closed.jaxpr), options)(closed.consts, x, memory, h)


class _ByContent:
    """A jaxpr that equals any other with the same equations."""

    def __init__(self, jaxpr: Jaxpr) -> None:
        self.jaxpr, self.content = jaxpr, fingerprint(jaxpr)

    def __hash__(self) -> int:
        return hash(self.content)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByContent) and self.content == other.content


@functools.lru_cache(maxsize=64)
def _program(key: _ByContent, options: Options) -> Callable[..., tuple[Array, Array, LBFGSState]]:
    def run(consts: list[Any], x: Array, memory: LBFGSState, h: dict[str, Array]) -> tuple[Array, Array, LBFGSState]:
        function = jaxpr_as_fun(ClosedJaxpr(key.jaxpr, consts))
        return descent(lambda x: tuple(function(x)), x, memory, h, options)

    return jax.jit(run)


def fingerprint(jaxpr: Jaxpr) -> Hashable:
    """What a jaxpr computes, whatever its variables are called; objects of unknown content count by identity.

    >>> make = lambda: jax.make_jaxpr(lambda x: 2 * jax.numpy.sin(x))(1.0).jaxpr
    >>> other = jax.make_jaxpr(lambda x: 3 * jax.numpy.sin(x))(1.0).jaxpr
    >>> fingerprint(make()) == fingerprint(make()), fingerprint(make()) == fingerprint(other)
    (True, False)
    """
    numbers: dict[Var, int] = {}

    def place(atom: Any) -> Hashable:
        if isinstance(atom, Literal):
            return str(atom.aval), np.asarray(atom.val).tobytes()
        return numbers.setdefault(atom, len(numbers)), str(atom.aval)

    def atoms(them: Any) -> Hashable:
        return tuple(place(atom) for atom in them)

    lines = [atoms(jaxpr.constvars), atoms(jaxpr.invars)]
    for equation in jaxpr.eqns:
        params = tuple((name, _content(equation.params[name])) for name in sorted(equation.params))
        lines.append((equation.primitive, params, atoms(equation.invars), atoms(equation.outvars)))
    return (*lines, atoms(jaxpr.outvars))


def _content(param: Any) -> Hashable:
    if isinstance(param, ClosedJaxpr):
        return fingerprint(param.jaxpr), tuple(map(id, param.consts))
    if isinstance(param, Jaxpr):
        return fingerprint(param)
    if isinstance(param, (list, tuple)):
        return type(param).__name__, tuple(_content(each) for each in param)
    if isinstance(param, dict):
        return tuple((name, _content(param[name])) for name in sorted(param, key=str))
    try:
        hash(param)
    except TypeError:
        return id(param)
    return type(param), param
