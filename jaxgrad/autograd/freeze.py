"""``requires_grad`` as a property of a tree: a mask, or the parameters in two trees, trained and frozen.

In torch every parameter carries a flag. Here the choice is a value: a mask is what ``inputs=`` of ``backward`` takes,
two trees are what a loss function of the trained half takes. In both a frozen parameter has gradient None (so that
the optimizer leaves it and its state alone), and its gradient is not computed at all.
"""

from collections.abc import Callable
from typing import Any

import jax

from jaxgrad._core.errors import check_differentiable, explain
from jaxgrad._core.selection import Where, select
from jaxgrad._core.trees import is_none, key_order, path_name, with_key_order
from jaxgrad._core.types import PyTree


def requires_grad(params: PyTree, where: Where, requires_grad: bool = True) -> PyTree:
    """``for p in ...: p.requires_grad_(...)`` as a mask: a tree of booleans for ``inputs=`` of ``backward``.

    Args:
        params: any tree of arrays.
        where: names, patterns, a predicate of name and leaf, or a mask.
        requires_grad: what is said of the leaves that match; of the others the opposite.

    Returns:
        A tree like ``params``. ``backward(..., inputs=mask)`` computes no gradient for a False, and a loss that
        depends on such leaves alone does not require grad.

    Raises:
        KeyError: a name or pattern matches no leaf.
        RuntimeError: a leaf that should be trained is not floating point or complex.

    >>> requires_grad({"features.weight": 1.0, "head.weight": 2.0}, "head.*")
    {'features.weight': False, 'head.weight': True}
    """
    leaves, tree = _named(params)
    matched = set(select(params, where))
    flags = {name: (name in matched) == requires_grad for name in leaves}
    check_differentiable({name: leaf for name, leaf in leaves.items() if flags[name]})
    return with_key_order(key_order(params), jax.tree.unflatten(tree, list(flags.values())))


def freeze(params: PyTree, where: Where) -> tuple[PyTree, PyTree]:
    """``requires_grad_(False)`` for the leaves that match: the parameters as two trees, trained and frozen.

    Both have every name, with None for the leaves that are in the other; ``merge`` is the way back.

    Args:
        params: any tree of arrays.
        where: names, patterns, a predicate of name and leaf, or a mask.

    Returns:
        ``(trained, frozen)``, both with the structure of ``params``.

    Raises:
        KeyError: a name or pattern matches no leaf.

    >>> from jaxgrad import autograd
    >>> trained, frozen = freeze({"w": 2.0, "b": 1.0}, "w")
    >>> trained, frozen
    ({'w': None, 'b': 1.0}, {'w': 2.0, 'b': None})
    >>> loss_fn = lambda p, x: (p["w"] * x + p["b"]) ** 2
    >>> autograd.backward(lambda trained, x: loss_fn(merge(trained, frozen), x), trained, 3.0)[1]
    {'w': None, 'b': Array(14., dtype=...)}
    """
    return _split(params, lambda name, matched: name not in matched, where)


def unfreeze(trained: PyTree, frozen: PyTree, where: Where) -> tuple[PyTree, PyTree]:
    """``requires_grad_(True)`` for the frozen leaves that match: the two trees anew.

    Args:
        trained: the first tree of ``freeze``.
        frozen: the second.
        where: names, patterns, a predicate of name and leaf, or a mask, over all parameters.

    Returns:
        ``(trained, frozen)``; leaves that were trained stay so.

    Raises:
        KeyError: a name or pattern matches no leaf.
        ValueError: a leaf is in both trees.

    >>> unfreeze({"w": None, "b": 1.0}, {"w": 2.0, "b": None}, "w")
    ({'w': 2.0, 'b': 1.0}, {'w': None, 'b': None})
    """
    free = {name for name, leaf in _named(trained)[0].items() if leaf is not None}
    return _split(merge(trained, frozen), lambda name, matched: name in free or name in matched, where)


def merge(*trees: PyTree) -> PyTree:
    """The parameters in one tree again: for every name the one value that is not None.

    Args:
        trees: of the same structure, as ``freeze`` makes them.

    Returns:
        The tree, in the key order of the first; None where no tree has a value.

    Raises:
        ValueError: two trees have a value for one name.

    >>> merge({"w": None, "b": 1.0}, {"w": 2.0, "b": None})
    {'w': 2.0, 'b': 1.0}
    """

    def only(path: tuple[Any, ...], *leaves: Any) -> Any:
        given = [leaf for leaf in leaves if leaf is not None]
        if len(given) > 1:
            raise ValueError(
                explain("a leaf is in two trees", got=f'"{path_name(path)}"', remedy="None in all of them but one")
            )
        return given[0] if given else None

    return with_key_order(key_order(trees[0]), jax.tree.map_with_path(only, *trees, is_leaf=is_none))


def _named(tree: PyTree) -> tuple[dict[str, Any], Any]:
    paths, structure = jax.tree.flatten_with_path(tree, is_leaf=is_none)
    return {path_name(path): leaf for path, leaf in paths}, structure


def _split(params: PyTree, is_trained: Callable[[str, set[str]], bool], where: Where) -> tuple[PyTree, PyTree]:
    leaves, tree = _named(params)
    matched, order = set(select(params, where)), key_order(params)
    trained = [leaf if is_trained(name, matched) else None for name, leaf in leaves.items()]
    frozen = [None if is_trained(name, matched) else leaf for name, leaf in leaves.items()]
    halves = [with_key_order(order, jax.tree.unflatten(tree, half)) for half in (trained, frozen)]
    return halves[0], halves[1]
