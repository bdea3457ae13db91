"""The vocabulary of the library, each word once.

Parameters, gradients and buffers are flat dicts from torch's dotted names (the keys of ``state_dict()``)
to arrays in torch's layout. In a gradient ``None`` means what ``.grad is None`` means in torch: there is
no gradient, and the optimizer leaves the parameter and its state alone.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeAlias

import jax
from jaxtyping import Inexact, Shaped

Array: TypeAlias = jax.Array

Shape: TypeAlias = tuple[int, ...]

PyTree: TypeAlias = Any
"""Any nesting of dicts, lists, tuples and registered nodes with arrays at the leaves."""

ArrayTree: TypeAlias = Annotated[Any, Shaped[Array, "..."]]
"""Any nesting with arrays at the leaves, or None."""

InexactTree: TypeAlias = Annotated[Any, Inexact[Array, "..."]]
"""Any nesting with floating or complex arrays at the leaves: parameters; gradients, None where there is none."""

Params: TypeAlias = dict[str, Inexact[Array, "..."]]
"""``{"0.weight": (out, in), "0.bias": (out,)}``."""

Grads: TypeAlias = dict[str, Inexact[Array, "..."] | None]
"""The keys of ``Params``; ``None`` where torch's ``.grad`` is None."""

Buffers: TypeAlias = dict[str, Shaped[Array, "..."]]
"""What a module remembers without training it (running statistics, counters)."""

ParamsLike: TypeAlias = Mapping[str, Inexact[Array, "..."]]

Batch: TypeAlias = ArrayTree
"""What a loss function takes beside the parameters: one array, or a tuple of them."""

Metrics: TypeAlias = dict[str, ArrayTree]
"""What there is to report: numbers, or trees of arrays."""

LossFn: TypeAlias = Callable[..., Any]
"""``loss_fn(params, *batch) -> loss``."""
