"""The parameters as an optimizer sees them: by name, in JAX's order and in torch's."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxgrad._core.errors import explain
from jaxgrad._core.trees import named_leaves, path_name
from jaxgrad._core.types import Array, PyTree
from jaxgrad.optim.groups import Selection, members_of_groups


def plain(params: PyTree) -> PyTree:
    """The parameters without flax's variables around them, as ``nnx.Optimizer`` gives them to ``init``."""
    if not any(_is_variable(node) for node in jax.tree.leaves(params, is_leaf=_is_variable)):
        return params
    return jax.tree.map(lambda v: v.get_value() if _is_variable(v) else v, params, is_leaf=_is_variable)


def in_jax_order(params: PyTree) -> dict[str, Any]:
    """The parameters by dotted name in JAX's order, the order of the groups' vectors."""
    return {path_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(params)}


def members(selections: Sequence[Selection], params: PyTree) -> list[list[str]]:
    """The names that each group holds, in JAX's order; none at all of a tree without parameters."""
    leaves = in_jax_order(params)
    return members_of_groups(selections, leaves) if leaves else [[] for _ in selections]


def torch_numbers(selections: Sequence[Selection], params: PyTree) -> list[Array]:
    """For each group the numbers that torch gives its parameters: group by group, in the order of the dict or list."""
    if not in_jax_order(params):
        return [jnp.zeros(0, jnp.int32) for _ in selections]
    ordered = members_of_groups(selections, named_leaves(params))
    ordered = [_as_listed(selection, names) for selection, names in zip(selections, ordered, strict=True)]
    number = {name: i for i, name in enumerate(name for names in ordered for name in names)}
    return [jnp.asarray([number[name] for name in names], jnp.int32) for names in members(selections, params)]


def check_not_empty(params: PyTree) -> None:
    """Raise torch's sentence for a call without parameters.

    A tree in which a wrapper has put something else in their places (``optax.masked``, ``optax.multi_transform``, an
    abstract tree) is no such call.

    Raises:
        ValueError: "optimizer got an empty parameter list".
    """
    containers = (dict, list, tuple, type(None))
    places = jax.tree.leaves(params, is_leaf=lambda node: node is not params and type(node) not in containers)
    if not places and (type(params) in containers or isinstance(params, nnx.State)):
        raise ValueError("optimizer got an empty parameter list")


def lr_per_group(lr: Any, count: int) -> list[Any]:
    """The lr of a step for each group, from a number or one for each."""
    if lr is None or not (isinstance(lr, (list, tuple)) or np.ndim(lr) == 1):
        return [lr] * count
    if len(lr) != count:
        raise ValueError(explain(f"expected one lr for each of {count} parameter groups", got=f"{len(lr)} of them"))
    return list(lr)


def _is_variable(node: Any) -> bool:
    return isinstance(node, nnx.Variable)


def _as_listed(selection: Selection, names: list[str]) -> list[str]:
    if not isinstance(selection, (list, tuple)) or not all(isinstance(each, str) for each in selection):
        return names
    place = {
        name: next(i for i, each in enumerate(selection) if name == each or fnmatchcase(name, each)) for name in names
    }
    return sorted(names, key=place.__getitem__)
