"""What a gradient scaler remembers, and torch's rule of how the scale grows and shrinks."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgrad._core.rounding import nearest
from jaxgrad._core.types import Array
from jaxgrad.optim._rule.precision import double_precision, pack, widen


class GradScalerState(NamedTuple):
    """What ``torch.amp.GradScaler`` keeps in itself, as a value; ``GradScaler.init`` makes it.

    The factors belong to it because ``load_state_dict`` replaces them; like the numbers of an optimizer they keep a
    double's accuracy, and another one compiles nothing anew.

    Attributes:
        scale: float32 scalar, what losses are multiplied by.
        growth_tracker: int32 scalar, how many steps in a row had finite gradients.
        growth_factor: what the scale grows by; ``GradScaler.get_growth_factor`` reads it.
        backoff_factor: what it shrinks by.
        growth_interval: after how many such steps it grows.

    >>> from jaxgrad import amp
    >>> state = amp.GradScaler(init_scale=1024.0).init()
    >>> float(state.scale), int(state.growth_tracker)
    (1024.0, 0)
    """

    scale: Array
    growth_tracker: Array
    growth_factor: Array
    backoff_factor: Array
    growth_interval: Array


def make_state(scale: Any, growth_factor: Any, backoff_factor: Any, interval: Any, tracker: Any) -> GradScalerState:
    """A state of Python's numbers."""
    return GradScalerState(
        jnp.asarray(scale, jnp.float32),
        jnp.asarray(tracker, jnp.int32),
        pack(growth_factor),
        pack(backoff_factor),
        pack(interval),
    )


def updated_scale(state: GradScalerState, found_inf: Array) -> GradScalerState:
    """``_amp_update_scale_``: the product is a double's, rounded once; a scale does not grow past float32.

    ``scale = scale * backoff, tracker = 0`` where something is not finite, else ``tracker = tracker + 1``, and at the
    interval ``scale = scale * growth, tracker = 0``.
    """
    with double_precision():
        scale = state.scale.astype(jnp.float64)
        shrunk = _float32(scale * widen(state.backoff_factor))
        grown = _float32(scale * widen(state.growth_factor))
        successful = state.growth_tracker + jnp.int32(1)
        grows = successful.astype(jnp.float64) == widen(state.growth_interval)
        kept = jnp.where(grows & jnp.isfinite(grown), grown, state.scale)
        return state._replace(
            scale=jnp.where(found_inf, shrunk, kept),
            growth_tracker=jnp.where(found_inf | grows, jnp.int32(0), successful),
        )


def inverse_of(scale: Array) -> tuple[Array, Array]:
    """``1 / scale`` rounded to float32, as two float32 factors whose product it is.

    Above 2**126 the inverse is subnormal: torch multiplies by it, XLA would by zero.
    """
    with double_precision():
        inverse = 1.0 / scale.astype(jnp.float64)
        subnormal = jax.lax.round(inverse * 2.0**149, jax.lax.RoundingMethod.TO_NEAREST_EVEN) * 2.0**-149
        rounded = jnp.where(inverse < 2.0**-126, subnormal, nearest(inverse, jnp.dtype(jnp.float32)))
        part = jnp.where(inverse < 2.0**-64, 2.0**-64, 1.0)
        return (rounded / part).astype(jnp.float32), part.astype(jnp.float32)


def _float32(number: Array) -> Array:
    rounded: Array = nearest(number, jnp.dtype(jnp.float32)).astype(jnp.float32)
    return rounded
