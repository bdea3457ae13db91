"""Numbers that torch keeps in Python's doubles, carried by a compiled step without losing a bit."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad.optim._rule.precision import pack, unpack, widen


@jax.tree_util.register_pytree_node_class
class Doubles:
    """A tree of numbers: floats are kept as the optimizers keep theirs, integers as int32.

    >>> kept = Doubles.of({"lr": 0.1, "count": 3})
    >>> kept.numbers()
    {'count': 3, 'lr': 0.1}
    """

    def __init__(self, leaves: list[Any], structure: Any, is_float: tuple[bool, ...]):
        self._leaves, self._structure, self._is_float = leaves, structure, is_float

    @classmethod
    def of(cls, tree: Any) -> "Doubles":
        """Keep a tree of Python numbers, or of arrays with a double's accuracy."""
        leaves, structure = jax.tree.flatten(tree)
        is_float = tuple(jnp.issubdtype(jnp.result_type(leaf), jnp.floating) for leaf in leaves)
        kept = [
            pack(x) if of_float else jnp.asarray(x, jnp.int32) for x, of_float in zip(leaves, is_float, strict=True)
        ]
        return cls(kept, structure, is_float)

    def widened(self) -> Any:
        """The tree of float64 and int32 arrays; call it inside ``double_precision``."""
        pairs = zip(self._leaves, self._is_float, strict=True)
        return jax.tree.unflatten(self._structure, [widen(x) if of_float else x for x, of_float in pairs])

    def numbers(self) -> Any:
        """The tree of Python numbers."""
        pairs = zip(self._leaves, self._is_float, strict=True)
        return jax.tree.unflatten(
            self._structure, [unpack(x) if of_float else np.asarray(x).item() for x, of_float in pairs]
        )

    def tree_flatten(self) -> tuple[list[Any], tuple[Any, tuple[bool, ...]]]:
        """The arrays, and what is static under jit."""
        return self._leaves, (self._structure, self._is_float)

    @classmethod
    def tree_unflatten(cls, static: tuple[Any, tuple[bool, ...]], leaves: list[Any]) -> "Doubles":
        """The inverse of ``tree_flatten``."""
        return cls(list(leaves), *static)

    def __repr__(self) -> str:
        return f"Doubles({self._structure})"
