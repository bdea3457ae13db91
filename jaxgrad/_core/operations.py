"""Marks that let a traced program be read in torch's vocabulary.

A jaxpr knows primitives only: what torch records as one ``BinaryCrossEntropyWithLogitsBackward0`` is a dozen
equations. ``operation`` puts a ``jax.named_scope`` with the name of torch's ``grad_fn`` around a function, so that
the graph (``jaxgrad.autograd.graph``) can show the call as one node, an anomaly can name it, and a profile reads
like torch's. A scope is metadata: the compiled program and its numbers are the same with and without it.
"""

import re
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import jax

from jaxgrad._core.diagnosis import FAILURES, diagnosis, in_place_of

P = ParamSpec("P")
R = TypeVar("R")

_GRAD_FN = re.compile(r"[A-Z]\w*Backward\d?")


def operation(grad_fn: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Mark a function as one operation of torch's: every call is one node called ``grad_fn`` in the graph.

    Mark what torch records as one node. ``torch.nn.functional.cross_entropy`` is two (``NllLossBackward0`` over
    ``LogSoftmaxBackward0``): mark the two parts, not the whole. Of nested marks the outermost counts. What the
    function returns unchanged has no node, as in torch.

    Args:
        grad_fn: torch's name, ``type(out.grad_fn).__name__``.

    >>> import jax.numpy as jnp
    >>> @operation("ReluBackward0")
    ... def relu(x):
    ...     return jnp.maximum(x, 0)
    >>> str(jax.make_jaxpr(relu)(1.0).eqns[0].source_info.name_stack)
    'ReluBackward0'
    """
    if not is_grad_fn(grad_fn):
        raise ValueError(f"a grad_fn is called like 'AddmmBackward0', not {grad_fn!r}")

    named_scope = jax.named_scope

    def decorate(fn: Callable[P, R]) -> Callable[P, R]:
        failures = () if fn.__name__.startswith("_") else FAILURES
        diagnose = diagnosis

        def marked(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                with named_scope(grad_fn):
                    return fn(*args, **kwargs)
            except failures as error:
                wrong = diagnose(fn, args, kwargs, error)
                if wrong is None:
                    raise
                raise wrong from error

        return in_place_of(fn, marked)

    return decorate


def is_grad_fn(scope: str) -> bool:
    """Whether a scope's name is a mark: spelt like the type of a torch ``grad_fn``.

    >>> is_grad_fn("AddmmBackward0"), is_grad_fn("encoder")
    (True, False)
    """
    return _GRAD_FN.fullmatch(scope) is not None
