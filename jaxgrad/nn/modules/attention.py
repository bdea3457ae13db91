"""Attention with several heads, as a module."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.dtypes import keep_dtype
from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F
from jaxgrad.nn import init
from jaxgrad.nn.functional.attention.masks import canonical_mask
from jaxgrad.nn.modules.linear import Linear
from jaxgrad.nn.modules.module import Module
from jaxgrad.nn.parameter import Parameter, value_of
from jaxgrad.nn.rngs import Rngs


class NonDynamicallyQuantizableLinear(Linear):
    """A ``Linear`` under the name that torch prints for the projection behind attention."""


class MultiheadAttention(Module):
    r"""Mirror of ``torch.nn.MultiheadAttention``.

    .. math:: \operatorname{head}_h = \operatorname{softmax}\Big(\frac{q W_h^Q (k W_h^K)^T}{\sqrt{E / H}} + m\Big)
              v W_h^V, \qquad y = [\operatorname{head}_1 \dots \operatorname{head}_H]\, W^O

    The output projection is drawn first (its bias is then set to 0), the input projections after it from Xavier's
    uniform distribution, ``bias_k`` and ``bias_v`` from his normal one. With ``batch_first`` torch hands on a
    transposed view, and fills the mask of a dropout behind it in the order (L, N, E): ``nn.Dropout`` does so too, if
    the output is its input.

    Args:
        embed_dim: E, of queries and output.
        num_heads: H, a divisor of E.
        dropout: probability with which a weight is dropped in training.
        bias: whether the projections have one.
        add_bias_kv: whether to learn a further key and value.
        add_zero_attn: whether to add a key and a value of zeros.
        kdim: of the keys, E by default.
        vdim: of the values, E by default.
        batch_first: whether arrays with a batch are (N, L, E) instead of (L, N, E).
        device: a JAX device to put the parameters on.
        dtype: of the parameters, float32 by default.
        rngs: where initial values are drawn from.

    Attributes:
        in_proj_weight: (3E, E); None if kdim or vdim differ from E.
        q_proj_weight, k_proj_weight, v_proj_weight: (E, E), (E, kdim), (E, vdim) then; None otherwise.
        in_proj_bias: (3E,), or None.
        bias_k, bias_v: (1, 1, E), or None.
        out_proj: a ``Linear``.

    Raises:
        ValueError: ``embed_dim and num_heads must be greater than 0, ...``.
        AssertionError: ``embed_dim must be divisible by num_heads``.

    >>> from jaxgrad import func, nn, random
    >>> attention = nn.MultiheadAttention(4, 2, batch_first=True, rngs=nn.Rngs(random.manual_seed(0)))
    >>> x = jnp.ones((3, 5, 4))
    >>> output, weights = func.functional_call(attention, {}, (x, x, x), training=False)
    >>> output.shape, weights.shape
    ((3, 5, 4), (3, 5, 5))

    Source: torch/nn/modules/activation.py; Vaswani et al., 2017.
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: jax.Device | None = None,
        dtype: Any = None,
        *,
        rngs: Rngs,
    ):
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                f"embed_dim and num_heads must be greater than 0, got embed_dim={embed_dim} and "
                f"num_heads={num_heads} instead"
            )
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError("embed_dim must be divisible by num_heads")
        self.add_zero_attn = add_zero_attn
        dtype = keep_dtype(jnp.float32 if dtype is None else dtype)

        out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias, device, dtype, rngs=rngs)
        packed = self.kdim == embed_dim and self.vdim == embed_dim

        def drawn(fill: Any, *shape: int) -> Parameter:
            return Parameter(jax.device_put(rngs.draw(fill, shape, dtype=dtype), device))

        def zeros(n: int) -> Parameter:
            return Parameter(jax.device_put(jnp.zeros(n, dtype), device))

        xavier = init.xavier_uniform
        self.q_proj_weight = None if packed else drawn(xavier, embed_dim, embed_dim)
        self.k_proj_weight = None if packed else drawn(xavier, embed_dim, self.kdim)
        self.v_proj_weight = None if packed else drawn(xavier, embed_dim, self.vdim)
        self.in_proj_weight = drawn(xavier, 3 * embed_dim, embed_dim) if packed else None
        self.in_proj_bias = zeros(3 * embed_dim) if bias else None
        if bias:
            out_proj.bias = zeros(embed_dim)
        self.bias_k = drawn(init.xavier_normal, 1, 1, embed_dim) if add_bias_kv else None
        self.bias_v = drawn(init.xavier_normal, 1, 1, embed_dim) if add_bias_kv else None
        self.out_proj = out_proj

    def forward(
        self,
        query: Array,
        key: Array,
        value: Array,
        key_padding_mask: Array | None = None,
        need_weights: bool = True,
        attn_mask: Array | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Array, Array | None]:
        """Queries (L, N, E), (N, L, E) with ``batch_first``, or (L, E), and keys and values likewise with S.

        Args:
            query: what asks.
            key: what is asked.
            value: what it answers.
            key_padding_mask: (N, S) or (S,): True for keys that nobody attends to, or numbers added to the scores.
            need_weights: return the weights too.
            attn_mask: (L, S) or (N H, L, S): True where a query may not attend, or numbers added to the scores.
            average_attn_weights: return the mean of the heads' weights.
            is_causal: a hint that ``attn_mask``, which must be given, is the causal mask.

        Returns:
            The output in the form of the query, and the weights (N, L, S), with ``average_attn_weights=False``
            (N, H, L, S), or None.
        """
        source = query
        query = jnp.asarray(query)
        key = query if key is source else jnp.asarray(key)
        value = query if value is source else key if value is key else jnp.asarray(value)
        padding = canonical_mask(key_padding_mask, "key_padding_mask", query.dtype, attn_mask, "attn_mask")
        mask = canonical_mask(attn_mask, "attn_mask", query.dtype)
        swap = self.batch_first and query.ndim == 3
        if swap:  # one and the same array stays one and the same, which makes one product of three
            first = jnp.swapaxes(query, 0, 1)
            second = first if key is query else _swapped(key)
            third = first if value is query else second if value is key else _swapped(value)
            query, key, value = first, second, third
        self._look(query, key, value)
        output, weights = self._attend(query, key, value, padding, need_weights, mask, average_attn_weights, is_causal)
        if not swap:
            return output, weights
        output = jnp.swapaxes(output, 0, 1)
        return output if self._call is None else self._call.arrange(output, (1, 0, 2)), weights

    def _look(self, query: Array, key: Array, value: Array) -> None:
        """Torch's looks whether another kernel would do, which read the weight twice: ``spectral_norm`` counts them."""
        if query.ndim == 3 and query is key and key is value:
            bias = value_of(self.in_proj_bias)
            if (bias is None or bias.dtype == query.dtype) and self.in_proj_weight is not None:
                value_of(self.in_proj_weight)

    def _attend(self, query: Array, key: Array, value: Array, *options: Any) -> Any:
        padding, need_weights, mask, average, is_causal = options
        arguments = (
            self.embed_dim,
            self.num_heads,
            value_of(self.in_proj_weight),
            value_of(self.in_proj_bias),
            value_of(self.bias_k),
            value_of(self.bias_v),
            self.add_zero_attn,
            self.dropout,
            value_of(self.out_proj.weight),
            value_of(self.out_proj.bias),
        )
        training = self.dropout > 0 and self.training
        keywords = dict(
            training=training,
            key_padding_mask=padding,
            need_weights=need_weights,
            attn_mask=mask,
            use_separate_proj_weight=(self.kdim, self.vdim) != (self.embed_dim, self.embed_dim),
            q_proj_weight=value_of(self.q_proj_weight),
            k_proj_weight=value_of(self.k_proj_weight),
            v_proj_weight=value_of(self.v_proj_weight),
            average_attn_weights=average,
            is_causal=is_causal,
        )
        if training and self.dropout < 1:
            return self.draw(F.multi_head_attention_forward, query, key, value, *arguments, **keywords)
        if training:  # everything is dropped, and nothing is drawn
            source = jax.random.key(0)
            return F.multi_head_attention_forward(query, key, value, *arguments, **keywords, generator=source)[0]
        return F.multi_head_attention_forward(query, key, value, *arguments, **keywords)


def _swapped(array: Array) -> Array:
    return jnp.swapaxes(array, 0, 1) if array.ndim == 3 else array
