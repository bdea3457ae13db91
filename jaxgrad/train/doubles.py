"""Numbers that torch keeps in Python's doubles, carried by a compiled step without losing a bit."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.types import Array
from jaxgrad.optim._rule.precision import pack_all, unpack_all, widen_all


@jax.tree_util.register_pytree_node_class
class Doubles:
    """A tree of numbers: floats are kept as the optimizers keep theirs, integers as int32.

    All of a kind stand in one array: a compiled step pays for every array that goes in or comes out.

    >>> kept = Doubles.of({"lr": 0.1, "count": 3, "momentum": 0.9})
    >>> kept.numbers()
    {'count': 3, 'lr': 0.1, 'momentum': 0.9}
    >>> len(jax.tree.leaves(kept))
    2
    """

    def __init__(self, floats: Array | None, integers: Array | None, structure: Any, is_float: tuple[bool, ...]):
        self._floats, self._integers, self._structure, self._is_float = floats, integers, structure, is_float

    @classmethod
    def of(cls, tree: Any) -> "Doubles":
        """Keep a tree of Python numbers, or of arrays with a double's accuracy."""
        leaves, structure = jax.tree.flatten(tree)
        is_float = tuple(bool(jnp.issubdtype(jnp.result_type(leaf), jnp.floating)) for leaf in leaves)
        floats = [leaf for leaf, of_float in zip(leaves, is_float, strict=True) if of_float]
        integers = [leaf for leaf, of_float in zip(leaves, is_float, strict=True) if not of_float]
        return cls(
            pack_all(floats) if floats else None,
            _together(integers) if integers else None,
            structure,
            is_float,
        )

    def widened(self) -> Any:
        """The tree of float64 and int32 arrays; call it inside ``double_precision``."""
        floats = [] if self._floats is None else list(widen_all(self._floats))
        return self._tree(floats, [] if self._integers is None else list(self._integers))

    def numbers(self) -> Any:
        """The tree of Python numbers (of arrays for an ensemble under ``vmap``)."""
        floats = [] if self._floats is None else _along_last(unpack_all(self._floats))
        return self._tree(floats, [] if self._integers is None else _along_last(np.asarray(self._integers)))

    def _tree(self, floats: list[Any], integers: list[Any]) -> Any:
        of_float, of_int = iter(floats), iter(integers)
        return jax.tree.unflatten(self._structure, [next(of_float if each else of_int) for each in self._is_float])

    def tree_flatten(self) -> tuple[tuple[Array | None, Array | None], tuple[Any, tuple[bool, ...]]]:
        """The arrays, and what is static under jit."""
        return (self._floats, self._integers), (self._structure, self._is_float)

    @classmethod
    def tree_unflatten(cls, static: tuple[Any, tuple[bool, ...]], arrays: Any) -> "Doubles":
        """The inverse of ``tree_flatten``."""
        (floats, integers), (structure, is_float) = arrays, static
        return cls(floats, integers, structure, is_float)

    def __repr__(self) -> str:
        return f"Doubles({self._structure})"


def _together(integers: list[Any]) -> Array:
    if any(isinstance(each, jax.Array) for each in integers):
        return jnp.stack([jnp.asarray(each).reshape(()).astype(jnp.int32) for each in integers])
    return jnp.asarray(np.array(integers, np.int32))


def _along_last(numbers: Any) -> list[Any]:
    columns = np.moveaxis(numbers, -1, 0)
    return [column.item() if column.ndim == 0 else column for column in columns]
