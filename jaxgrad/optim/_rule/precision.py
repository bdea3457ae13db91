"""Torch's host doubles inside a compiled float32 step.

Torch computes the numbers of a step that are no tensors (bias corrections, ``lr * weight_decay``, the momentum
schedule of NAdam) in Python's doubles and rounds once, when a kernel takes them. Computed in float32 instead,
``1 - beta2**t`` is off by 1e-5 relative, which is another trajectory within a hundred steps. Here the scalar part of a
step is therefore traced in float64 also when JAX's 64-bit mode is off: a few scalar operations, rounded once.

What must survive between steps, the hyper-parameters, keeps a double's accuracy as well: in 64-bit mode as a float64
scalar, otherwise as three float32 numbers whose sum it is (72 bits, so that a double between 1e-22 and 3e38 comes
back bit for bit).
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.dtypes import x64_enabled
from jaxgrad._core.rounding import nearest
from jaxgrad._core.types import Array


def double_precision() -> AbstractContextManager[Any]:
    """The region in which scalars are computed in float64, inside ``jit`` or not, whatever the mode outside."""
    return jax.enable_x64(True)


def pack(value: Any) -> Array:
    """A number as the state keeps it: float64 in 64-bit mode, else three float32 numbers whose sum it is.

    >>> [float(part) for part in pack(0.999)]
    [0.9990000128746033, -1.287460360543946e-08, 3.3306690738754696e-16]
    """
    return _packed(value, ())


def pack_all(values: Sequence[Any]) -> Array:
    """Several numbers as one array, each along its last axis as ``pack`` keeps it."""
    if not any(isinstance(value, jax.Array) for value in values):
        return _packed(values, (len(values),))
    with double_precision():
        together = jnp.stack([jnp.asarray(value).reshape(()).astype(jnp.float64) for value in values])
    return _packed(together, (len(values),))


def _packed(numbers: Any, shape: tuple[int, ...]) -> Array:
    as_one = x64_enabled()
    if isinstance(numbers, jax.Array):
        with double_precision():
            wide = numbers.reshape(shape).astype(jnp.float64)
            return wide if as_one else jnp.stack(_parts(wide, jnp), axis=-1)
    doubles = np.float64(numbers)
    with np.errstate(all="ignore"):
        return jnp.asarray(doubles if as_one else np.stack(_parts(doubles, np), axis=-1))


def _parts(number: Any, xp: Any) -> list[Any]:
    parts = []
    for _ in range(3):
        part = np.float64(np.float32(number)) if xp is np else nearest(number, np.dtype(np.float32))
        parts.append(part.astype(xp.float32))
        number = xp.where(xp.isfinite(part), number - part, 0.0)
    return parts


def widen(packed: Array) -> Array:
    """A kept number, or a plain scalar, as a float64 scalar; call it inside ``double_precision``."""
    if jnp.ndim(packed) == 0:
        return jnp.asarray(packed, jnp.float64)
    high, middle, low = (part.astype(jnp.float64) for part in packed)
    return high + (middle + low)


def widen_all(packed: Array) -> Array:
    """What ``pack_all`` keeps, as a vector of float64; call it inside ``double_precision``."""
    if packed.dtype == jnp.float64:
        return packed
    high, middle, low = (packed[..., part].astype(jnp.float64) for part in range(3))
    return high + (middle + low)


def unpack(packed: Array) -> Any:
    """A kept number as a Python float (as an array of them for an ensemble under ``vmap``).

    >>> unpack(pack(0.999))
    0.999
    """
    numbers = unpack_all(packed) if jnp.ndim(packed) else np.asarray(packed, dtype=np.float64)
    return numbers.item() if numbers.ndim == 0 else numbers


def unpack_all(packed: Array) -> np.ndarray[Any, Any]:
    """What ``pack_all`` keeps, as doubles of numpy."""
    numbers = np.asarray(packed, dtype=np.float64)
    return numbers[..., 0] + (numbers[..., 1] + numbers[..., 2]) if packed.dtype == jnp.float32 else numbers
