"""The host half of a step: one computation in doubles for all parameters of a group."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.rounding import nearest
from jaxgrad._core.types import Array
from jaxgrad.optim._rule.packed import widened
from jaxgrad.optim._rule.precision import double_precision
from jaxgrad.optim._rule.state import ParamGroup


def host_half(
    host: Callable[..., Any], group: ParamGroup, lr: Any, present: np.ndarray, dtypes: set[str]
) -> tuple[dict[str, dict[str, Array]], dict[str, Array]]:
    """The constants of this step in the dtypes of the arithmetic, and the scalars of the parameters with a gradient."""
    if not present.any():
        return {}, group.scalars
    counted = group.scalars | {"step": _next(group.scalars["step"])}
    with double_precision():
        hyperparams = widened(group.hyperparams)
        if lr is not None:
            hyperparams["lr"] = jnp.asarray(lr).reshape(()).astype(jnp.float64)
        wide = {name: vector.astype(jnp.float64) for name, vector in counted.items()}
        kept = [vector.dtype for name, vector in counted.items() if name != "step"]
        constants, changed = host(wide, hyperparams, _rounding(kept[0])) if kept else host(wide, hyperparams)
        narrowed = {dtype: _computed_once(constants, dtype) for dtype in sorted(dtypes)}
        counted |= {name: value.astype(counted[name].dtype) for name, value in changed.items()}
    if not present.all():
        counted = {name: jnp.where(present, vector, group.scalars[name]) for name, vector in counted.items()}
    return narrowed, counted


def _computed_once(constants: dict[str, Any], dtype: str) -> dict[str, Array]:
    """The constants in one array, for which an accelerator launches one kernel, not one for each.

    Behind a barrier, or every loop that reads them would compute them anew; XLA's CPU compiler drops it.
    """
    if not constants:
        return {}
    shapes = [jnp.shape(value) for value in constants.values()]
    flat = [jnp.asarray(value).astype(dtype).reshape(-1) for value in constants.values()]
    ends = np.cumsum([vector.size for vector in flat])
    together = jax.lax.optimization_barrier(jnp.concatenate(flat))
    parts = [jax.lax.slice_in_dim(together, end - vector.size, end) for end, vector in zip(ends, flat, strict=True)]
    return {name: part.reshape(shape) for name, part, shape in zip(constants, parts, shapes, strict=True)}


def _rounding(dtype: np.dtype) -> Callable[[Array], Array]:
    """How a number is rounded when torch writes it into a tensor of the state."""
    return lambda value: value if dtype == np.float64 else nearest(value, dtype)


def _next(count: Array) -> Array:
    """``count + 1``, computed once: a bare sum XLA would repeat in each loop that reads it, from a copy of the old."""
    return jax.lax.rem(count + 1, np.int32(2**31 - 1))
