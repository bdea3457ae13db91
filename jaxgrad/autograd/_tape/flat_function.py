"""A function of trees as a function of flat arrays, and its jaxpr."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.dtypes import keep_dtype
from jaxgrad._core.trees import KeyOrder, is_array, key_order, with_key_order
from jaxgrad._core.types import Array, PyTree
from jaxgrad._jaxpr.evaluate import Visit, evaluate
from jaxgrad._jaxpr.unstable import ClosedJaxpr


def flatten(
    fn: Callable[..., Any], params: PyTree, args: Sequence[Any], has_aux: bool
) -> tuple["FlatFunction", list[Array]]:
    """The flat function, and the leaves of ``params`` as arrays: empty ones for what is none (functions, words)."""
    leaves, tree = jax.tree.flatten(params)
    static = {i: leaf for i, leaf in enumerate(leaves) if not is_array(leaf)}
    call = FlatFunction(fn, tree, key_order(params), static, args, has_aux)
    return call, call.arrays(params)


def _as_array(leaf: Any) -> Array:
    if isinstance(leaf, jax.Array):
        return leaf
    if isinstance(leaf, (np.ndarray, np.generic)) and np.issubdtype(leaf.dtype, np.inexact):
        keep_dtype(leaf.dtype)  # JAX would narrow a float64 array without a word
    return jnp.asarray(leaf)


def trace(
    fn: Callable[..., Any], params: PyTree, args: Sequence[Any], has_aux: bool
) -> tuple["FlatFunction", ClosedJaxpr, list[Array]]:
    """``fn(params, *args)`` as a jaxpr of the leaves of ``params``; ``args`` are constants in it."""
    call, leaves = flatten(fn, params, args, has_aux)
    return call, jax.make_jaxpr(call)(*leaves), leaves


def evaluated(fn: Callable[..., Any], visit: Visit, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """``fn(*args, **kwargs)`` with every equation of its jaxpr done by ``visit``; what is no array stays as it is."""
    leaves, structure = jax.tree.flatten((tuple(args), kwargs))
    traced = [hasattr(leaf, "dtype") for leaf in leaves]
    arrays = [leaf for leaf, is_traced in zip(leaves, traced, strict=True) if is_traced]
    order, orders = key_order((tuple(args), kwargs)), []

    def on_arrays(arrays: list[Any]) -> Any:
        values = iter(arrays)
        everything = [next(values) if is_traced else leaf for leaf, is_traced in zip(leaves, traced, strict=True)]
        args, kwargs = with_key_order(order, jax.tree.unflatten(structure, everything))
        result = fn(*args, **kwargs)
        orders.append(key_order(result))
        return (), result

    call, jaxpr, arrays = trace(on_arrays, arrays, (), has_aux=True)
    return with_key_order(orders[-1], call.result(evaluate(jaxpr.jaxpr, jaxpr.consts, arrays, visit))[1])


class FlatFunction:
    """``fn(params, *args)`` as a function of flat leaves, which notes the structure of its results while it runs."""

    def __init__(
        self,
        fn: Callable[..., Any],
        tree: Any,
        order: KeyOrder,
        static: dict[int, Any],
        args: Sequence[Any],
        has_aux: bool,
    ) -> None:
        self.fn, self.tree, self.order, self.static, self.args, self.has_aux = fn, tree, order, static, args, has_aux
        self.outputs: Any = None
        self.aux_tree: Any = None
        self.aux_static: dict[int, Any] = {}

    def __call__(self, *leaves: Array) -> list[Any]:
        """The outputs flat, then the arrays among what is returned beside them."""
        everything = [self.static.get(i, leaf) for i, leaf in enumerate(leaves)]
        result = self.fn(with_key_order(self.order, jax.tree.unflatten(self.tree, everything)), *self.args)
        value, aux = result if self.has_aux else (result, None)
        outputs, self.outputs = jax.tree.flatten(value)
        rest, self.aux_tree = jax.tree.flatten(aux)
        # words and functions may be handed out beside the loss; only arrays can pass through a jaxpr
        self.aux_static = {i: leaf for i, leaf in enumerate(rest) if not is_array(leaf)}
        return outputs + [leaf for i, leaf in enumerate(rest) if i not in self.aux_static]

    def arrays(self, params: PyTree) -> list[Array]:
        """The leaves of a tree like the parameters, in the form that the jaxpr takes."""
        return [_as_array(leaf) if is_array(leaf) else jnp.zeros(0, jnp.int32) for leaf in jax.tree.leaves(params)]

    def result(self, results: Sequence[Any]) -> Any:
        """What ``fn`` returned, put together again from flat results."""
        n = self.outputs.num_leaves
        value = jax.tree.unflatten(self.outputs, results[:n])
        return (value, self.aux(results[n:])) if self.has_aux else value

    def aux(self, arrays: Sequence[Any]) -> PyTree:
        """The second result of ``fn``, put together again from its arrays."""
        values = iter(arrays)
        places = range(self.aux_tree.num_leaves)
        leaves = [self.aux_static[i] if i in self.aux_static else next(values) for i in places]
        return jax.tree.unflatten(self.aux_tree, leaves)
