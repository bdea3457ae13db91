"""The Transformer: stacks of encoder and decoder layers."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.listing import named_variables
from jaxgrad._core.modules import clone
from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F
from jaxgrad.nn import init
from jaxgrad.nn.functional.attention.masks import canonical_mask
from jaxgrad.nn.modules.container import ModuleList
from jaxgrad.nn.modules.module import Module
from jaxgrad.nn.modules.normalization import LayerNorm
from jaxgrad.nn.modules.transformer_layers import TransformerDecoderLayer, TransformerEncoderLayer
from jaxgrad.nn.parameter import Parameter
from jaxgrad.nn.rngs import Rngs

Activation = str | Callable[[Any], Any]


class TransformerEncoder(Module):
    """Mirror of ``torch.nn.TransformerEncoder``: copies of a layer, one after the other.

    Differs from torch: there are no nested tensors. Without gradients torch sets the output at padded positions to 0;
    here, as in torch with gradients, they hold what the layers compute there.

    Args:
        encoder_layer: the layer; its copies start from the same values.
        num_layers: how many.
        norm: a module for the end, or None.
        enable_nested_tensor: changes no number, see above.
        mask_check: changes no number, see above.

    >>> from jaxgrad import func, nn, random
    >>> layer = nn.TransformerEncoderLayer(4, 2, 8, rngs=nn.Rngs(random.manual_seed(0)))
    >>> func.functional_call(nn.TransformerEncoder(layer, 2), {}, jnp.ones((5, 3, 4)), training=False).shape
    (5, 3, 4)

    Source: torch/nn/modules/transformer.py; Vaswani et al., 2017.
    """

    def __init__(
        self,
        encoder_layer: Module,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ):
        self.layers = ModuleList([clone(encoder_layer) for _ in range(num_layers)])
        self.num_layers = num_layers
        self.norm = norm
        self.enable_nested_tensor = enable_nested_tensor
        self.mask_check = mask_check

    def forward(
        self,
        src: Array,
        mask: Array | None = None,
        src_key_padding_mask: Array | None = None,
        is_causal: bool | None = None,
    ) -> Array:
        """Arguments as those of ``TransformerEncoderLayer``, for every layer.

        Args:
            src: the sequence.
            mask: (S, S) or (N H, S, S).
            src_key_padding_mask: (N, S) or (S,).
            is_causal: a hint that ``mask``, which must be given, is the causal mask.
        """
        dtype = jnp.asarray(src).dtype
        padding = canonical_mask(src_key_padding_mask, "src_key_padding_mask", dtype, mask, "mask")
        mask = canonical_mask(mask, "mask", dtype)
        output = src
        for layer in self.layers:
            output = layer(output, src_mask=mask, is_causal=is_causal is True, src_key_padding_mask=padding)
        return output if self.norm is None else self.norm(output)


class TransformerDecoder(Module):
    """Mirror of ``torch.nn.TransformerDecoder``: copies of a layer, one after the other.

    Args:
        decoder_layer: the layer; its copies start from the same values.
        num_layers: how many.
        norm: a module for the end, or None.

    >>> from jaxgrad import func, nn, random
    >>> layer = nn.TransformerDecoderLayer(4, 2, 8, rngs=nn.Rngs(random.manual_seed(0)))
    >>> arrays = jnp.ones((5, 3, 4)), jnp.ones((2, 3, 4))
    >>> func.functional_call(nn.TransformerDecoder(layer, 2), {}, arrays, training=False).shape
    (5, 3, 4)

    Source: torch/nn/modules/transformer.py; Vaswani et al., 2017.
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None):
        self.layers = ModuleList([clone(decoder_layer) for _ in range(num_layers)])
        self.num_layers = num_layers
        self.norm = norm

    def forward(
        self,
        tgt: Array,
        memory: Array,
        tgt_mask: Array | None = None,
        memory_mask: Array | None = None,
        tgt_key_padding_mask: Array | None = None,
        memory_key_padding_mask: Array | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Array:
        """Arguments as those of ``TransformerDecoderLayer``, for every layer."""
        output = tgt
        for layer in self.layers:
            output = layer(
                output,
                memory,
                tgt_mask=tgt_mask,
                memory_mask=memory_mask,
                tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask,
                tgt_is_causal=tgt_is_causal is True,
                memory_is_causal=memory_is_causal,
            )
        return output if self.norm is None else self.norm(output)


class Transformer(Module):
    """Mirror of ``torch.nn.Transformer``: an encoder, and a decoder that attends to what it returns.

    One layer of each is drawn and copied; then every matrix of the whole is drawn anew from Xavier's uniform
    distribution, as torch does it.

    Args:
        d_model: E, the size of a position.
        nhead: H, the number of heads.
        num_encoder_layers: how many.
        num_decoder_layers: how many.
        dim_feedforward: the width between the two affine maps of a layer.
        dropout: probability of a zero, in all dropouts.
        activation: "relu", "gelu" or a function.
        custom_encoder: a module in place of the encoder.
        custom_decoder: a module in place of the decoder.
        layer_norm_eps: added to the variances.
        batch_first: whether arrays with a batch are (N, S, E) instead of (S, N, E).
        norm_first: whether a block is normalised before its work instead of after it.
        bias: whether affine maps and norms have one.
        device: a JAX device to put the parameters on.
        dtype: of the parameters, float32 by default.
        rngs: where initial values are drawn from.

    >>> from jaxgrad import func, nn, random
    >>> model = nn.Transformer(4, 2, 1, 1, 8, rngs=nn.Rngs(random.manual_seed(0)))
    >>> func.functional_call(model, {}, (jnp.ones((5, 3, 4)), jnp.ones((2, 3, 4))), training=False).shape
    (2, 3, 4)

    Source: torch/nn/modules/transformer.py; Vaswani et al., 2017.
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        custom_encoder: Any = None,
        custom_decoder: Any = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: jax.Device | None = None,
        dtype: Any = None,
        *,
        rngs: Rngs,
    ):
        sizes = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps)
        form = (batch_first, norm_first, bias, device, dtype)

        def norm() -> LayerNorm:
            return LayerNorm(d_model, layer_norm_eps, bias=bias, device=device, dtype=dtype)

        if custom_encoder is None:
            encoder_layer = TransformerEncoderLayer(*sizes, *form, rngs=rngs)
            custom_encoder = TransformerEncoder(encoder_layer, num_encoder_layers, norm())
        self.encoder = custom_encoder
        if custom_decoder is None:
            decoder_layer = TransformerDecoderLayer(*sizes, *form, rngs=rngs)
            custom_decoder = TransformerDecoder(decoder_layer, num_decoder_layers, norm())
        self.decoder = custom_decoder
        self._draw_matrices(rngs)
        self.d_model = d_model
        self.nhead = nhead
        self.batch_first = batch_first

    def _draw_matrices(self, rngs: Rngs) -> None:
        seen: set[int] = set()
        for _, variable in named_variables(self):
            value = variable.get_value()
            if isinstance(variable, Parameter) and value.ndim > 1 and id(variable) not in seen:
                drawn = rngs.draw(init.xavier_uniform, value.shape, dtype=value.dtype)
                variable.set_value(jax.device_put(drawn, value.sharding))
            seen.add(id(variable))

    def forward(
        self,
        src: Array,
        tgt: Array,
        src_mask: Array | None = None,
        tgt_mask: Array | None = None,
        memory_mask: Array | None = None,
        src_key_padding_mask: Array | None = None,
        tgt_key_padding_mask: Array | None = None,
        memory_key_padding_mask: Array | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Array:
        """Source (S, N, E) and target (T, N, E) -> (T, N, E); with ``batch_first`` the batch stands first.

        Args:
            src: the sequence for the encoder.
            tgt: the sequence for the decoder.
            src_mask: (S, S) or (N H, S, S), True where a position may not attend, or numbers added to the scores.
            tgt_mask: (T, T) or (N H, T, T).
            memory_mask: (T, S) or (N H, T, S).
            src_key_padding_mask: (N, S), True for padding, or numbers added to the scores.
            tgt_key_padding_mask: (N, T).
            memory_key_padding_mask: (N, S).
            src_is_causal: a hint that ``src_mask`` is the causal mask.
            tgt_is_causal: a hint that ``tgt_mask`` is the causal mask.
            memory_is_causal: a hint that ``memory_mask`` is the causal mask.

        Raises:
            RuntimeError: ``the batch number of src and tgt must be equal``,
                ``the feature number of src and tgt must be equal to d_model``.
        """
        src, tgt = jnp.asarray(src), jnp.asarray(tgt)
        batch = 0 if self.batch_first else 1
        if src.ndim == 3 and src.shape[batch] != tgt.shape[batch]:
            raise RuntimeError("the batch number of src and tgt must be equal")
        if src.shape[-1] != self.d_model or tgt.shape[-1] != self.d_model:
            raise RuntimeError("the feature number of src and tgt must be equal to d_model")
        memory = self.encoder(src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal)
        return self.decoder(
            tgt,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: jax.Device | None = None, dtype: Any = None) -> Array:
        """The causal mask of numbers: minus infinity above the diagonal, 0 elsewhere.

        >>> Transformer.generate_square_subsequent_mask(2).tolist()
        [[0.0, -inf], [0.0, 0.0]]
        """
        dtype = jnp.float32 if dtype is None else dtype
        mask = jnp.where(jnp.tri(sz, dtype=bool), jnp.zeros((), dtype), -jnp.inf).astype(dtype)
        return mask if device is None else jax.device_put(mask, device)
