"""What every ATen operation is in JAX: one entry an operation, a file a family. Entries compute as little as they can
themselves: they point at ``jaxgrad``'s functions or at ``jax.numpy``.
"""

from collections.abc import Callable
from typing import Any

from jaxgrad.trace.table import (
    activation,
    attention,
    bags,
    checks,
    convolution,
    creation,
    distance,
    draws,
    elementwise,
    factorization,
    fourier,
    indexing,
    layout,
    loss,
    matrix,
    normalization,
    padding,
    pooling,
    recurrent,
    reduction,
    shape,
    special,
    vision,
)

TABLE: dict[str, Callable[..., Any]] = {
    "getitem": lambda values, index: values[index],
    **elementwise.TABLE,
    **creation.TABLE,
    **shape.TABLE,
    **reduction.TABLE,
    **indexing.TABLE,
    **matrix.TABLE,
    **activation.TABLE,
    **convolution.TABLE,
    **normalization.TABLE,
    **attention.TABLE,
    **pooling.TABLE,
    **padding.TABLE,
    **recurrent.TABLE,
    **loss.TABLE,
    **special.TABLE,
    **distance.TABLE,
    **factorization.TABLE,
    **fourier.TABLE,
    **bags.TABLE,
    **vision.TABLE,
    **checks.TABLE,
}

DRAWS: dict[str, Callable[..., Any]] = {**draws.DRAWS, **recurrent.DRAWS}

FILLING = draws.FILLING

LAYOUT: dict[str, Callable[..., Any]] = layout.LAYOUT

__all__ = ["DRAWS", "FILLING", "LAYOUT", "TABLE"]
