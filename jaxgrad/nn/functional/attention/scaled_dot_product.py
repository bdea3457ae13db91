r"""Attention of queries to keys.

.. math:: y = \operatorname{softmax}\Big(\frac{q k^T}{\sqrt E} + m\Big) v

Letters: N batch, H heads, L queries, S keys, E features of a key, V features of a value.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Inexact, Shaped

from jaxgrad._core.castable import castable
from jaxgrad._core.diagnosis import diagnosed
from jaxgrad._core.dtype_names import c_name
from jaxgrad._core.dtypes import opmath_dtype
from jaxgrad._core.errors import explain
from jaxgrad._core.shapes import broadcast_shape
from jaxgrad._core.types import Array
from jaxgrad.nn.functional.dropout import dropout


@diagnosed
@castable("scaled_dot_product_attention")
def scaled_dot_product_attention(
    query: Inexact[Array, "*query_batch targets features"],
    key: Inexact[Array, "*key_batch sources features"],
    value: Inexact[Array, "*value_batch sources value_features"],
    attn_mask: Shaped[Array, "*mask"] | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    *,
    generator: Any = None,
) -> Any:
    r"""Mirror of ``torch.nn.functional.scaled_dot_product_attention`` (the formula is in the module's docstring).

    A query that may attend to no key gets zeros, and passes no gradient, as in torch (JAX's softmax: nan).
    Differs from ``jax.nn.dot_product_attention``: heads come before the sequence, and there is dropout. 16-bit inputs
    are computed in float32.

    Args:
        query: (..., L, E).
        key: (..., S, E).
        value: (..., S, V).
        attn_mask: broadcastable to (..., L, S); of booleans, True where a query may attend, or of numbers that are
            added to the scores.
        dropout_p: probability with which a weight is dropped; it is dropped whatever the mode, pass 0.0 in evaluation.
        is_causal: query i attends to the keys up to i alone; excludes ``attn_mask``.
        scale: of the scores; :math:`1 / \sqrt E` by default.
        enable_gqa: grouped queries: keys and values have fewer heads, each for several heads of the queries.
        generator: with ``dropout_p``, a ``jaxgrad.random.Generator`` for torch's mask or a JAX key.

    Returns:
        (..., L, V) in the query's dtype; ``(output, generator)`` if a generator was passed.

    Raises:
        RuntimeError: shapes, dtypes and combinations that torch refuses, in its words.
        TypeError: ``dropout_p`` is not 0 and no generator was passed.

    >>> q = jnp.array([[[1.0, 0.0], [0.0, 1.0]]])
    >>> [f"{y:.2f}" for y in scaled_dot_product_attention(q, q, q, is_causal=True).ravel()]
    ['1.00', '0.00', '0.33', '0.67']

    Source: Vaswani et al., 2017; torch/nn/functional.py, ``scaled_dot_product_attention``.
    """
    query, key, value = (jnp.asarray(each) for each in (query, key, value))
    mask = None if attn_mask is None else jnp.asarray(attn_mask)
    _check(query, key, value, mask, dropout_p, is_causal)
    if enable_gqa:
        key, value = _grouped(query, key, value)
    dtype = query.dtype
    q, k, v = (each.astype(opmath_dtype(dtype)) for each in (query, key, value))
    factor = 1 / math.sqrt(q.shape[-1]) if scale is None and q.shape[-1] else (1.0 if scale is None else scale)
    scores = _product(q * factor, jnp.swapaxes(k, -1, -2))
    if is_causal:
        mask = jnp.tri(scores.shape[-2], scores.shape[-1], dtype=bool)
    if mask is not None:
        scores = _masked(scores, mask)
    weights = safe_softmax(scores)
    if dropout_p > 0 or generator is not None:
        dropped = dropout(weights, dropout_p, True, generator=generator)
        weights, generator = dropped if isinstance(dropped, tuple) else (dropped, None)
    output = _product(weights, v).astype(dtype)
    return output if generator is None else (output, generator)


@jax.custom_jvp
def safe_softmax(scores: Array) -> Array:
    """Softmax over the last axis that is 0 in a row of nothing but minus infinities.

    >>> safe_softmax(jnp.array([[0.0, 0.0], [-jnp.inf, -jnp.inf]])).tolist()
    [[0.5, 0.5], [0.0, 0.0]]
    """
    if scores.shape[-1] == 0:
        return scores
    top = jnp.maximum(jnp.max(scores, axis=-1, keepdims=True), jnp.finfo(scores.dtype).min)
    e = jnp.exp(scores - top)
    return e / jnp.maximum(jnp.sum(e, axis=-1, keepdims=True), 1)  # the greatest alone contributes 1


@safe_softmax.defjvp
def _safe_softmax_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    weights = safe_softmax(*primals)
    weighted = weights * tangents[0]
    return weights, weighted - weights * jnp.sum(weighted, axis=-1, keepdims=True)


def _product(a: Array, b: Array) -> Array:
    """Matrix products over leading axes that broadcast, in torch's words if they cannot be taken."""
    batch = broadcast_shape(jnp.zeros(a.shape[:-2] + (1, 1)), jnp.zeros(b.shape[:-2] + (1, 1)))[:-2]
    if a.shape[-1] != b.shape[-2]:
        n = math.prod(batch)
        raise RuntimeError(
            explain(
                "Expected size for first two dimensions of batch2 tensor to be: "
                f"[{n}, {a.shape[-1]}] but got: [{n}, {b.shape[-2]}].",
                got=f"{a.shape} and {b.shape}",
            )
        )
    a, b = (jnp.broadcast_to(each, batch + each.shape[-2:]) for each in (a, b))
    return jnp.matmul(a, b)


def _masked(scores: Array, mask: Array) -> Array:
    """Scores and mask added; a mask of booleans adds minus infinity where it is False."""
    if mask.dtype == jnp.bool_:
        mask = jnp.where(mask, jnp.zeros((), scores.dtype), -jnp.inf)
    shape = broadcast_shape(scores, mask)
    scores, mask = jnp.broadcast_to(scores, shape), jnp.broadcast_to(mask, shape)
    return scores + mask.astype(scores.dtype)


def _grouped(query: Array, key: Array, value: Array) -> tuple[Array, Array]:
    for each in (query, key, value):
        if each.ndim < 3:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-each.ndim}, {each.ndim - 1}], but got -3)"
            )
    heads = query.shape[-3]
    if heads % key.shape[-3] or heads % value.shape[-3]:
        raise RuntimeError(
            explain(
                "Number of heads in key and value must divide the number of heads in ",
                got=f"query {heads}, key {key.shape[-3]}, value {value.shape[-3]} heads",
            )
        )
    repeated = [jnp.repeat(each, heads // each.shape[-3], axis=-3) for each in (key, value)]
    return repeated[0], repeated[1]


def _check(query: Array, key: Array, value: Array, mask: Array | None, dropout_p: float, is_causal: bool) -> None:
    if not query.dtype == key.dtype == value.dtype:
        raise RuntimeError(
            f"Expected query, key, and value to have the same dtype, but got query.dtype: {c_name(query.dtype)} "
            f"key.dtype: {c_name(key.dtype)} and value.dtype: {c_name(value.dtype)} instead."
        )
    if min(query.ndim, key.ndim, value.ndim) < 2:
        raise RuntimeError(
            f"Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: {query.ndim} "
            f"key.dim: {key.ndim} and value.dim: {value.ndim} instead."
        )
    if not jnp.issubdtype(query.dtype, jnp.floating):
        raise RuntimeError(
            explain("expected scalar type Float but found Int", got=query.dtype, expected="floating point")
        )
    if mask is not None:
        if mask.dtype not in (jnp.bool_, jnp.float32, query.dtype):
            raise RuntimeError(
                "Expected attn_mask dtype to be bool or float or to match query dtype, but got attn_mask.dtype: "
                f"{c_name(mask.dtype)} and  query.dtype: {c_name(query.dtype)} instead."
            )
        if is_causal:
            raise RuntimeError(
                "_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True"
            )
    if not 0 <= dropout_p <= 1:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {dropout_p:g}")
