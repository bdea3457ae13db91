"""Parameters as one vector and back, after ``torch/nn/utils/convert_parameters.py``.

The order of the vector is the order of the dict, which for the parameters of a module is torch's. Mind that JAX sorts
the keys of every dict that passes through a transformation (``jit``, ``grad``, ``tree.map``); there ``names`` says
which order is meant.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxgrad._core.errors import describe, explain, is_traced, quoted
from jaxgrad._core.types import Array, ParamsLike


def parameters_to_vector(parameters: ParamsLike | Iterable[Array], names: Sequence[str] | None = None) -> Array:
    """Mirror of ``torch.nn.utils.parameters_to_vector``: all entries, one tensor after the other.

    Args:
        parameters: a dict of arrays, or an iterable of arrays as in torch.
        names: the order of a dict; without it the dict's own.

    Raises:
        RuntimeError: a dict inside a JAX transformation whose order is that of sorted keys, without ``names``.
        KeyError: ``names`` are not the keys of the dict.

    >>> params = {"weight": jnp.array([[1.0, 2.0], [3.0, 4.0]]), "bias": jnp.array([5.0, 6.0])}
    >>> parameters_to_vector(params).tolist()
    [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    """
    leaves = [leaf for _, leaf in _in_order(parameters, names)]
    return jnp.concatenate([jnp.ravel(leaf) for leaf in leaves])


def vector_to_parameters(
    vec: Array, parameters: ParamsLike | Iterable[Array], names: Sequence[str] | None = None
) -> Any:
    """Mirror of ``torch.nn.utils.vector_to_parameters``: the vector cut into the shapes of ``parameters``.

    Differs from torch: the new parameters are returned, and a vector of another length raises (torch leaves the rest
    of a longer one aside in silence).

    Args:
        vec: array of shape (n,).
        parameters: a dict of arrays, or an iterable of arrays, whose shapes are meant; n entries in all.
        names: the order of a dict; without it the dict's own.

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
    items = _in_order(parameters, names)
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


def _in_order(parameters: Any, names: Sequence[str] | None) -> list[tuple[str, Any]]:
    if not isinstance(parameters, Mapping):
        if names is not None:
            raise TypeError(explain("names says the order of a dict", got=type(parameters).__name__))
        leaves = [parameters] if hasattr(parameters, "dtype") else list(parameters)
        return [(str(i), leaf) for i, leaf in enumerate(leaves)]
    keys = list(parameters)
    if names is not None:
        if sorted(names) != sorted(keys):
            raise KeyError(explain("names are not the keys", got=quoted(names), expected=quoted(keys)))
        return [(name, parameters[name]) for name in names]
    if len(keys) > 1 and keys == sorted(keys) and is_traced(parameters):
        raise RuntimeError(
            explain(
                "the order of the parameters is lost: JAX has sorted the keys of this dict",
                got=quoted(keys),
                remedy="names=[...] with the names in the order that is meant, e.g. list(params) outside of jit",
            )
        )
    return list(parameters.items())


def _shape(vec: Any) -> str:
    return describe(vec) if hasattr(vec, "dtype") else repr(vec)
