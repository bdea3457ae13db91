"""A torch module without a loss: its forward as a function of parameters."""

from typing import Any

import jax.numpy as jnp

from jaxgrad._core.types import Array, Buffers, Params
from jaxgrad.func.call import Aux
from jaxgrad.random import Generator
from jaxgrad.trace import capture
from jaxgrad.trace.from_torch import as_tuple
from jaxgrad.trace.interpret import check_supported, run
from jaxgrad.trace.traced import as_params, feed


class Forward:
    """A traced forward: ``out, aux = fn(params, *inputs, buffers=buffers, generator=generator)``.

    Attributes:
        params: torch's parameters by dotted name, copied.
        buffers: torch's buffers by dotted name, copied.
        graph: the graph, as data.
    """

    def __init__(self, params: Params, buffers: Buffers, graph: Any, constants: Any):
        check_supported(graph)
        self.params, self.buffers, self.graph, self._constants = params, buffers, graph, constants

    def __call__(
        self, params: Params, *inputs: Any, buffers: Buffers | None = None, generator: Generator | None = None
    ) -> tuple[Any, Aux]:
        """The output (one array, or a tuple where the module returns several), and the buffers and stream after it."""
        held = self.buffers if buffers is None else {**self.buffers, **buffers}
        arrays = tuple(jnp.asarray(each) for each in inputs)
        values, stream = run(self.graph, feed(self.graph, self._constants, params, arrays, held), generator)
        outputs: list[Array | None] = [None if name is None else values[name] for name in self.graph.outputs]
        after = {name: values[node] for node, name in self.graph.mutated}
        return (outputs[0] if len(outputs) == 1 else tuple(outputs)), Aux({**held, **after}, stream)


def forward(module: Any, example_inputs: Any, *, training: bool) -> Forward:
    """A torch module as a function of its parameters, for evaluation and for modules without a loss.

    JAX differentiates it by its own rules; ``from_torch`` is for training.

    Args:
        module: a ``torch.nn.Module``.
        example_inputs: a tensor or array, or a tuple of them.
        training: the mode.

    Returns:
        a :class:`Forward`, called as ``out, aux = fn(params, *inputs)``.

    Raises:
        ImportError: torch is not installed.
        RuntimeError: torch cannot trace the module.
        NotImplementedError: an operation that is not in the table.

    >>> import torch
    >>> from jaxgrad import trace
    >>> fn = trace.forward(torch.nn.Flatten(), torch.zeros(2, 3, 4), training=False)
    >>> fn(fn.params, jnp.zeros((2, 3, 4)))[0].shape
    (2, 12)
    """
    t = capture.torch()
    inputs = tuple(t.as_tensor(each) for each in as_tuple(example_inputs))
    graph, constants = capture.capture(module, None, inputs, training)
    params = as_params(capture.values(module.named_parameters()))
    return Forward(params, as_params(capture.values(module.named_buffers())), graph, constants)
