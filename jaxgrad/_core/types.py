"""The vocabulary of the library, each word once.

Parameters, gradients and buffers are flat dicts from torch's dotted names (the keys of ``state_dict()``)
to arrays in torch's layout. In a gradient ``None`` means what ``.grad is None`` means in torch: there is
no gradient, and the optimizer leaves the parameter and its state alone.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import jax

Array: TypeAlias = jax.Array

Shape: TypeAlias = tuple[int, ...]

PyTree: TypeAlias = Any
"""Any nesting of dicts, lists, tuples and registered nodes with arrays at the leaves."""

Params: TypeAlias = dict[str, Array]
"""``{"0.weight": (out, in), "0.bias": (out,)}``."""

Grads: TypeAlias = dict[str, Array | None]
"""The keys of ``Params``; ``None`` where torch's ``.grad`` is None."""

Buffers: TypeAlias = dict[str, Array]
"""What a module remembers without training it (running statistics, counters)."""

ParamsLike: TypeAlias = Mapping[str, Array]

Batch: TypeAlias = Any
"""What a loss function takes beside the parameters: one array, or a tuple of them."""

Metrics: TypeAlias = dict[str, Array]

LossFn: TypeAlias = Callable[..., Any]
"""``loss_fn(params, *batch) -> loss``."""
