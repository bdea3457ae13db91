"""Values whose memory a compiled step has taken over: they can still be shown."""

from typing import Any

import jax

from jaxgrad._core.trees import key_order, with_key_order
from jaxgrad._core.types import PyTree


class Donated:
    """What stands for a donated array in a ``repr``."""

    def __init__(self, array: jax.Array) -> None:
        self.words = f"<donated {array.dtype}[{','.join(map(str, array.shape))}]>"

    def __repr__(self) -> str:
        return self.words


def showable(tree: PyTree) -> Any:
    """The tree with a word in the place of every donated array, whose numbers nobody can look at any more.

    >>> import jax.numpy as jnp
    >>> x = jnp.ones((2, 3))
    >>> x.delete()
    >>> showable({"w": x, "b": 1})
    {'w': <donated float32[2,3]>, 'b': 1}
    """
    shown = jax.tree.map(lambda leaf: Donated(leaf) if _is_donated(leaf) else leaf, tree)
    return with_key_order(key_order(tree), shown)


def _is_donated(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array) and not isinstance(leaf, jax.core.Tracer) and leaf.is_deleted()
