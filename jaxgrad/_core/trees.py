"""Trees whose leaves have torch's dotted names and may be ``None``.

JAX treats ``None`` as an empty subtree, so a plain ``jax.tree.map`` either drops it or complains of another
structure. Here ``None`` is a leaf that means *no gradient* and survives every map.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.types import PyTree


def is_none(leaf: Any) -> bool:
    """Whether a leaf is torch's missing gradient; the ``is_leaf`` of every map that keeps None."""
    return leaf is None


def is_array(leaf: Any) -> bool:
    """Whether a leaf is an array or a number; a module may hold functions and words beside its parameters."""
    return hasattr(leaf, "dtype") or isinstance(leaf, (bool, int, float, complex))


def is_tensor(value: Any) -> bool:
    """Whether a value is what torch calls a tensor: an array of JAX's or numpy's, traced or not; a number is none.

    >>> is_tensor(np.float32(1)), is_tensor(1.0)
    (True, False)
    """
    return isinstance(value, (jax.Array, np.ndarray, np.generic))


def map_keeping_none(fn: Callable[..., Any], tree: PyTree, *rest: PyTree) -> PyTree:
    """``jax.tree.map`` in which a leaf that is None in any of the trees stays None.

    >>> map_keeping_none(lambda a, b: a + b, {"w": 1, "b": None}, {"w": 2, "b": 3})
    {'b': None, 'w': 3}
    """

    def apply(*leaves: Any) -> Any:
        return None if any(leaf is None for leaf in leaves) else fn(*leaves)

    return jax.tree.map(apply, tree, *rest, is_leaf=is_none)


def all_finite(tree: PyTree) -> Any:
    """Whether no array has an entry that is nan or infinite; the arrays are floating or complex.

    Zero times each, added up, is zero or nan: sums are vectorized on CPUs, conjunctions are not.

    >>> bool(all_finite({"w": jnp.ones(2)})), bool(all_finite({"w": jnp.array([1.0, jnp.inf])}))
    (True, False)
    """
    return jnp.stack([jnp.isfinite(jnp.sum(leaf * 0)) for leaf in jax.tree.leaves(tree)] or [jnp.array(True)]).all()


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

    Raises:
        ValueError: two leaves have the same name, as in ``{"a.b": 1, "a": {"b": 2}}``.
    """
    paths = jax.tree_util.tree_leaves_with_path(tree, is_leaf=is_none)
    leaves = {path_name(path): leaf for path, leaf in paths}
    if len(leaves) < len(paths):
        _refuse_twice([path_name(path) for path, _ in paths])
    if isinstance(tree, dict) and leaves.keys() == tree.keys():
        return {name: leaves[name] for name in tree}
    return leaves


def _refuse_twice(names: list[str]) -> None:
    twice = next(name for name in names if names.count(name) > 1)
    raise ValueError(
        f'two leaves have the name "{twice}"\n  remedy:   other keys: a dot in a key reads as a level of the tree'
    )


KeyOrder: TypeAlias = tuple[Any, ...] | None


def key_order(tree: PyTree) -> KeyOrder:
    """The order of the keys of every dict in a tree, as a hashable value; None where there is no dict.

    JAX sorts the keys of a dict whenever it maps over it; torch's order of parameters is the order of construction.

    >>> key_order({"weight": 1, "bias": 2})
    ('dict', (('weight', None), ('bias', None)))
    """
    if type(tree) is dict:
        return ("dict", tuple((key, key_order(value)) for key, value in tree.items()))
    if type(tree) in (list, tuple):
        inner = tuple(key_order(value) for value in tree)
        return (type(tree).__name__, inner) if any(order is not None for order in inner) else None
    return None


def with_key_order(order: KeyOrder, tree: PyTree) -> PyTree:
    """The same tree with the keys of its dicts in the order that ``key_order`` read off another.

    >>> with_key_order(key_order({"weight": 1, "bias": 2}), {"bias": 20, "weight": 10})
    {'weight': 10, 'bias': 20}
    """
    if order is None:
        return tree
    kind, inner = order
    if kind == "dict":
        return {key: with_key_order(below, tree[key]) for key, below in inner}
    values = [with_key_order(below, value) for below, value in zip(inner, tree, strict=True)]
    return values if kind == "list" else tuple(values)
