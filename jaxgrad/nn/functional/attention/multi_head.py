r"""Attention with several heads and the projections around them.

.. math:: \operatorname{head}_h = \operatorname{attention}(q W_h^Q, k W_h^K, v W_h^V), \qquad
          y = [\operatorname{head}_1 \dots \operatorname{head}_H]\, W^O

Sequences come first here: (L, N, E), as in torch's function. Letters: L queries, S keys, N batch, H heads, E features.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Float, Shaped

from jaxgrad._core.diagnosis import diagnosed
from jaxgrad._core.types import Array
from jaxgrad.nn.functional.attention.masks import canonical_mask
from jaxgrad.nn.functional.attention.scaled_dot_product import scaled_dot_product_attention
from jaxgrad.nn.functional.dropout import dropout
from jaxgrad.nn.functional.linear import linear


@diagnosed
def multi_head_attention_forward(
    query: Float[Array, "targets batch features"] | Float[Array, "targets features"],
    key: Float[Array, "sources batch key_features"] | Float[Array, "sources key_features"],
    value: Float[Array, "sources batch value_features"] | Float[Array, "sources value_features"],
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Float[Array, "three_features features"] | None,
    in_proj_bias: Float[Array, " three_features"] | None,
    bias_k: Float[Array, "*#one features"] | None,
    bias_v: Float[Array, "*#one features"] | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Float[Array, "features features"],
    out_proj_bias: Float[Array, " features"] | None,
    training: bool = True,
    key_padding_mask: Shaped[Array, "*padding sources"] | None = None,
    need_weights: bool = True,
    attn_mask: Shaped[Array, "*heads targets sources"] | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Any = None,
    k_proj_weight: Any = None,
    v_proj_weight: Any = None,
    static_k: Any = None,
    static_v: Any = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
    *,
    generator: Any = None,
) -> Any:
    r"""Mirror of ``torch.nn.functional.multi_head_attention_forward`` (the formula is in the module's docstring).

    As in torch a query that may attend to no key gets zeros with ``need_weights=False`` and nan with
    ``need_weights=True``.

    Args:
        query: (L, N, E) or (L, E).
        key: (S, N, E_k) or (S, E_k).
        value: (S, N, E_v) or (S, E_v).
        embed_dim_to_check: E.
        num_heads: H, a divisor of E.
        in_proj_weight: (3E, E), the projections of queries, keys and values one above the other.
        in_proj_bias: (3E,), or None.
        bias_k: (1, 1, E), a further key, or None.
        bias_v: (1, 1, E), its value, or None.
        add_zero_attn: whether to add a key and a value of zeros.
        dropout_p: probability with which a weight is dropped in training.
        out_proj_weight: (E, E).
        out_proj_bias: (E,), or None.
        training: whether to drop.
        key_padding_mask: (N, S) or (S,): True for keys that nobody attends to, or numbers added to the scores.
        need_weights: return the weights too.
        attn_mask: (L, S) or (N H, L, S): True where a query may not attend, or numbers added to the scores.
        use_separate_proj_weight: take the three weights below instead of ``in_proj_weight``.
        q_proj_weight: (E, E).
        k_proj_weight: (E, E_k).
        v_proj_weight: (E, E_v).
        static_k: (N H, S, E / H), keys in place of the projected ones.
        static_v: (N H, S, E / H), values in place of the projected ones.
        average_attn_weights: return the mean of the heads' weights.
        is_causal: a hint that ``attn_mask``, which must be given, is the causal mask; without
            ``key_padding_mask`` and ``need_weights`` the hint is believed and the mask is not looked at.
        generator: in training with dropout, a ``jaxgrad.random.Generator`` for torch's mask or a JAX key.

    Returns:
        ``(output, weights)``: (L, N, E) or (L, E); the weights (N, L, S), (N, H, L, S) if not averaged, without N if
        the query has none, or None. With a generator ``((output, weights), generator)``.

    Raises:
        AssertionError, RuntimeError: shapes and combinations that torch refuses, in its words.
        TypeError: a weight has to be dropped and no generator was passed.

    >>> x, w = jnp.ones((2, 1, 4)), jnp.ones((12, 4))
    >>> output, weights = multi_head_attention_forward(
    ...     x, x, x, 4, 2, w, None, None, None, False, 0.0, jnp.eye(4), None, training=False
    ... )
    >>> output.shape, weights.tolist()
    ((2, 1, 4), [[[0.5, 0.5], [0.5, 0.5]]])

    Source: Vaswani et al., 2017; torch/nn/functional.py, ``multi_head_attention_forward``.
    """
    batched = check_shapes(query, key, value, key_padding_mask, attn_mask, num_heads)
    q_in, k_in, v_in = query, key, value
    if not batched:  # one new array where one was given: the projection is then one product
        q_in = query[:, None]
        k_in = q_in if key is query else key[:, None]
        v_in = q_in if value is query else k_in if value is key else value[:, None]
        key_padding_mask = None if key_padding_mask is None else jnp.asarray(key_padding_mask)[None]
    queries, n, e = q_in.shape
    dtype = q_in.dtype
    padding = canonical_mask(key_padding_mask, "key_padding_mask", dtype, attn_mask, "attn_mask")
    if is_causal and attn_mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint. You may use the Transformer module method "
            "`generate_square_subsequent_mask` to create this mask."
        )
    believed = is_causal and padding is None and not need_weights
    mask = None if believed else canonical_mask(attn_mask, "attn_mask", dtype)
    _check_sizes(q_in, k_in, v_in, embed_dim_to_check, num_heads, use_separate_proj_weight)

    weights_in = (q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else in_proj_weight
    q, k, v = _projected(q_in, k_in, v_in, weights_in, in_proj_bias)
    mask = None if mask is None else _three_axes(mask, (queries, k_in.shape[0]), n * num_heads)

    extra = 0
    if bias_k is not None and bias_v is not None:
        if static_k is not None:
            raise AssertionError("bias cannot be added to static key.")
        if static_v is not None:
            raise AssertionError("bias cannot be added to static value.")
        k = jnp.concatenate([k, jnp.tile(bias_k, (1, n, 1))])
        v = jnp.concatenate([v, jnp.tile(bias_v, (1, n, 1))])
        extra += 1
    elif bias_k is not None:
        raise AssertionError("bias_k is set but bias_v is None")
    elif bias_v is not None:
        raise AssertionError("bias_v is set but bias_k is None")

    q = _heads(q, n, num_heads)
    k = _heads(k, n, num_heads) if static_k is None else _static(static_k, "static_k", n, num_heads, e)
    v = _heads(v, n, num_heads) if static_v is None else _static(static_v, "static_v", n, num_heads, e)
    if add_zero_attn:
        k, v = (jnp.pad(each, ((0, 0), (0, 0), (0, 1), (0, 0))) for each in (k, v))
        extra += 1
    mask = _merged(mask, padding, extra, n, num_heads, k.shape[2])
    p = dropout_p if training else 0.0

    weights: Array | None = None
    if need_weights:
        scores = jnp.matmul(q * math.sqrt(1.0 / q.shape[-1]), jnp.swapaxes(k, -1, -2))
        scores = scores if mask is None else scores + jnp.broadcast_to(mask, scores.shape)
        weights = jax.nn.softmax(scores, axis=-1)
        if p > 0:
            dropped = dropout(weights, p, generator=generator)
            weights, generator = dropped if isinstance(dropped, tuple) else (dropped, None)
        heads = jnp.matmul(weights, v)
        weights = weights.mean(axis=1) if average_attn_weights else weights
        weights = weights if batched else weights[0]
    elif p > 0:
        heads, generator = scaled_dot_product_attention(q, k, v, mask, p, believed, generator=_source(generator))
    else:
        heads = scaled_dot_product_attention(q, k, v, mask, 0.0, believed)
    joined = jnp.transpose(heads, (2, 0, 1, 3)).reshape(queries, n, e)
    output = linear(joined, out_proj_weight, out_proj_bias)
    result = (output if batched else output[:, 0]), weights
    return result if generator is None else (result, generator)


def _source(generator: Any) -> Any:
    if generator is None:
        dropout(jnp.zeros(1))  # raises, with the remedy
    return generator


def _projected(query: Array, key: Array, value: Array, weight: Any, bias: Any) -> tuple[Array, Array, Array]:
    """The three projections; of one and the same array in one product."""
    if weight is None or (isinstance(weight, tuple) and None in [each if each is None else 0 for each in weight]):
        _missing(weight)
    if not isinstance(weight, tuple):
        if query is key and key is value:
            q, k, v = jnp.split(linear(query, weight, bias), 3, axis=-1)
            return q, k, v
        weight = tuple(jnp.split(jnp.asarray(weight), 3))
    biases = (None,) * 3 if bias is None else jnp.split(jnp.asarray(bias), 3)
    q, k, v = (linear(x, w, b) for x, w, b in zip((query, key, value), weight, biases, strict=True))
    return q, k, v


def _missing(weight: Any) -> None:
    if weight is None:
        raise AssertionError("use_separate_proj_weight is False but in_proj_weight is None")
    for name, each in zip("qkv", weight, strict=True):
        if each is None:
            raise AssertionError(f"use_separate_proj_weight is True but {name}_proj_weight is None")


def _heads(x_LxNxE: Array, n: int, heads: int) -> Array:
    """(L, N, E) -> (N, H, L, E / H)."""
    return jnp.transpose(x_LxNxE.reshape(x_LxNxE.shape[0], n, heads, x_LxNxE.shape[-1] // heads), (1, 2, 0, 3))


def _static(given: Any, name: str, n: int, heads: int, e: int) -> Array:
    given = jnp.asarray(given)
    for axis, size in ((0, n * heads), (2, e // heads)):
        if given.shape[axis] != size:
            raise AssertionError(f"expecting {name}.size({axis}) of {size}, but got {given.shape[axis]}")
    return given.reshape(n, heads, *given.shape[1:])


def _three_axes(mask: Array, two: tuple[int, int], batch: int) -> Array:
    for ndim, expected in ((2, two), (3, (batch, *two))):
        if mask.ndim == ndim and mask.shape != expected:
            raise RuntimeError(
                f"The shape of the {ndim}D attn_mask is torch.Size({list(mask.shape)}), but should be {expected}."
            )
    return mask[None] if mask.ndim == 2 else mask


def _merged(mask: Array | None, padding: Array | None, extra: int, n: int, heads: int, keys: int) -> Array | None:
    """Both masks as one that is broadcastable to (N, H, L, S); keys that were added are open to all."""

    def widened(each: Array) -> Array:
        return jnp.pad(each, [(0, 0)] * (each.ndim - 1) + [(0, extra)])

    if mask is not None:
        mask = widened(mask)
        mask = mask[None] if mask.shape[0] == 1 else mask.reshape(n, heads, *mask.shape[1:])
    if padding is None:
        return mask
    padding = widened(padding)
    for axis, size in ((0, n), (1, keys)):
        if padding.shape[axis] != size:
            raise AssertionError(f"Expected key_padded_mask.shape[{axis}] to be {size}, but got {padding.shape[axis]}")
    padding = padding[:, None, None]
    return padding if mask is None else mask + padding


def check_shapes(query: Any, key: Any, value: Any, padding: Any, mask: Any, heads: int) -> bool:
    """Whether the query has a batch axis; torch's AssertionErrors if the ranks do not go together."""
    ranks = {3: ("batched (3-D)", "3-D", 2), 2: ("unbatched (2-D)", "2-D", 1)}
    if jnp.ndim(query) not in ranks:
        raise AssertionError(
            f"query should be unbatched 2D or batched 3D tensor but received {jnp.ndim(query)}-D query tensor"
        )
    kind, rank, padding_rank = ranks[jnp.ndim(query)]
    if jnp.ndim(key) != jnp.ndim(query) or jnp.ndim(value) != jnp.ndim(query):
        raise AssertionError(
            f"For {kind} `query`, expected `key` and `value` to be {rank} but found {jnp.ndim(key)}-D and "
            f"{jnp.ndim(value)}-D tensors respectively"
        )
    if padding is not None and jnp.ndim(padding) != padding_rank:
        raise AssertionError(
            f"For {kind} `query`, expected `key_padding_mask` to be `None` or {padding_rank}-D but found "
            f"{jnp.ndim(padding)}-D tensor instead"
        )
    if mask is not None and jnp.ndim(mask) not in (2, 3):
        raise AssertionError(
            f"For {kind} `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found {jnp.ndim(mask)}-D "
            "tensor instead"
        )
    if mask is not None and jnp.ndim(query) == 2 and jnp.ndim(mask) == 3:
        expected = (heads, query.shape[0], key.shape[0])
        if mask.shape != expected:
            raise AssertionError(f"Expected `attn_mask` shape to be {expected} but got torch.Size({list(mask.shape)})")
    return jnp.ndim(query) == 3


def _check_sizes(query: Array, key: Array, value: Array, expected: int, heads: int, separate: bool) -> None:
    e = query.shape[-1]
    if e != expected:
        raise AssertionError(f"was expecting embedding dimension of {expected}, but got {e}")
    if e % heads:
        raise AssertionError(f"embed_dim {e} not divisible by num_heads {heads}")
    if separate and key.shape[:2] != value.shape[:2]:
        raise AssertionError(
            f"key's sequence and batch dims torch.Size({list(key.shape[:2])}) do not match value's "
            f"torch.Size({list(value.shape[:2])})"
        )
    if not separate and key.shape != value.shape:
        raise AssertionError(
            f"key shape torch.Size({list(key.shape)}) does not match value shape torch.Size({list(value.shape)})"
        )
