"""Recurrent layers that were kept whole, as scans by ``nn.functional``'s recurrence."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad import random
from jaxgrad._core.types import Array
from jaxgrad.nn.functional.recurrent.stack import recurrent
from jaxgrad.nn.functional.recurrent.steps import Weights
from jaxgrad.trace.graph import Meta


def _run(
    mode: str, x: Array, hx: Any, weights: Any, bias: bool, layers: int, bidirectional: bool, masks: Array
) -> tuple[Array, tuple[Array, ...]]:
    count = layers * (2 if bidirectional else 1)
    size = len(weights) // count
    own = []
    for place in range(count):
        ih, hh, *rest = weights[place * size : (place + 1) * size]
        biases, projection = (rest[:2], rest[2:]) if bias else ([None, None], rest)
        own.append(Weights(ih, hh, *biases, *projection))
    left = iter(range(len(masks)))
    between: Callable[[Array], Array] | None = (lambda y: y * masks[next(left)]) if len(masks) else None
    return recurrent(mode, x, tuple(hx), own, bidirectional=bidirectional, between=between)


def _forward(
    generator: random.Generator,
    meta: Meta,
    mode: str,
    x: Array,
    hx: Any,
    weights: Any,
    bias: bool,
    layers: int,
    dropout: float,
    bidirectional: bool,
) -> tuple[Any, random.Generator]:
    drawn = []
    for _ in range(layers - 1 if dropout else 0):
        mask, generator = random.bernoulli(generator, meta.shape, 1 - dropout, dtype=x.dtype)
        drawn.append(mask / (1 - dropout))
    masks = jnp.stack(drawn) if drawn else jnp.zeros((0, *meta.shape), x.dtype)
    output, state = _run(mode, x, hx, weights, bias, layers, bidirectional, masks)
    return (output, state[0], state[1] if len(state) > 1 else jnp.zeros(0, x.dtype), masks), generator


def _backward(
    output: Array,
    h: Array,
    c: Array,
    mode: str,
    x: Array,
    hx: Any,
    weights: Any,
    bias: bool,
    layers: int,
    bidirectional: bool,
    masks: Array,
) -> list[Array]:
    def run(x: Array, hx: Any, weights: Any) -> Any:
        return _run(mode, x, hx, weights, bias, layers, bidirectional, masks)

    _, pull = jax.vjp(run, x, list(hx), list(weights))
    to_x, to_hx, to_weights = pull((output, (h, c)[: len(hx)]))
    return [to_x, *to_hx, *to_weights]


TABLE: dict[str, Callable[..., Any]] = {"jaxgrad.recurrent_backward": _backward}

DRAWS: dict[str, Callable[..., Any]] = {"jaxgrad.recurrent": _forward}
