"""A traced module with its loss: parameters, buffers, and a loss function whose derivative is torch's own backward."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.dtypes import keep_dtype, promoted
from jaxgrad._core.tap import opened
from jaxgrad._core.types import Array, Buffers, Params
from jaxgrad.func.call import Aux
from jaxgrad.random import Generator
from jaxgrad.trace.capture import Source
from jaxgrad.trace.graph import Graph
from jaxgrad.trace.interpret import run
from jaxgrad.trace.shapes import Captured, Shapes, feed
from jaxgrad.trace.watched import Exchange, Watched


@dataclass(frozen=True)
class Traced:
    """What ``from_torch`` returns.

    Attributes:
        params: torch's parameters by dotted name, copied; tied ones once, under their first name.
        buffers: torch's buffers by dotted name, copied, those that are not persistent included.
        frozen: the names of parameters that do not require a gradient; theirs is None.
        shapes: the graphs, one for each form of a batch.
        loss_fn: ``loss_fn(params, *batch, buffers=buffers, generator=generator) -> loss, aux``, for
            ``train.make_train_step``.

    >>> import torch
    >>> from jaxgrad import trace
    >>> batch = (torch.zeros(4, 3), torch.zeros(4, dtype=torch.int64))
    >>> traced = trace.from_torch(torch.nn.Linear(3, 2), torch.nn.functional.cross_entropy, batch)
    >>> sorted(traced.params), traced.frozen
    (['bias', 'weight'], frozenset())
    """

    params: Params
    buffers: Buffers
    frozen: frozenset[str]
    shapes: Shapes = field(repr=False)

    @property
    def graph(self) -> Graph:
        """The joint graph of the example batch, as data."""
        return self.shapes.first.graph

    def loss_fn(
        self, params: Params, *batch: Any, buffers: Buffers | None = None, generator: Generator | None = None
    ) -> tuple[Array, Aux]:
        """The loss of a batch, and what became of the buffers and the stream.

        Its derivative with respect to ``params`` is torch's backward graph (first derivatives; a second one follows
        JAX's rules through torch's formulas). A parameter that the loss does not depend on, or that is frozen, has no
        gradient. Inputs have no derivative.

        The sizes of the first axes may be others than the example's, where torch could trace them as such; for any
        other form of batch a graph of its own is traced, as long as the torch module is at hand. A module that was
        read from a file has the graphs that it was saved with.

        Args:
            params: the keys of ``traced.params``.
            batch: arrays, nested as the example batch.
            buffers: the keys of ``traced.buffers``; None for those.
            generator: what dropout draws from.

        Returns:
            ``(loss, func.Aux)``.

        Raises:
            ValueError: a batch that is nested otherwise, or of a shape that a module from a file was not traced for.
            RuntimeError: torch cannot trace the module for this shape.
            TypeError: the module draws and there is no generator.
        """
        captured, arrays = self.shapes.of(batch)
        held = self.buffers if buffers is None else {**self.buffers, **buffers}
        reached = {name for _, name in captured.graph.gradients} - self.frozen
        own = {name: params[name] if name in reached else jax.lax.stop_gradient(params[name]) for name in self.params}
        tap = opened()
        watched = Watched.by(tap, captured.graph)
        loss, after, stream, seen = _loss(captured, own, arrays, held, generator, watched)
        if tap is not None:
            tap.tell({name: seen[name] for name in watched.outputs})  # in the order in which they ran
        changed = {name: value for name, value in after.items() if name in own}
        return loss, Aux(
            buffers={name: after.get(name, value) for name, value in held.items()},
            generator=stream,
            params=changed or None,
        )

    def also_for(self, *batch: Any) -> None:
        """Trace for another form of batch now, so that a file that is saved afterwards holds its graph too.

        Nothing happens if a graph that is there serves it: one of another size alone, mostly.

        Args:
            batch: arrays, or ``jax.ShapeDtypeStruct``.

        >>> import torch
        >>> from jaxgrad import trace
        >>> traced = trace.from_torch(torch.nn.Linear(2, 1), lambda out: out.sum(), (torch.ones(4, 2),))
        >>> traced.also_for(torch.ones(3, 2))
        >>> traced.also_for(torch.ones(1, 2))
        >>> [each.example().inputs()[0].shape for each in traced.shapes.all()]
        [(4, 2), (1, 2)]
        """
        self.shapes.of(batch)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it into a file, which ``trace.load`` reads where torch is not installed: :func:`jaxgrad.trace.save`.

        Args:
            path: a name; the form is that of ``.safetensors``.

        >>> import tempfile
        >>> import torch
        >>> from jaxgrad import trace
        >>> traced = trace.from_torch(torch.nn.Linear(2, 1), lambda out: out.sum(), (torch.ones(4, 2),))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     traced.save(f"{folder}/linear.safetensors")
        ...     sorted(trace.load(f"{folder}/linear.safetensors").params)
        ['bias', 'weight']
        """
        from jaxgrad.trace.store import save  # which makes objects of this class

        save(self, path)


def _loss(
    captured: Captured,
    params: Params,
    batch: tuple[Array, ...],
    buffers: Buffers,
    generator: Generator | None,
    watched: Watched,
) -> tuple[Array, Mapping[str, Array], Generator | None, Mapping[str, Array]]:
    """The loss, the values that the forward changes, the stream, and what is watched; its derivative is the graph's."""
    graph = captured.graph
    forward = [*(each for each in graph.outputs if each), *(node for node, _ in graph.mutated), *watched.nodes]
    given = batch, buffers, generator, watched.instead

    def evaluate(params: Params, given: Any, wanted: list[str]) -> tuple[dict[str, Any], Any]:
        batch, buffers, generator, instead = given
        exchange = Exchange(instead)
        values, stream = run(graph, feed(captured, params, batch, buffers), generator, wanted, exchange)
        after = {name: values[node] for node, name in graph.mutated}
        return values, (values[forward[0]], after, stream, watched.named(values, exchange.own))

    @jax.custom_vjp
    def loss(params: Params, given: Any) -> Any:
        return evaluate(params, given, forward)[1]

    def forwards(params: Params, given: Any) -> tuple[Any, Any]:
        values, results = evaluate(params, given, [*forward, *(node for node, _ in graph.gradients)])
        gradients: Params = {}
        for node, name in graph.gradients:  # a tied parameter gets the sum over its uses
            cotangent = jnp.conj(values[node])  # torch's gradient of a complex parameter is the conjugate of JAX's
            gradients[name] = gradients[name] + cotangent if name in gradients else cotangent
        return results, (gradients, params)

    def times(a: Array, b: Array) -> Array:
        a, b = promoted(a, b)
        return a * b

    def backwards(saved: tuple[Params, Params], grad: Any) -> tuple[Params, None]:
        gradients, params = saved
        return {
            name: times(grad[0], gradients[name]).astype(value.dtype) if name in gradients else jnp.zeros_like(value)
            for name, value in params.items()
        }, None

    loss.defvjp(forwards, backwards)
    result: tuple[Array, Mapping[str, Array], Generator | None, Mapping[str, Array]] = loss(params, given)
    return result


def traced_of(
    params: Mapping[str, np.ndarray],
    buffers: Mapping[str, np.ndarray],
    frozen: frozenset[str],
    graphs: list[Captured],
    source: Source | None,
) -> Traced:
    """A traced module of these values and graphs; the first graph is the example's."""
    return Traced(as_params(params), as_params(buffers), frozen, Shapes(graphs, source))


def as_params(values: Mapping[str, np.ndarray]) -> dict[str, Array]:
    """Arrays of these values in their own dtypes.

    Raises:
        TypeError: float64, and JAX's 64-bit mode is off.
    """
    return {
        name: jnp.asarray(value, keep_dtype(value.dtype) if value.dtype.kind in "fc" else None)
        for name, value in values.items()
    }
