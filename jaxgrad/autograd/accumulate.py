"""What ``.grad`` does between two backwards, as two functions of trees: add up, or start again.

In torch ``backward()`` adds into ``.grad`` in place and ``optimizer.zero_grad()`` clears it. Here the gradients are a
tree that is handed on, added to, or dropped. ``None`` means that there is no gradient: it is what a sum starts from.
"""

from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.errors import check_grad_fits, explain, quoted
from jaxgrad._core.trees import is_none, key_order, named_leaves, path_name, with_key_order
from jaxgrad._core.types import InexactTree


def accumulate(grads: InexactTree, more: InexactTree) -> InexactTree:
    """What a second ``loss.backward()`` does to every ``.grad``: ``grads + more``, where ``None + g`` is ``g``.

    The sum, as in torch; ``optax.MultiSteps`` would take the mean.

    Args:
        grads: a tree of gradients, None at a leaf that has none yet; None altogether before the first backward.
        more: a tree with the same names.

    Returns:
        The tree of sums, in the key order of ``grads``.

    Raises:
        RuntimeError: the trees have different names, or a leaf another shape or dtype.

    >>> import numpy as np
    >>> accumulate({"w": 1.0, "b": None, "unused": None}, {"w": 2.0, "b": 5.0, "unused": None})
    {'w': 3.0, 'b': 5.0, 'unused': None}
    """
    if grads is None or more is None:
        return more if grads is None else grads
    _check_names(grads, more)
    paths, tree = jax.tree.flatten_with_path(grads, is_leaf=is_none)
    leaves = jax.tree.leaves(more, is_leaf=is_none)
    sums = [_add(path_name(path), grad, new) for (path, grad), new in zip(paths, leaves, strict=True)]
    return with_key_order(key_order(grads), jax.tree.unflatten(tree, sums))


def zero_grad(grads: InexactTree, set_to_none: bool = True) -> InexactTree:
    """``optimizer.zero_grad(set_to_none)``: the tree of gradients as it stands before the next backward.

    Args:
        grads: a tree of gradients.
        set_to_none: True forgets every gradient. False leaves zeros, which an optimizer does not skip: momentum,
            moments and weight decay go on. A leaf that is None stays None in both cases.

    Returns:
        A tree with the names of ``grads``.

    Raises:
        TypeError: a leaf is no array (JAX's own sentence).

    >>> import numpy as np
    >>> zero_grad({"w": np.ones(2), "b": None})
    {'w': None, 'b': None}
    >>> zero_grad({"w": np.ones(2), "b": None}, set_to_none=False)
    {'w': Array([0., 0.], dtype=...), 'b': None}
    """

    def clear(grad: Any) -> Any:
        return None if set_to_none or grad is None else jnp.zeros_like(grad)

    return with_key_order(key_order(grads), jax.tree.map(clear, grads, is_leaf=is_none))


def _add(name: str, grad: Any, more: Any) -> Any:
    if grad is None or more is None:
        return more if grad is None else grad
    check_grad_fits(name, more, grad)
    return grad + more


def _check_names(grads: InexactTree, more: InexactTree) -> None:
    expected, got = named_leaves(grads).keys(), named_leaves(more).keys()
    if expected != got:
        raise RuntimeError(
            explain(
                "the two trees of gradients do not have the same names",
                got=quoted(sorted(got - expected)) or "nothing beside the expected ones",
                expected=quoted(sorted(expected - got)) or "none of these",
                remedy="give every parameter its key in both trees; None says that it has no gradient",
            )
        )
