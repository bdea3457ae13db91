"""The computational graph as data: what hangs behind ``loss.grad_fn`` in torch.

torch builds the graph while the forward runs and shows one node at a time (``grad_fn.next_functions``). Here the
function is traced, not run, and the whole graph is one value, from the outputs down to the leaves, in torch's
vocabulary: which operations the backward will go through, what each of them keeps in memory, and where it was called.

This is the graph to look at. The one to call backward on is ``jaxgrad.autograd.forward``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.trees import named_leaves
from jaxgrad._core.types import PyTree
from jaxgrad.autograd._graph.drawing import svg
from jaxgrad.autograd._graph.saved_tensors import SavedTensor
from jaxgrad.autograd._graph.text import dot, text
from jaxgrad.autograd._graph.tracing import Node, Value, Walk

__all__ = ["ComputationalGraph", "Node", "SavedTensor", "computational_graph"]


@dataclass(frozen=True)
class ComputationalGraph:
    """The graph of one call, made by ``computational_graph``; ``print`` shows it as text.

    Attributes:
        outputs: for every output its ``(grad_fn, output_nr)``; None for one that depends on no parameter.
        leaves: the AccumulateGrad node of every parameter that the outputs depend on, by name.

    >>> graph = computational_graph(lambda p: (p["w"] ** 2).sum(), {"w": jnp.ones(2)})
    >>> graph.grad_fn, [node.name for node in graph.nodes], sorted(graph.leaves)
    (<SumBackward0>, ['SumBackward0', 'PowBackward0', 'AccumulateGrad'], ['w'])
    """

    outputs: tuple[Value, ...]
    leaves: dict[str, Node]

    @property
    def grad_fn(self) -> Node | None:
        """``loss.grad_fn``: the node of the first output."""
        return self.outputs[0] and self.outputs[0][0]

    @property
    def nodes(self) -> list[Node]:
        """Every node that the backward visits, outputs first; a node comes before those it hands gradients to."""
        order: list[Node] = []
        seen: set[int] = set()

        def visit(node: Node) -> None:
            stack = [(node, iter(node.next_functions))]
            seen.add(id(node))
            while stack:
                current, rest = stack[-1]
                following = next((n for n, _ in rest if n is not None and id(n) not in seen), None)
                if following is None:
                    order.append(current)
                    stack.pop()
                else:
                    seen.add(id(following))
                    stack.append((following, iter(following.next_functions)))

        for value in self.outputs:
            if value is not None and id(value[0]) not in seen:
                visit(value[0])
        return order[::-1]

    @property
    def saved_bytes(self) -> int:
        """Bytes kept for the backward beside the parameters, every array counted once for each node that keeps it."""
        return sum(tensor.nbytes for node in self.nodes for tensor in node.saved)

    def __str__(self) -> str:
        return text(self)

    def to_dot(self) -> str:
        """The graph in Graphviz's language.

        Returns:
            The text of a ``digraph``, for ``dot -Tsvg``.

        >>> print(computational_graph(lambda p: p["w"].sum(), {"w": jnp.ones(2)}).to_dot().splitlines()[0])
        digraph backward {
        """
        return dot(self)

    def to_svg(self) -> str:
        """A picture of the graph as SVG, laid out here: no program or font has to be installed.

        Returns:
            The text of the file.

        >>> computational_graph(lambda p: p["w"].sum(), {"w": jnp.ones(2)}).to_svg()[:4]
        '<svg'
        """
        return svg(self)


def computational_graph(
    fn: Callable[..., Any], params: PyTree, *args: Any, has_aux: bool = False, unroll: int = 0
) -> ComputationalGraph:
    """The graph that torch would build for ``fn(params, *args)``; nothing is computed.

    Every operation of JAX gets torch's name for it. Several equations that are one operation in torch are one node:
    functions of ``jaxgrad.nn.functional``, of ``jax.nn`` and ``jax.numpy``, and each ``autograd.Function``. Where the
    two libraries do not correspond one to one, the node carries a ``note``.

    Args:
        fn: takes a tree of parameters and the rest; returns an array or a tree of arrays.
        params: the leaves, by name.
        args: passed on; nothing is differentiated by them.
        has_aux: whether ``fn`` returns ``(output, aux)``.
        unroll: ``lax.scan`` of at most so many steps is shown step by step, as torch records a Python loop.

    Returns:
        The graph.

    Raises:
        ValueError: two leaves have the same dotted name.
        jax.errors.ConcretizationTypeError: ``fn`` looks at its values in Python, which tracing has not.

    >>> def loss(params, x):
    ...     return ((x @ params["w"] + params["b"]) ** 2).mean()
    >>> params = {"w": jnp.ones((3, 2)), "b": jnp.ones((1, 2))}
    >>> print(computational_graph(loss, params, jnp.ones((4, 3))))
    MeanBackward0 []
    └─ PowBackward0 [4, 2], saves intermediate float32[4, 2]
       └─ AddBackward0 [4, 2]
          ├─ MmBackward0 [4, 2], saves input 0 float32[4, 3]
          │  └─ AccumulateGrad w [3, 2]
          └─ AccumulateGrad b [1, 2]
    """
    named = named_leaves(params)
    flat, tree = jax.tree.flatten(params)
    positions = named_leaves(jax.tree.unflatten(tree, range(len(flat))))

    def call(*leaves: Any) -> Any:
        out = fn(jax.tree.unflatten(tree, leaves), *args)
        return jax.tree.leaves(out[0] if has_aux else out)

    jaxpr = jax.make_jaxpr(call)(*flat).jaxpr
    walk = Walk(unroll)
    inputs: list[Value] = [None] * len(flat)
    accumulate: dict[str, Node] = {}
    for name, leaf in named.items():
        if leaf is not None and jnp.issubdtype(jnp.result_type(leaf), jnp.inexact):
            node = Node("AccumulateGrad", shape=jnp.shape(leaf), dtype=jnp.result_type(leaf), variable=name)
            accumulate[name] = node
            inputs[positions[name]] = (node, 0)
    outputs = tuple(walk.through(jaxpr, inputs))
    graph = ComputationalGraph(outputs, {})
    used = {id(node) for node in graph.nodes}
    return ComputationalGraph(outputs, {name: node for name, node in accumulate.items() if id(node) in used})
