"""One program for closures that do the same on other numbers.

A closure is often made anew for each batch, and to JAX another function is another program. What a closure does is its
jaxpr; two that are equal but for the arrays they captured share one compiled descent, which takes those as arguments.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax

from jaxgrad._core.errors import is_traced
from jaxgrad._core.types import Array
from jaxgrad._jaxpr.content import ByContent
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
    return _program(ByContent(closed.jaxpr), options)(closed.consts, x, memory, h)


@functools.lru_cache(maxsize=64)
def _program(key: ByContent, options: Options) -> Callable[..., tuple[Array, Array, LBFGSState]]:
    def run(consts: list[Any], x: Array, memory: LBFGSState, h: dict[str, Array]) -> tuple[Array, Array, LBFGSState]:
        return descent(lambda x: tuple(key(consts, x)), x, memory, h, options)

    return jax.jit(run)
