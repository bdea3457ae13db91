"""Reduction of what goes to one place, with torch's gradients: the shared half of scatter_reduce and index_reduce."""

from functools import partial

import jax
import jax.numpy as jnp

from jaxgrad._core.types import Array
from jaxgrad._tensor.places import Places


def check_reduce(reduce: str, words: tuple[str, ...]) -> None:
    """Raise torch's sentence unless ``reduce`` is one of the words.

    Raises:
        RuntimeError: it is not.
    """
    if reduce not in words:
        *first, last = words
        raise RuntimeError(f"reduce argument must be either {', '.join(first)} or {last}, got {reduce}")


@partial(jax.custom_vjp, nondiff_argnums=(3, 4))
def reduce_at(input: Array, places: Places, source: Array, reduce: str, include_self: bool) -> Array:
    """``source`` reduced into ``input`` at ``places``: "sum", "prod", "mean", "amax" or "amin"."""
    start = input if include_self else input.at[places].set(_neutral(reduce, input.dtype), mode="drop")
    at = start.at[places]
    if reduce == "prod":
        return at.multiply(source, mode="drop")
    if reduce == "amax":
        return at.max(source, mode="drop")
    if reduce == "amin":
        return at.min(source, mode="drop")
    total = at.add(source, mode="drop")
    if reduce == "sum":
        return total
    count = _counts(input, places, include_self)
    return total / count if jnp.issubdtype(total.dtype, jnp.inexact) else total // count


def _fwd(
    input: Array, places: Places, source: Array, reduce: str, include_self: bool
) -> tuple[Array, tuple[Array, Places, Array, Array]]:
    result = reduce_at(input, places, source, reduce, include_self)
    return result, (input, places, source, result)


def _bwd(
    reduce: str, include_self: bool, saved: tuple[Array, Places, Array, Array], grad: Array
) -> tuple[Array, None, Array]:
    input, places, source, result = saved
    if reduce == "sum":
        to_input, to_source = grad, _read(grad, places)
    elif reduce == "mean":
        share = grad / _counts(input, places, include_self)
        to_input, to_source = share, _read(share, places)
    elif reduce == "prod":
        to_input, to_source = _product_rule(input, places, source, result, grad, include_self)
    else:
        kept, won = input == result, source == _read(result, places)
        sharing = kept.astype(grad.dtype).at[places].add(won.astype(grad.dtype), mode="drop")
        share = grad / sharing
        to_input, to_source = jnp.where(kept, share, 0), jnp.where(won, _read(share, places), 0)
    if not include_self:
        to_input = to_input.at[places].set(jnp.zeros((), grad.dtype), mode="drop")
    return to_input, None, to_source


def _product_rule(
    input: Array, places: Places, source: Array, result: Array, grad: Array, include_self: bool
) -> tuple[Array, Array]:
    """The product of all others: the result divided by the factor, or made anew without it where it is the one zero."""
    without_zero = jnp.where(input == 0, 1, input)
    to_input = grad * reduce_at(without_zero, places, source, "prod", include_self) / without_zero
    zero = source == 0
    zeros = jnp.zeros(input.shape, jnp.int32).at[places].add(zero.astype(jnp.int32), mode="drop")
    alone = zero & (_read(zeros, places) == 1)
    of_others = reduce_at(input, places, jnp.where(alone, 1, source), "prod", include_self)
    to_source = jnp.where(
        alone, _read(grad * of_others, places), _read(grad * result, places) / jnp.where(zero, 1, source)
    )
    return to_input, to_source


reduce_at.defvjp(_fwd, _bwd)


def _read(array: Array, places: Places) -> Array:
    return array.at[places].get(mode="fill", fill_value=0)


def _counts(input: Array, places: Places, include_self: bool) -> Array:
    dtype = input.dtype
    start = jnp.full(input.shape, 1 if include_self else 0, dtype)
    return jnp.maximum(start.at[places].add(jnp.ones((), dtype), mode="drop"), 1)


def _neutral(reduce: str, dtype: jnp.dtype) -> Array:
    if reduce in ("sum", "mean"):
        return jnp.zeros((), dtype)
    if reduce == "prod":
        return jnp.ones((), dtype)
    if jnp.issubdtype(dtype, jnp.inexact):
        return jnp.array(-jnp.inf if reduce == "amax" else jnp.inf, dtype)
    limits = jnp.iinfo(dtype)
    return jnp.array(limits.min if reduce == "amax" else limits.max, dtype)
