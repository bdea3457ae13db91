"""Parameters as one vector and back, after ``torch/nn/utils/convert_parameters.py``.

The order of the vector is the order of the dict, which for the parameters of a module is torch's. Mind that JAX sorts
the keys of every dict that passes through a transformation (``jit``, ``grad``, ``tree.map``); there ``order`` says
which order is meant. A dict that bears the marks of that sorting is refused without it, since its vector would be a
permuted one. (``TrainState.params`` keeps torch's order.)
"""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Shaped

from jaxgrad._core.errors import describe, explain, is_traced, quoted
from jaxgrad._core.listing import named_variables
from jaxgrad._core.types import Array, ParamsLike


def parameters_to_vector(parameters: ParamsLike | Iterable[Array], order: Any = None) -> Shaped[Array, " entries"]:
    """Mirror of ``torch.nn.utils.parameters_to_vector``: all entries, one tensor after the other.

    Args:
        parameters: a dict of arrays, or an iterable of arrays as in torch.
        order: the order that is meant: a model, or the names; without it the dict's own.

    Returns:
        An array of shape (n,), in the promoted dtype.

    Raises:
        RuntimeError: a dict that JAX has sorted, without ``order``.
        KeyError: ``order`` has other names than the dict.

    >>> params = {"weight": jnp.array([[1.0, 2.0], [3.0, 4.0]]), "bias": jnp.array([5.0, 6.0])}
    >>> parameters_to_vector(params).tolist()
    [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    """
    leaves = [leaf for _, leaf in _in_order(parameters, order)]
    return jnp.concatenate([jnp.ravel(leaf) for leaf in leaves])


def vector_to_parameters(
    vec: Shaped[Array, " entries"], parameters: ParamsLike | Iterable[Array], order: Any = None
) -> Any:
    """Mirror of ``torch.nn.utils.vector_to_parameters``: the vector cut into the shapes of ``parameters``.

    Differs from torch: the new parameters are returned, and a vector of another length raises (torch leaves the rest
    of a longer one aside in silence).

    Args:
        vec: array of shape (n,).
        parameters: a dict of arrays, or an iterable of arrays, whose shapes are meant; n entries in all.
        order: the order that is meant: a model, or the names; without it the dict's own.

    Returns:
        A dict in the order of the vector, or a list, with the dtype of ``vec``.

    Raises:
        TypeError: ``expected torch.Tensor, but got: ...`` (here: an array).
        RuntimeError: the vector is too short or too long; or as in ``parameters_to_vector``.

    >>> vector_to_parameters(jnp.arange(3.0), {"weight": jnp.zeros((1, 2)), "bias": jnp.zeros(1)})
    {'weight': Array([[0., 1.]], dtype=float32), 'bias': Array([2.], dtype=float32)}
    """
    if not hasattr(vec, "dtype") or np.ndim(vec) != 1:
        raise TypeError(explain(f"expected an array of one axis, but got: {type(vec).__name__}", got=_shape(vec)))
    items = _in_order(parameters, order)
    sizes = [np.size(leaf) for _, leaf in items]
    if sum(sizes) != vec.shape[0]:
        raise RuntimeError(
            explain(
                f"shape '[{sum(sizes)}]' is invalid for input of size {vec.shape[0]}",
                got=describe(vec),
                expected=f"the {sum(sizes)} entries of the parameters",
            )
        )
    pieces = jnp.split(jnp.asarray(vec), np.cumsum(sizes)[:-1]) if items else []
    shaped = [(name, piece.reshape(np.shape(leaf))) for piece, (name, leaf) in zip(pieces, items, strict=True)]
    return dict(shaped) if isinstance(parameters, Mapping) else [piece for _, piece in shaped]


def _in_order(parameters: Any, order: Any) -> list[tuple[str, Any]]:
    if not isinstance(parameters, Mapping):
        if order is not None:
            raise TypeError(explain("order says how a dict is read", got=type(parameters).__name__))
        leaves = [parameters] if hasattr(parameters, "dtype") else list(parameters)
        return [(str(i), leaf) for i, leaf in enumerate(leaves)]
    keys = list(parameters)
    if order is not None:
        names = _names(order)
        if sorted(names) != sorted(keys):
            raise KeyError(explain("order has other names than the dict", got=quoted(names), expected=quoted(keys)))
        return [(name, parameters[name]) for name in names]
    if len(keys) > 1 and keys == sorted(keys) and (is_traced(parameters) or _marks_of_sorting(keys)):
        raise RuntimeError(
            explain(
                "the order of the parameters is lost: JAX has sorted the keys of this dict",
                got=quoted(keys),
                remedy="order=model, or order=[...] with the names as they are meant, e.g. list(params) outside of jit",
            )
        )
    return list(parameters.items())


def _names(order: Any) -> list[str]:
    """The names of a model's parameters, each once, or the names themselves."""
    if not isinstance(order, nnx.Module):
        return list(order)
    seen: dict[int, str] = {}
    for name, variable in named_variables(order):
        if isinstance(variable, nnx.Param):
            seen.setdefault(id(variable), name)
    return list(seen.values())


def _marks_of_sorting(keys: list[str]) -> bool:
    """Whether sorted keys are in an order that no module has: bias before weight, "10" before "2"."""
    found = set(keys)
    if any("bias" in name and name.replace("bias", "weight") in found for name in keys):
        return True
    pairs = ((one.split("."), other.split(".")) for one, other in pairwise(keys))
    for one, other in pairs:
        steps = ((a, b) for a, b in zip(one, other, strict=False) if a != b)
        a, b = next(steps, ("", ""))
        if a.isdigit() and b.isdigit() and int(a) > int(b):
            return True
    return False


def _shape(vec: Any) -> str:
    return describe(vec) if hasattr(vec, "dtype") else repr(vec)
