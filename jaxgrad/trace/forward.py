"""A torch module without a loss: its forward as a function of parameters."""

from typing import Any

from jaxgrad._core.types import Buffers, Params
from jaxgrad.func.call import Aux
from jaxgrad.random import Generator
from jaxgrad.trace import capture
from jaxgrad.trace.batch import rebuilt
from jaxgrad.trace.graph import Graph
from jaxgrad.trace.interpret import run
from jaxgrad.trace.shapes import Captured, Shapes, feed
from jaxgrad.trace.tensors import values
from jaxgrad.trace.traced import as_params


class Forward:
    """A traced forward: ``out, aux = fn(params, *inputs, buffers=buffers, generator=generator)``.

    Attributes:
        params: torch's parameters by dotted name, copied.
        buffers: torch's buffers by dotted name, copied.
        shapes: the graphs, one for each form of the inputs.

    >>> import torch
    >>> from jaxgrad import trace
    >>> sorted(trace.forward(torch.nn.Linear(3, 2), torch.zeros(4, 3), training=False).params)
    ['bias', 'weight']
    """

    def __init__(self, params: Params, buffers: Buffers, shapes: Shapes):
        self.params, self.buffers, self.shapes = params, buffers, shapes

    @property
    def graph(self) -> Graph:
        """The graph of the example inputs, as data."""
        return self.shapes.first.graph

    def __call__(
        self,
        params: Params,
        *inputs: Any,
        buffers: Buffers | None = None,
        generator: Generator | None = None,
        **named: Any,
    ) -> tuple[Any, Aux]:
        """What the module returns, nested as there (its own classes as dicts), and the buffers and stream after it."""
        captured, arrays = self.shapes.of(named if named else inputs)  # type: ignore[arg-type]
        graph = captured.graph
        held = self.buffers if buffers is None else {**self.buffers, **buffers}
        wanted = [*(each for each in graph.outputs if each), *(node for node, _ in graph.mutated)]
        values, stream = run(graph, feed(captured, params, arrays, held), generator, wanted)
        after = {name: values[node] for node, name in graph.mutated}
        changed = {name: value for name, value in after.items() if name in self.params}
        return rebuilt(graph.output, [values[name or ""] for name in graph.outputs]), Aux(
            buffers={name: after.get(name, value) for name, value in held.items()},
            generator=stream,
            params=changed or None,
        )


def forward(module: Any, example_inputs: Any, *, training: bool) -> Forward:
    """A torch module as a function of its parameters, for evaluation and for modules without a loss.

    JAX differentiates it by its own rules; ``from_torch`` is for training.

    Args:
        module: a ``torch.nn.Module``.
        example_inputs: a tensor or array, a tuple of the arguments, or a dict of them by name.
        training: the mode.

    Returns:
        a :class:`Forward`, called as ``out, aux = fn(params, *inputs)``, or with the names of a dict.

    Raises:
        ImportError: torch is not installed.
        RuntimeError: torch cannot trace the module.
        NotImplementedError: an operation that is not in the table.

    >>> import jax.numpy as jnp
    >>> import torch
    >>> from jaxgrad import trace
    >>> fn = trace.forward(torch.nn.Flatten(), torch.zeros(2, 3, 4), training=False)
    >>> fn(fn.params, jnp.zeros((2, 3, 4)))[0].shape
    (2, 12)
    """
    source = capture.source(module, None, training)
    inputs = example_inputs if isinstance(example_inputs, dict | tuple) else (example_inputs,)
    structure, leaves = capture.as_leaves(inputs)
    params, buffers = as_params(values(module.named_parameters())), as_params(values(module.named_buffers()))
    return Forward(params, buffers, Shapes([Captured(*source.trace(structure, leaves))], source))
