"""A record that is a single node as a pytree.

Every call of a compiled function takes its arguments apart and puts its results together. For a tree with a record for
each of two hundred tensors that takes a tenth of a millisecond, as long as many a step on them.
"""

from typing import Any, ClassVar, Self

import jax

from jaxgrad._core.donated import showable
from jaxgrad._core.trees import path_name


class Flat:
    """Base of a record of trees whose leaves stand side by side; its fields are put together when they are looked at.

    A subclass names its ``_fields``, has a property for each, and hands its parts to ``__init__`` in that order.

    >>> class Pair(Flat):
    ...     _fields = ("left", "right")
    ...
    ...     def __init__(self, left, right):
    ...         super().__init__(left, right)
    ...
    ...     left = property(lambda self: self._parts()[0])
    ...     right = property(lambda self: self._parts()[1])
    >>> pair = Pair({"a": 1, "b": (2, 3)}, None)
    >>> jax.tree.map(lambda x: -x, pair)
    Pair(left={'a': -1, 'b': (-2, -3)}, right=None)
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
        leaves, self._structure = jax.tree.flatten(parts)
        self._leaves = tuple(leaves)

    def replace(self, **changes: Any) -> Self:
        """A record with some fields changed."""
        return type(self)(**{**self._named(), **changes})

    def __repr__(self) -> str:
        parts = ", ".join(f"{name}={showable(part)!r}" for name, part in self._named().items())
        return f"{type(self).__name__}({parts})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._parts()

    def _parts(self) -> tuple[Any, ...]:
        return jax.tree.unflatten(self._structure, self._leaves)

    def _named(self) -> dict[str, Any]:
        return dict(zip(self._fields, self._parts(), strict=True))

    def tree_flatten(self) -> tuple[tuple[Any, ...], Any]:
        """The leaves, and what they were."""
        return self._leaves, self._structure

    def tree_flatten_with_keys(self) -> tuple[tuple[tuple[Any, Any], ...], Any]:
        """The leaves with their dotted names."""
        places = jax.tree.unflatten(self._structure, range(len(self._leaves)))  # a leaf may have become a tree, or None
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
