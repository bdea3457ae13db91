"""Embeddings times the root of their width."""

from collections.abc import Iterator
from typing import Any

from jaxgrad.parity.causes.again import remade
from jaxgrad.parity.causes.context import Context
from jaxgrad.parity.causes.rule import Prediction, rule


def _scaled(torch: Any, function: Any, args: Any, kwargs: Any) -> Any:
    found = function(*args, **kwargs)
    return found * found.shape[-1] ** 0.5


@rule("embedding_scaled", "embeddings are multiplied by the root of their width", "loss", "grads", "params")
def embedding_scaled(context: Context) -> Iterator[Prediction]:
    """As in the first Transformer."""
    yield from remade(context, {"embedding": _scaled}, factor="sqrt(width)")
