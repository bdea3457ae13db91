"""The graph as a value: what torch keeps behind ``loss.grad_fn``, returned beside the loss.

A forward pass leaves behind what its backward needs: the saved tensors, and the recipe that turns the gradient of an
output into the gradients of the leaves. ``BackwardGraph`` is both. It is a pytree, so it is returned from ``jit`` and
passed to another; a backward uses it up, and its memory with it, unless it is retained.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax

from jaxgrad._core.errors import explain
from jaxgrad._core.selection import Where
from jaxgrad._core.trees import KeyOrder, key_order, with_key_order
from jaxgrad._core.types import Array, InexactTree, PyTree
from jaxgrad._jaxpr.dependence import Leaves, Reach, union
from jaxgrad._jaxpr.unstable import no_cotangent, without_outputs
from jaxgrad.autograd._tape.cotangent import Output, conjugated, cotangents, output_of
from jaxgrad.autograd._tape.inputs import Choice, choose
from jaxgrad.autograd._tape.saved import Saved
from jaxgrad.autograd._tape.tape import record
from jaxgrad.autograd.accumulate import accumulate

NO_GRAD_FN = "element {} of tensors does not require grad and does not have a grad_fn"


def forward(
    fn: Callable[..., Any], params: PyTree, *args: Any, has_aux: bool = False, inputs: Where = None
) -> tuple[Any, "BackwardGraph"]:
    """Run ``fn(params, *args)`` as torch runs a forward pass: the result, and the graph behind it.

    ``jax.vjp`` with torch's rules: the graph is used up by one backward, gradients keep the structure of ``params``
    and are None where a leaf is not connected to the result. Under ``jit`` the graph is an output like any other; a
    parameter that is also a saved tensor is then copied by the compiled function, unless ``graph.without(params)``
    is returned and ``graph.restore(params)`` is called outside. Where only ``fn`` is jitted, nothing is copied.

    Args:
        fn: ``fn(params, *args) -> out``; any tree of arrays, several losses for instance. It is called once.
        params: any tree of floating point or complex arrays.
        args: passed on as they are.
        has_aux: ``fn`` returns ``(out, aux)``; ``aux`` is not differentiated.
        inputs: the leaves to differentiate, as names or as a mask (``requires_grad``); all by default.

    Returns:
        ``(out, graph)``, or ``((out, aux), graph)`` with ``has_aux``.

    Raises:
        RuntimeError: a leaf is an integer: only floating point and complex arrays can require gradients.
        TypeError: ``fn`` returned no array; a leaf has a 64-bit dtype while JAX's x64 mode is off.

    >>> import jax.numpy as jnp
    >>> loss, graph = forward(lambda p: (p["w"] ** 2).sum(), {"w": jnp.array([1.0, 3.0]), "unused": jnp.ones(2)})
    >>> graph.backward(retain_graph=True)
    {'w': Array([2., 6.], dtype=...), 'unused': None}
    >>> graph.backward(retain_graph=False)["w"]
    Array([2., 6.], dtype=...)
    >>> graph.backward()
    Traceback (most recent call last):
        ...
    RuntimeError: Trying to backward through the graph a second time ...
    """
    return forward_of(fn, params, args, has_aux, choose(params, inputs))


def forward_of(
    fn: Callable[..., Any], params: PyTree, args: Sequence[Any], has_aux: bool, choice: Choice
) -> tuple[Any, "BackwardGraph"]:
    """``forward`` of leaves that are chosen already."""
    tape = record(fn, params, args, has_aux, choice)
    plan = Plan(
        outputs=tuple(output_of(output) for output in tape.outputs),
        params=jax.tree.structure(params),
        order=key_order(params),
        leaves=tape.leaves,
        wanted=choice.wanted,
        reach=tape.reach,
    )
    if not tape.outputs:
        raise TypeError(explain("fn returned no array to differentiate", remedy="return the loss, or (loss, aux)"))
    out = jax.tree.unflatten(tape.tree, tape.outputs)
    graph = BackwardGraph(plan, tape.tree, tuple(range(len(tape.outputs))), Saved(tape.pullback))
    return ((out, tape.aux) if has_aux else out), graph


@dataclass(frozen=True)
class Plan:
    """What does not change about a graph: the shapes of its outputs, and the leaves behind each of them."""

    outputs: tuple[Output, ...]
    params: Any
    order: KeyOrder
    leaves: tuple[int, ...]
    wanted: Leaves
    reach: tuple[Reach, ...]


@jax.tree_util.register_pytree_node_class
class BackwardGraph:
    """The graph behind the outputs of one forward pass; made by ``forward``.

    ``graph[key]`` is the same graph as seen from one of several outputs: the losses of a multi-task model share one
    graph, and each has its own backward. They also share its end: torch frees the part that the first backward went
    through, here the whole is freed, so retain it until the last. Nobody else makes one: see ``forward``.

    >>> import jax.numpy as jnp
    >>> out, graph = forward(lambda a: {"sum": a.sum(), "square": (a**2).sum()}, jnp.array([2.0, 3.0]))
    >>> graph["square"].backward(retain_graph=True)
    Array([4., 6.], dtype=...)
    >>> graph["sum"].backward()
    Array([1., 1.], dtype=...)
    """

    def __init__(self, plan: Plan, tree: Any, outputs: tuple[int, ...], saved: Saved) -> None:
        self._plan, self._tree, self._outputs, self._saved = plan, tree, outputs, saved

    def __getitem__(self, key: Any) -> "BackwardGraph":
        places, tree = jax.tree.flatten(jax.tree.unflatten(self._tree, self._outputs)[key])
        return BackwardGraph(self._plan, tree, tuple(places), self._saved)

    def __repr__(self) -> str:
        return f"BackwardGraph({len(self._outputs)} outputs, {len(self._plan.leaves)} leaves, {self._saved})"

    def backward(
        self, gradient: InexactTree | None = None, retain_graph: bool = False, grads: InexactTree | None = None
    ) -> InexactTree:
        """``out.backward(gradient, retain_graph)``: the gradients of the leaves, added to ``grads``.

        Args:
            gradient: the vector of the vector-Jacobian product, a tree like the output; ones for a scalar.
            retain_graph: False frees the saved tensors, and a second call raises.
            grads: gradients so far; None starts anew, as after ``zero_grad``.

        Returns:
            A tree like the parameters, with None where a leaf is not connected to the output.

        Raises:
            RuntimeError: the graph was freed; no gradient can be created for an output that is not a scalar; the
                given one does not fit; an output is connected to no leaf. Each in torch's words.

        >>> import jax.numpy as jnp
        >>> _, graph = forward(lambda a: a**2, jnp.array([2.0, 3.0]))
        >>> graph.backward(gradient=jnp.ones(2))
        Array([4., 6.], dtype=...)
        """
        return accumulate(grads, self._pull_back(self._cotangents(gradient), self._saved.take(retain_graph)))

    def backward_batched(self, gradient: InexactTree) -> InexactTree:
        """Every row of ``gradient`` pulled back at once (torch's ``is_grads_batched``); the graph is used up.

        Args:
            gradient: a tree like the output, each array with a leading batch axis.

        Returns:
            A tree like the parameters, each array with that axis, None where there is no gradient.

        Raises:
            RuntimeError: what ``backward`` raises; "If `is_grads_batched=True`, we interpret the first dimension ...".

        >>> import jax.numpy as jnp
        >>> _, graph = forward(lambda a: a**2, jnp.array([2.0, 3.0]))
        >>> graph.backward_batched(jnp.eye(2))
        Array([[4., 0.],
               [0., 6.]], dtype=...)
        """
        rows, pullback = self._cotangents(gradient, batched=True), self._saved.take(retain=False)
        return jax.vmap(lambda row: self._pull_back(row, pullback))(rows)

    def _cotangents(self, gradient: PyTree | None, batched: bool = False) -> list[Array]:
        given = cotangents(gradient, self._tree, [self._plan.outputs[i] for i in self._outputs], batched=batched)
        for position, i in enumerate(self._outputs):
            if not self._plan.reach[i]:
                raise RuntimeError(NO_GRAD_FN.format(position))
        return given

    def _pull_back(self, given: list[Array], pullback: Any) -> PyTree:
        """The gradients of all leaves from those of the outputs; outputs out of view are not visited at all.

        torch's gradient of a complex leaf is the conjugate of JAX's, so both ends are conjugated.
        """
        plan, by_output = self._plan, dict(zip(self._outputs, given, strict=True))
        cotangents = [
            conjugated(by_output[i]) if i in by_output else no_cotangent(output.shape, output.dtype)
            for i, output in enumerate(plan.outputs)
        ]
        reached = union(plan.reach[i] for i in by_output).defined & plan.wanted
        leaves: list[Array | None] = [None] * plan.params.num_leaves
        if reached:
            visited = without_outputs(pullback, [i in by_output for i in range(len(plan.outputs))])
            for place, grad in zip(plan.leaves, visited(cotangents), strict=True):
                leaves[place] = conjugated(grad) if reached >> place & 1 else None
        return with_key_order(plan.order, jax.tree.unflatten(plan.params, leaves))

    def without(self, *trees: PyTree) -> "BackwardGraph":
        """The graph less the saved tensors that are arrays of ``trees`` (parameters, the batch); used up is this one.

        What a compiled function returns is new memory, a parameter among the saved tensors too. To return the graph
        without a copy of the model, leave them out inside and put them back outside.

        Args:
            trees: trees of the very arrays that the graph was made from.

        Returns:
            A graph that cannot be gone through before ``restore``.

        Raises:
            RuntimeError: the graph was freed.

        >>> import jax.numpy as jnp
        >>> params = {"w": jnp.ones((8, 8))}
        >>> first = jax.jit(lambda p, x: forward(lambda p: ((x @ p["w"]) ** 2).sum(), p)[1].without(p))
        >>> graph = first(params, jnp.ones((1, 8)))
        >>> graph.restore(params).backward()["w"].shape
        (8, 8)
        """
        return BackwardGraph(self._plan, self._tree, self._outputs, self._saved.without(jax.tree.leaves(trees)))

    def restore(self, *trees: PyTree) -> "BackwardGraph":
        """The graph with the arrays of ``trees`` put back where ``without`` left them out.

        Args:
            trees: the same trees, in the same order; the arrays may be others of the same shapes.

        Returns:
            A whole graph; used up is this one.

        Raises:
            RuntimeError: the graph was freed.

        >>> import jax.numpy as jnp
        >>> x = jnp.array([2.0, 3.0])
        >>> _, graph = forward(lambda a: (a**2).sum(), x)
        >>> graph.without(x).restore(x).backward()
        Array([4., 6.], dtype=...)
        """
        return BackwardGraph(self._plan, self._tree, self._outputs, self._saved.restore(jax.tree.leaves(trees)))

    def tree_flatten(self) -> tuple[tuple[Any], tuple[Any, ...]]:
        """The saved tensors, and all that is static."""
        return (self._saved.pullback,), (self._plan, self._tree, self._outputs, self._saved.freed)

    @classmethod
    def tree_unflatten(cls, static: tuple[Any, ...], children: tuple[Any]) -> "BackwardGraph":
        """A graph of its own: it does not know what becomes of the one it was taken from."""
        plan, tree, outputs, freed = static
        return cls(plan, tree, outputs, Saved(children[0], freed))
