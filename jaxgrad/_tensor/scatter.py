"""Writing at full-rank indices: ``scatter`` and its kin.

Where an index stands twice the last value stays and every value gets the whole gradient of the place, as in torch; JAX
gives it to one of them. These rules work in reverse mode (``jax.custom_vjp``).
"""

from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.castable import castable
from jaxgrad._core.operations import operation
from jaxgrad._core.shapes import axis_of
from jaxgrad._core.types import Array
from jaxgrad._tensor.places import Places, along, check_dtype, check_range, check_rank, check_same_dtype
from jaxgrad._tensor.reduce_at import check_reduce, reduce_at

_WORDS = {"add": "sum", "multiply": "prod"}


@operation("ScatterBackward0")
def scatter(input: Array, dim: int, index: Array, src: Any, *, reduce: str | None = None) -> Array:
    r"""Mirror of ``torch.scatter``: writes along one axis, :math:`y_{i\,n_{ijk}k} = s_{ijk}` for ``dim=1``.

    Args:
        input: what is written into (a copy of it).
        dim: the axis.
        index: int32 or int64, of the rank of ``input``.
        src: values, at least as large as ``index``; or a number.
        reduce: None, "add" or "multiply", which torch has deprecated: see :func:`scatter_reduce`.

    Raises:
        RuntimeError: an index is out of range, or ranks, sizes or dtypes do not fit.

    >>> scatter(jnp.zeros(3), 0, jnp.array([2, 0]), jnp.array([5.0, 6.0])).tolist()
    [6.0, 0.0, 5.0]

    Source: torch.scatter.
    """
    if reduce is not None:
        if reduce not in _WORDS:
            raise RuntimeError("reduce argument must be either add or multiply.")
        input, source = jnp.asarray(input), src
        if jnp.ndim(source) == 0:
            source = jnp.full(jnp.shape(index), source, input.dtype)
        return scatter_reduce(input, dim, index, source, _WORDS[reduce])
    at, places, values = _arguments("scatter", input, dim, index, src)
    return at if places is None else put(at, places, values).reshape(jnp.shape(input))


@castable("scatter_add")
@operation("ScatterAddBackward0")
def scatter_add(input: Array, dim: int, index: Array, src: Array) -> Array:
    """Mirror of ``torch.scatter_add``: adds along one axis; what stands at one index twice is added twice.

    Args:
        input: what is added to.
        dim: the axis.
        index: int32 or int64, of the rank of ``input``.
        src: values, at least as large as ``index``.

    Raises:
        RuntimeError: as :func:`scatter`.

    >>> scatter_add(jnp.zeros(2), 0, jnp.array([1, 1]), jnp.array([5.0, 6.0])).tolist()
    [0.0, 11.0]

    Source: torch.scatter_add.
    """
    at, places, values = _arguments("scatter", input, dim, index, src)
    return at if places is None else at.at[places].add(values, mode="drop").reshape(jnp.shape(input))


@operation("ScatterReduceBackward0")
def scatter_reduce(
    input: Array, dim: int, index: Array, src: Array, reduce: str, *, include_self: bool = True
) -> Array:
    """Mirror of ``torch.scatter_reduce``: sum, prod, mean, amax or amin of what goes to one place.

    Gradients as in torch: of a product the formula that is right beside one zero; of amax and amin all equals share
    evenly, the written ones and the one that stood there.

    Args:
        input: what is reduced into.
        dim: the axis.
        index: int32 or int64, of the rank of ``input``.
        src: values, at least as large as ``index``.
        reduce: "sum", "prod", "mean", "amax" or "amin".
        include_self: whether what stood at a place counts too.

    Raises:
        RuntimeError: another word, or as :func:`scatter`.

    >>> scatter_reduce(jnp.full(2, 9.0), 0, jnp.array([0, 0]), jnp.array([1.0, 2.0]), "mean").tolist()
    [4.0, 9.0]

    Source: torch.scatter_reduce.
    """
    check_reduce(reduce, ("sum", "prod", "mean", "amax", "amin"))
    at, places, values = _arguments("scatter", input, dim, index, src)
    if places is None:
        return at
    return reduce_at(at, places, values, reduce, include_self).reshape(jnp.shape(input))


@jax.custom_vjp
def put(input: Array, places: Places, values: Array) -> Array:
    """``values`` written at ``places``; of several for one place the last stays, and all get its gradient."""
    return input.at[places].set(values, mode="drop")


def _put_fwd(input: Array, places: Places, values: Array) -> tuple[Array, Places]:
    return put(input, places, values), places


def _put_bwd(places: Places, grad: Array) -> tuple[Array, None, Array]:
    return put(grad, places, jnp.zeros((), grad.dtype)), None, grad.at[places].get(mode="fill", fill_value=0)


put.defvjp(_put_fwd, _put_bwd)


def _arguments(name: str, input: Any, dim: int, index: Any, src: Any) -> tuple[Array, Places | None, Array]:
    input, index = jnp.asarray(input), jnp.asarray(index)
    axis = axis_of(dim, input.ndim)
    check_dtype(name, index)
    if index.size == 0:
        return input, None, input
    if max(index.ndim, 1) != max(input.ndim, 1):
        raise RuntimeError("Index tensor must have the same number of dimensions as self tensor")
    at, where = jnp.atleast_1d(input), jnp.atleast_1d(index)
    if isinstance(src, int | float | complex):
        values = jnp.full(where.shape, src, at.dtype)
    else:
        values = jnp.atleast_1d(jnp.asarray(src))
        check_same_dtype(name, at, values)
        _check_src(where, at, values, axis)
        values = values[tuple(slice(n) for n in where.shape)]
    if any(have > most for each, (have, most) in enumerate(zip(where.shape, at.shape, strict=True)) if each != axis):
        check_rank(name, at, where, axis)
    check_range(where, at.shape[axis], f"index {{}} is out of bounds for dimension {dim} with size {at.shape[axis]}")
    return at, along(where, axis), values


def _check_src(index: Array, input: Array, src: Array, axis: int) -> None:
    if src.ndim != index.ndim:
        raise RuntimeError("Index tensor must have the same number of dimensions as src tensor")
    too_large = any(index.shape[i] > input.shape[i] for i in range(index.ndim) if i != axis)
    if too_large or any(have > most for have, most in zip(index.shape, src.shape, strict=True)):
        raise RuntimeError(
            f"Expected index {list(index.shape)} to be no larger than self {list(input.shape)} apart from dimension "
            f"{axis} and to be no larger size than src {list(src.shape)}"
        )
