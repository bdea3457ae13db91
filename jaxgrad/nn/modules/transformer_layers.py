"""One layer of a Transformer: attention and two affine maps, each with a residual, a norm and dropout."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F
from jaxgrad.nn.functional.attention.masks import canonical_mask
from jaxgrad.nn.modules.attention import MultiheadAttention
from jaxgrad.nn.modules.dropout import Dropout
from jaxgrad.nn.modules.linear import Linear
from jaxgrad.nn.modules.module import Module
from jaxgrad.nn.modules.normalization import LayerNorm
from jaxgrad.nn.rngs import Rngs

Activation = str | Callable[[Any], Any]


class TransformerEncoderLayer(Module):
    r"""Mirror of ``torch.nn.TransformerEncoderLayer``.

    .. math:: x \leftarrow \operatorname{norm}(x + \operatorname{attention}(x, x, x)), \qquad
              x \leftarrow \operatorname{norm}(x + W_2\, \sigma(W_1 x))

    with ``norm_first`` :math:`x \leftarrow x + f(\operatorname{norm}(x))`. Dropout stands in the attention, behind it,
    behind the activation and at the end, drawn in this order.

    Args:
        d_model: E, the size of a position.
        nhead: H, the number of heads.
        dim_feedforward: the width between the two affine maps.
        dropout: probability of a zero, in all four dropouts.
        activation: "relu", "gelu" or a function.
        layer_norm_eps: added to the variances.
        batch_first: whether arrays with a batch are (N, S, E) instead of (S, N, E).
        norm_first: whether a block is normalised before its work instead of after it.
        bias: whether affine maps and norms have one.
        device: a JAX device to put the parameters on.
        dtype: of the parameters, float32 by default.
        rngs: where initial values are drawn from.

    Raises:
        RuntimeError: ``activation should be relu/gelu, not ...``.

    >>> from jaxgrad import func, nn, random
    >>> layer = nn.TransformerEncoderLayer(4, 2, 8, rngs=nn.Rngs(random.manual_seed(0)))
    >>> func.functional_call(layer, {}, jnp.ones((5, 3, 4)), training=False).shape
    (5, 3, 4)

    Source: torch/nn/modules/transformer.py; Vaswani et al., 2017.
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: jax.Device | None = None,
        dtype: Any = None,
        *,
        rngs: Rngs,
    ):
        place: dict[str, Any] = {"device": device, "dtype": dtype}

        def norm() -> LayerNorm:
            return LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **place)

        self.self_attn = MultiheadAttention(
            d_model, nhead, dropout=dropout, bias=bias, batch_first=batch_first, **place, rngs=rngs
        )
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, **place, rngs=rngs)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias, **place, rngs=rngs)
        self.norm_first = norm_first
        self.norm1, self.norm2 = norm(), norm()
        self.dropout1, self.dropout2 = Dropout(dropout), Dropout(dropout)
        self.activation = activation_of(activation)

    def forward(
        self,
        src: Array,
        src_mask: Array | None = None,
        src_key_padding_mask: Array | None = None,
        is_causal: bool = False,
    ) -> Array:
        """(S, N, E), (N, S, E) with ``batch_first``, or (S, E), kept.

        Args:
            src: the sequence.
            src_mask: (S, S) or (N H, S, S): True where a position may not attend, or numbers added to the scores.
            src_key_padding_mask: (N, S) or (S,): True for padding, or numbers added to the scores.
            is_causal: a hint that ``src_mask``, which must be given, is the causal mask.
        """
        x = jnp.asarray(src)
        padding = canonical_mask(src_key_padding_mask, "src_key_padding_mask", x.dtype, src_mask, "src_mask")
        mask = canonical_mask(src_mask, "src_mask", x.dtype)
        if self.norm_first:
            x = x + self._attend(self.norm1(x), mask, padding, is_causal)
            return x + self._feed_forward(self.norm2(x))
        x = self.norm1(x + self._attend(x, mask, padding, is_causal))
        return self.norm2(x + self._feed_forward(x))

    def _attend(self, x: Array, mask: Any, padding: Any, is_causal: bool) -> Array:
        x, _ = self.self_attn(
            x, x, x, attn_mask=mask, key_padding_mask=padding, need_weights=False, is_causal=is_causal
        )
        return self.dropout1(x)

    def _feed_forward(self, x: Array) -> Array:
        return self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(x)))))


class TransformerDecoderLayer(Module):
    r"""Mirror of ``torch.nn.TransformerDecoderLayer``: an encoder layer that also attends to a memory.

    .. math:: x \leftarrow \operatorname{norm}(x + \operatorname{attention}(x, x, x)), \qquad
              x \leftarrow \operatorname{norm}(x + \operatorname{attention}(x, m, m)), \qquad
              x \leftarrow \operatorname{norm}(x + W_2\, \sigma(W_1 x))

    Arguments as those of :class:`TransformerEncoderLayer`.

    >>> from jaxgrad import func, nn, random
    >>> layer = nn.TransformerDecoderLayer(4, 2, 8, rngs=nn.Rngs(random.manual_seed(0)))
    >>> arrays = jnp.ones((5, 3, 4)), jnp.ones((2, 3, 4))
    >>> func.functional_call(layer, {}, arrays, training=False).shape
    (5, 3, 4)

    Source: torch/nn/modules/transformer.py; Vaswani et al., 2017.
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: jax.Device | None = None,
        dtype: Any = None,
        *,
        rngs: Rngs,
    ):
        place: dict[str, Any] = {"device": device, "dtype": dtype}

        def norm() -> LayerNorm:
            return LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **place)

        def attention() -> MultiheadAttention:
            return MultiheadAttention(
                d_model, nhead, dropout=dropout, batch_first=batch_first, bias=bias, **place, rngs=rngs
            )

        self.self_attn = attention()
        self.multihead_attn = attention()
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, **place, rngs=rngs)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias, **place, rngs=rngs)
        self.norm_first = norm_first
        self.norm1, self.norm2, self.norm3 = norm(), norm(), norm()
        self.dropout1, self.dropout2, self.dropout3 = Dropout(dropout), Dropout(dropout), Dropout(dropout)
        self.activation = activation_of(activation)

    def forward(
        self,
        tgt: Array,
        memory: Array,
        tgt_mask: Array | None = None,
        memory_mask: Array | None = None,
        tgt_key_padding_mask: Array | None = None,
        memory_key_padding_mask: Array | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Array:
        """(T, N, E) with a memory (S, N, E), batches first with ``batch_first``, or both without N, kept.

        Args:
            tgt: the sequence.
            memory: what the encoder returned.
            tgt_mask: (T, T) or (N H, T, T): True where a position may not attend, or numbers added to the scores.
            memory_mask: (T, S) or (N H, T, S).
            tgt_key_padding_mask: (N, T) or (T,): True for padding, or numbers added to the scores.
            memory_key_padding_mask: (N, S) or (S,).
            tgt_is_causal: a hint that ``tgt_mask``, which must be given, is the causal mask.
            memory_is_causal: a hint that ``memory_mask``, which must be given, is the causal mask.
        """
        x = jnp.asarray(tgt)
        own = tgt_mask, tgt_key_padding_mask, tgt_is_causal
        other = memory_mask, memory_key_padding_mask, memory_is_causal
        if self.norm_first:
            x = x + self._attend(self.norm1(x), *own)
            x = x + self._recall(self.norm2(x), memory, *other)
            return x + self._feed_forward(self.norm3(x))
        x = self.norm1(x + self._attend(x, *own))
        x = self.norm2(x + self._recall(x, memory, *other))
        return self.norm3(x + self._feed_forward(x))

    def _attend(self, x: Array, mask: Any, padding: Any, is_causal: bool) -> Array:
        x, _ = self.self_attn(
            x, x, x, attn_mask=mask, key_padding_mask=padding, need_weights=False, is_causal=is_causal
        )
        return self.dropout1(x)

    def _recall(self, x: Array, memory: Array, mask: Any, padding: Any, is_causal: bool) -> Array:
        x, _ = self.multihead_attn(
            x, memory, memory, attn_mask=mask, key_padding_mask=padding, need_weights=False, is_causal=is_causal
        )
        return self.dropout2(x)

    def _feed_forward(self, x: Array) -> Array:
        return self.dropout3(self.linear2(self.dropout(self.activation(self.linear1(x)))))


def activation_of(activation: Activation) -> Callable[[Any], Any]:
    """The function of that name, or the function itself."""
    if not isinstance(activation, str):
        return activation
    if activation not in ("relu", "gelu"):
        raise RuntimeError(f"activation should be relu/gelu, not {activation}")
    return getattr(F, activation)
