"""A function of trees as a function of flat arrays, and its jaxpr."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr

from jaxgrad._core.dtypes import keep_dtype
from jaxgrad._core.trees import key_order, with_key_order
from jaxgrad._core.types import Array, PyTree


def flatten(
    fn: Callable[..., Any], params: PyTree, args: Sequence[Any], has_aux: bool
) -> tuple["FlatFunction", list[Array]]:
    """The flat function and the leaves of ``params`` as arrays."""
    leaves, tree = jax.tree.flatten(params)
    return FlatFunction(fn, tree, key_order(params), args, has_aux), [_as_array(leaf) for leaf in leaves]


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


class FlatFunction:
    """``fn(params, *args)`` as a function of flat leaves, which notes the structure of its results while it runs."""

    def __init__(self, fn: Callable[..., Any], tree: Any, order: Any, args: Sequence[Any], has_aux: bool) -> None:
        self.fn, self.tree, self.order, self.args, self.has_aux = fn, tree, order, args, has_aux
        self.outputs: Any = None
        self.aux_tree: Any = None
        self.aux_static: dict[int, Any] = {}

    def __call__(self, *leaves: Array) -> list[Any]:
        """The outputs flat, then the arrays among what is returned beside them."""
        result = self.fn(with_key_order(self.order, jax.tree.unflatten(self.tree, leaves)), *self.args)
        value, aux = result if self.has_aux else (result, None)
        outputs, self.outputs = jax.tree.flatten(value)
        rest, self.aux_tree = jax.tree.flatten(aux)
        # words and functions may be handed out beside the loss; only arrays can pass through a jaxpr
        self.aux_static = {i: leaf for i, leaf in enumerate(rest) if not _is_arraylike(leaf)}
        return outputs + [leaf for i, leaf in enumerate(rest) if i not in self.aux_static]

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


def _is_arraylike(value: Any) -> bool:
    return hasattr(value, "dtype") or isinstance(value, (bool, int, float, complex))
