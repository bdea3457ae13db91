"""``torch.autograd.grad`` as a function: gradients alone, nothing added up anywhere, to any order."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.errors import explain, is_traced
from jaxgrad._core.selection import Where
from jaxgrad._core.trees import key_order, named_leaves, path_name, with_key_order
from jaxgrad._core.types import InexactTree, PyTree
from jaxgrad._jaxpr.dependence import Leaves
from jaxgrad.autograd._tape.inputs import choose
from jaxgrad.autograd.forward import forward


def grad(
    fn: Callable[..., Any],
    params: PyTree,
    *args: Any,
    grad_outputs: InexactTree | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
    inputs: Where = None,
    argnums: int | Sequence[int] = 0,
) -> InexactTree:
    """``torch.autograd.grad(fn(params, *args), params, grad_outputs, ...)``: the gradients, and nothing else happens.

    ``jax.grad`` differs: it makes a function of a function, gives zeros for what is not connected, and its result can
    always be differentiated again. Here that is ``create_graph=True``, as in torch; without it the gradient is a
    constant to whatever is outside. There is no ``retain_graph``: the graph does not outlive the call (see
    ``forward`` for one that does).

    Args:
        fn: ``fn(params, *args)``; its outputs are differentiated, summed if they are several.
        params: any tree of floating point or complex arrays.
        args: passed on.
        grad_outputs: the vector of the vector-Jacobian product, a tree like the output; ones for a scalar.
        create_graph: whether the gradients may be differentiated in turn (a gradient penalty, a Hessian, a second
            order of meta-learning).
        allow_unused: whether a leaf that is not connected to the output gives None instead of an error.
        is_grads_batched: ``grad_outputs`` has a leading axis of vectors, and so has every gradient.
        materialize_grads: zeros in place of None; implies ``allow_unused``.
        inputs: the leaves to differentiate, as names, predicate or mask; None for the others. All by default.
        argnums: which of ``(params, *args)`` to differentiate; a tuple of trees for several.

    Returns:
        A tree like ``params`` (or like the chosen arguments).

    Raises:
        RuntimeError: a leaf is not connected to the output and ``allow_unused`` was not given; whatever
            ``backward`` raises.
        ValueError: ``materialize_grads`` with ``allow_unused=False``.

    >>> grad(lambda p: p["a"] ** 3, {"a": jnp.array(2.0)})
    {'a': Array(12., dtype=...)}
    >>> grad(lambda p: grad(lambda p: p["a"] ** 3, p, create_graph=True)["a"], {"a": jnp.array(2.0)})
    {'a': Array(12., dtype=...)}
    >>> grad(lambda p: p["a"] ** 3, {"a": jnp.array(2.0), "b": jnp.ones(2)})
    Traceback (most recent call last):
        ...
    RuntimeError: The differentiated Tensor at index 1 appears to not have been used in the graph. Set
    allow_unused=True if this is the desired behavior.
      got:      no path from the output to "b"
    """
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False."
        )
    everything, single = (params, *args), isinstance(argnums, int)
    places = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    chosen = everything[places[0]] if single else tuple(everything[i] for i in places)

    def of_chosen(tree: PyTree) -> Any:
        given = dict(zip(places, (tree,) if single else tree, strict=True))
        return fn(*[given.get(i, each) for i, each in enumerate(everything)])

    wanted = choose(chosen, inputs, caller="grad").wanted
    _, graph = forward(of_chosen, chosen, inputs=inputs)
    found = graph.backward_batched(grad_outputs) if is_grads_batched else graph.backward(grad_outputs)
    if materialize_grads:
        rows = np.shape(jax.tree.leaves(grad_outputs)[0])[:1] if is_grads_batched else ()
        found = _with_zeros(found, chosen, wanted, rows)
    elif not allow_unused:
        _check_used(found, chosen, wanted)
    return _detached(found) if is_traced(found) and not create_graph else found


def _with_zeros(found: PyTree, params: PyTree, wanted: Leaves, rows: tuple[int, ...]) -> InexactTree:
    grads, tree = _flat(found, params)
    leaves = jax.tree.leaves(params)
    filled = [
        jnp.zeros(rows + np.shape(leaf), jnp.result_type(leaf)) if grad is None and wanted >> i & 1 else grad
        for i, (grad, leaf) in enumerate(zip(grads, leaves, strict=True))
    ]
    return with_key_order(key_order(params), jax.tree.unflatten(tree, filled))


def _check_used(found: PyTree, params: PyTree, wanted: Leaves) -> None:
    grads, _ = _flat(found, params)
    position = {path_name(path): i for i, (path, _) in enumerate(jax.tree_util.tree_leaves_with_path(params))}
    asked = [name for name in named_leaves(params) if name in position and wanted >> position[name] & 1]
    for index, name in enumerate(asked):
        if grads[position[name]] is None:
            raise RuntimeError(
                explain(
                    f"The differentiated Tensor at index {index} appears to not have been used in the graph. "
                    "Set allow_unused=True if this is the desired behavior.",
                    got=f'no path from the output to "{name}"',
                )
            )


def _flat(found: PyTree, params: PyTree) -> tuple[list[Any], Any]:
    tree: Any = jax.tree.structure(params)
    return tree.flatten_up_to(found), tree


def _detached(found: PyTree) -> InexactTree:
    return with_key_order(key_order(found), jax.lax.stop_gradient(found))
