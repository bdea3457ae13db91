"""Jaxprs compared by what they compute, so that two traces of the same work can share one program."""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from jaxgrad._jaxpr.unstable import ClosedJaxpr, Jaxpr, Literal, jaxpr_as_fun


class ByContent:
    """A jaxpr that equals any other with the same equations."""

    def __init__(self, jaxpr: Jaxpr) -> None:
        self.jaxpr, self.content = jaxpr, fingerprint(jaxpr)

    def __hash__(self) -> int:
        return hash(self.content)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByContent) and self.content == other.content

    def __call__(self, consts: Sequence[Any], *args: Any) -> list[Any]:
        """Its outputs, with these arrays in the place of those that were captured."""
        return list(jaxpr_as_fun(ClosedJaxpr(self.jaxpr, consts))(*args))


def fingerprint(jaxpr: Jaxpr) -> Hashable:
    """What a jaxpr computes, whatever its variables are called; objects of unknown content count by identity.

    >>> import jax
    >>> make = lambda: jax.make_jaxpr(lambda x: 2 * jax.numpy.sin(x))(1.0).jaxpr
    >>> other = jax.make_jaxpr(lambda x: 3 * jax.numpy.sin(x))(1.0).jaxpr
    >>> fingerprint(make()) == fingerprint(make()), fingerprint(make()) == fingerprint(other)
    (True, False)
    """
    numbers: dict[Any, int] = {}

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
