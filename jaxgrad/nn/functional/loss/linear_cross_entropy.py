"""A linear layer and the cross-entropy of its outputs in one call."""

import math
from typing import Any

import jax.numpy as jnp
from jaxtyping import Float, Integer

from jaxgrad._core.diagnosis import diagnosed
from jaxgrad._core.errors import explain
from jaxgrad._core.types import Array
from jaxgrad.nn.functional.linear import linear
from jaxgrad.nn.functional.loss.cross_entropy import cross_entropy


@diagnosed
def linear_cross_entropy(
    input: Float[Array, "*batch in_features"],
    linear_weight: Float[Array, "classes *places in_features"],
    target: Integer[Array, "*samples"] | Float[Array, "*probabilities"],
    *,
    linear_bias: Float[Array, " classes *places"] | None = None,
    weight: Float[Array, " classes"] | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
) -> Float[Array, ""] | Float[Array, "*losses"]:
    r"""Mirror of ``torch.nn.functional.linear_cross_entropy``: the cross-entropy of :math:`x A^T + b`.

    Args:
        input: (N, in_features) or (in_features,).
        linear_weight: (C, d1, ..., dk, in_features).
        target: class indices, (N, d1, ..., dk), or probabilities, (N, C, d1, ..., dk).
        linear_bias: (C, d1, ..., dk).
        weight: (C,), a factor for each class.
        reduction: 'none', 'mean' or 'sum'.
        ignore_index: class indices of this value count for nothing; None stands for -100.
        label_smoothing: in [0, 1].
        options: must be None: torch's recipe for computing in chunks of the batch.

    Returns:
        A scalar, or the shape of the class indices with 'none'.

    Raises:
        RuntimeError: shapes that do not fit, in torch's words.
        NotImplementedError: ``options`` are given.

    >>> loss = linear_cross_entropy(jnp.zeros((2, 3)), jnp.zeros((4, 3)), jnp.array([0, 1]))
    >>> f"{loss:.4f}"
    '1.3863'

    Source: torch/nn/functional.py, ``linear_cross_entropy``.
    """
    x, a, t = jnp.asarray(input), jnp.asarray(linear_weight), jnp.asarray(target)
    if options is not None:
        raise NotImplementedError(
            explain(
                "linear_cross_entropy: options, which split the batch into chunks, are not mirrored",
                expected="options=None",
                remedy="jax.lax.map over chunks of the batch, with utils.checkpoint, saves as much memory",
            )
        )
    if x.ndim not in (1, 2):
        raise RuntimeError(f"expected input with dimensionality 1 or 2, got {x.ndim}")
    if a.ndim < 2:
        raise RuntimeError(f"expected linear_weight with dimensionality at least 2, got {a.ndim}")
    if x.shape[-1] != a.shape[-1]:
        raise RuntimeError(
            "expected equal input and linear_weight last dimensions (in_features), "
            f"got {x.shape[-1]} and {a.shape[-1]}, respectively"
        )
    outputs = a.shape[:-1]
    b = None if linear_bias is None else jnp.asarray(linear_bias)
    if b is not None and b.shape != outputs:
        raise RuntimeError(f"expected linear_bias shape {outputs}, got {b.shape}")
    if len(outputs) > 1 and x.ndim == 1:
        raise RuntimeError(
            f"K-dimensional loss defined by linear_weight shape {a.shape} requires batched input, "
            f"(N, {x.shape[-1]}), got unbatched input with shape {x.shape}"
        )
    shape = (*x.shape[:-1], *outputs)
    if t.shape == shape and ignore_index is not None:
        raise RuntimeError("ignore_index cannot be specified when target contains probabilities")
    rows = math.prod(outputs)
    logits = linear(x, a.reshape(rows, a.shape[-1]), None if b is None else b.reshape(rows))
    return cross_entropy(
        logits.reshape(shape),
        t,
        weight,
        ignore_index=-100 if ignore_index is None else ignore_index,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )
