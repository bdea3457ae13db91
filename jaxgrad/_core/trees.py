"""Trees whose leaves have torch's dotted names and may be ``None``.

JAX treats ``None`` as an empty subtree, so a plain ``jax.tree.map`` either drops it or complains of another
structure. Here ``None`` is a leaf that means *no gradient* and survives every map.
"""

from collections.abc import Callable
from typing import Any

import jax

from jaxgrad._core.types import PyTree


def is_none(leaf: Any) -> bool:
    """Whether a leaf is torch's missing gradient; the ``is_leaf`` of every map that keeps None."""
    return leaf is None


def map_keeping_none(fn: Callable[..., Any], tree: PyTree, *rest: PyTree) -> PyTree:
    """``jax.tree.map`` in which a leaf that is None in any of the trees stays None.

    >>> map_keeping_none(lambda a, b: a + b, {"w": 1, "b": None}, {"w": 2, "b": 3})
    {'b': None, 'w': 3}
    """

    def apply(*leaves: Any) -> Any:
        return None if any(leaf is None for leaf in leaves) else fn(*leaves)

    return jax.tree.map(apply, tree, *rest, is_leaf=is_none)


def path_name(path: tuple[Any, ...]) -> str:
    """The dotted name of a tree path: ``(DictKey('0'), DictKey('weight'))`` is ``0.weight``."""
    return jax.tree_util.keystr(path, simple=True, separator=".")


def named_leaves(tree: PyTree) -> dict[str, Any]:
    """The leaves of a tree under their dotted names, None included.

    A flat dict keeps its own order, which for parameters is torch's; JAX itself would sort the keys.

    >>> named_leaves({"0.weight": 1, "0.bias": None})
    {'0.weight': 1, '0.bias': None}
    >>> named_leaves({"layers": [{"w": 1}, {"w": 2}]})
    {'layers.0.w': 1, 'layers.1.w': 2}
    """
    leaves = {path_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree, is_leaf=is_none)}
    if isinstance(tree, dict) and leaves.keys() == tree.keys():
        return {name: leaves[name] for name in tree}
    return leaves
