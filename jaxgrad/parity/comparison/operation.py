"""The operation to blame in a traced candidate: the first that makes of torch's inputs what torch does not."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jax

from jaxgrad.parity.record.model import Tensors
from jaxgrad.parity.report import Divergence
from jaxgrad.parity.sides.batches import as_arrays
from jaxgrad.parity.sides.jax_step import JaxStep
from jaxgrad.trace import Traced, oracle

_OF_THE_GRAPH = ("forward", "loss", "grads", "clipped", "buffers")
"""Phases that the graph computes; what comes after is the optimizer's."""


def traced_of(candidate: Any) -> Traced | None:
    """The traced module whose ``loss_fn`` a side's step runs; None for all other sides.

    >>> traced_of(object()) is None
    True
    """
    parts = candidate.train_step.parts if isinstance(candidate, JaxStep) else None
    owner = None if parts is None else getattr(parts.loss.fn, "__self__", None)
    return owner if isinstance(owner, Traced) else None


def with_operation(
    first: Divergence, candidate: Any, batch: Any, before: Mapping[str, Tensors], bound: float
) -> Divergence:
    """The divergence with the operation and its source line, where the candidate is traced and one is to blame.

    Args:
        first: the divergence.
        candidate: the side.
        batch: of its step.
        before: what the reference had when the step began.
        bound: the largest distance of one operation, in units of its own rounding, that is none.
    """
    traced = traced_of(candidate)
    if traced is None or first.phase not in _OF_THE_GRAPH or first.operation:
        return first
    batch = as_arrays(batch, next(iter(traced.params.values())).dtype)
    if candidate.train_step.parts.accumulate > 1:
        batch = jax.tree.map(lambda leaf: leaf[0], batch)
    held = {**traced.params, **before.get("params", {})}, {**traced.buffers, **before.get("buffers", {})}
    wrong = next((each for each in oracle(traced, batch, params=held[0], buffers=held[1]) if each.ratio > bound), None)
    if wrong is None:
        return first
    derivative = "the derivative of " if wrong.backward else ""
    return replace(first, operation=f"{wrong.op}, in {derivative}{wrong.place or 'the loss'}")
