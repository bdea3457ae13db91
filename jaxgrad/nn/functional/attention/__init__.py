"""Attention: of one set of heads, and with the projections around it."""

from jaxgrad.nn.functional.attention.multi_head import multi_head_attention_forward
from jaxgrad.nn.functional.attention.scaled_dot_product import scaled_dot_product_attention

__all__ = ["multi_head_attention_forward", "scaled_dot_product_attention"]
