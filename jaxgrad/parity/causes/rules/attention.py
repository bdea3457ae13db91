"""Attention without its scale or its mask."""

from collections.abc import Iterator

from jaxgrad.parity.causes.again import remade, with_arguments
from jaxgrad.parity.causes.context import Context
from jaxgrad.parity.causes.rule import Prediction, rule

ARGUMENTS = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")
ANY = ("forward", "loss", "grads", "params")


@rule("attention_mask_missing", "attention has no mask", *ANY)
def attention_mask_missing(context: Context) -> Iterator[Prediction]:
    """Every place sees every other."""
    change = with_arguments(ARGUMENTS, is_causal=False, attn_mask=None)
    yield from remade(context, {"scaled_dot_product_attention": change}, mask="none")


@rule("attention_scale_missing", "attention is not divided by the root of its width", *ANY)
def attention_scale_missing(context: Context) -> Iterator[Prediction]:
    """``scale=1``."""
    change = with_arguments(ARGUMENTS, scale=1.0)
    yield from remade(context, {"scaled_dot_product_attention": change}, scale=1.0)
