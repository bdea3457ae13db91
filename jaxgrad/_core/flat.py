"""A record that is a single node as a pytree.

Every call of a compiled function takes its arguments apart and puts its results together. For a tree with a record for
each of two hundred tensors that takes a tenth of a millisecond, as long as many a step on them.
"""

from typing import Any, ClassVar, Self

import jax

from jaxgrad._core.donated import showable
from jaxgrad._core.trees import key_order, path_name, with_key_order


class Flat:
    """Base of a record of trees whose leaves stand side by side; its fields are put together when they are looked at.

    A subclass names its ``_fields``, has a property for each, and hands its parts to ``__init__`` in that order. The
    keys of dicts stay in the order in which they were given, which JAX, that sorts them, does not know of.

    >>> class Pair(Flat):
    ...     _fields = ("left", "right")
    ...
    ...     def __init__(self, left, right):
    ...         super().__init__(left, right)
    ...
    ...     left = property(lambda self: self._parts()[0])
    ...     right = property(lambda self: self._parts()[1])
    >>> pair = Pair({"b": (2, 3), "a": 1}, None)
    >>> jax.tree.map(lambda x: -x, pair)
    Pair(left={'b': (-2, -3), 'a': -1}, right=None)
    >>> pair.replace(right=4).right
    4
    >>> [str(path[0]) for path, _ in jax.tree_util.tree_leaves_with_path(pair)]
    ['.left.a', '.left.b.0', '.left.b.1']
    """

    __slots__ = ("_leaves", "_structure")
    _fields: ClassVar[tuple[str, ...]]

    def __init_subclass__(cls) -> None:
        jax.tree_util.register_pytree_with_keys_class(cls)

    def __init__(self, *parts: Any) -> None:
        leaves, structure = jax.tree.flatten(parts)
        self._leaves, self._structure = tuple(leaves), (structure, key_order(parts))

    def replace(self, **changes: Any) -> Self:
        """A record with some fields changed."""
        return type(self)(**{**self._named(), **changes})

    def __repr__(self) -> str:
        parts = ", ".join(f"{name}={showable(part)!r}" for name, part in self._named().items())
        return f"{type(self).__name__}({parts})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._parts()

    def _parts(self) -> tuple[Any, ...]:
        structure, order = self._structure
        parts: tuple[Any, ...] = with_key_order(order, jax.tree.unflatten(structure, self._leaves))
        return parts

    def _named(self) -> dict[str, Any]:
        return dict(zip(self._fields, self._parts(), strict=True))

    def tree_flatten(self) -> tuple[tuple[Any, ...], Any]:
        """The leaves, and what they were."""
        return self._leaves, self._structure

    def tree_flatten_with_keys(self) -> tuple[tuple[tuple[Any, Any], ...], Any]:
        """The leaves with their dotted names."""
        # a leaf may have become a tree, or None
        places = jax.tree.unflatten(self._structure[0], range(len(self._leaves)))
        paths = jax.tree_util.tree_leaves_with_path(places)
        names = (path_name((jax.tree_util.GetAttrKey(self._fields[path[0].idx]), *path[1:])) for path, _ in paths)
        keys = (jax.tree_util.GetAttrKey(name) for name in names)
        return tuple(zip(keys, self._leaves, strict=True)), self._structure

    @classmethod
    def tree_unflatten(cls, structure: Any, leaves: Any) -> Self:
        """The record of these leaves."""
        record = object.__new__(cls)
        record._leaves, record._structure = tuple(leaves), structure
        return record
