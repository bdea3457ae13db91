r"""Batch normalisation: every channel by its mean and variance over the batch, or by those of the past.

.. math:: y = \frac{x - \mu_c}{\sqrt{\sigma_c^2 + \epsilon}}\, \gamma_c + \beta_c, \qquad
          r \leftarrow (1 - m)\, r + m\, s

In training :math:`\mu, \sigma^2` are the batch's, and what is remembered of them are the mean and the *unbiased*
variance :math:`s = \sigma^2 n / (n - 1)`; in evaluation they are the remembered r. The momentum m is the weight of the
new value (0.1), where flax's is that of the old one (0.99).
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxgrad._core.diagnosis import diagnosed
from jaxgrad._core.errors import explain
from jaxgrad._core.operations import operation
from jaxgrad._core.shapes import along
from jaxgrad._core.types import Array
from jaxgrad.nn.functional.normalization.standardize import affine, check_dtypes, count, standardize, widen


@diagnosed
def batch_norm(
    input: Float[Array, "batch channels *size"] | Float[Array, " channels"],
    running_mean: Float[Array, " channels"] | None,
    running_var: Float[Array, " channels"] | None,
    weight: Float[Array, " channels"] | None = None,
    bias: Float[Array, " channels"] | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """Mirror of ``torch.nn.functional.batch_norm`` (the formula is in the module's docstring).

    Differs from torch: running statistics are not updated in place, they come back beside the output. Differs from
    ``flax.nnx.BatchNorm``: the remembered variance is the unbiased one, momentum weighs the new value, and the variance
    is taken in two passes.

    Args:
        input: (N, C, *), floating.
        running_mean: (C,), or None.
        running_var: (C,), or None.
        weight: (C,), or None for ones.
        bias: (C,), or None for zeros.
        training: normalise by the statistics of this batch, and update the running ones.
        momentum: weight of this batch in the running statistics; a number, or an array without axes.
        eps: added to the variance.

    Returns:
        The output, in the input's dtype; with ``training=True`` and running statistics
        ``(output, (running_mean, running_var))``.

    Raises:
        ValueError: ``Expected more than 1 value per channel when training, got input size ...``; a bad ``eps``.
        RuntimeError: parameters or statistics whose size is not the number of channels, missing statistics, mixed
            dtypes.

    >>> x = jnp.array([[1.0], [3.0]])
    >>> batch_norm(x, jnp.zeros(1), jnp.ones(1), eps=0.0).tolist()
    [[1.0], [3.0]]
    >>> output, (mean, var) = batch_norm(x, jnp.zeros(1), jnp.ones(1), training=True)
    >>> output.round(3).tolist(), mean.tolist(), var.round(3).tolist()
    ([[-1.0], [1.0]], [0.20000000298023224], [1.100000023841858])

    Source: Ioffe and Szegedy, 2015; torch/nn/functional.py, ``batch_norm``.
    """
    input = jnp.asarray(input)
    if training:
        check_more_than_one_value(input.shape)
    if training and eps <= 0.0:
        raise ValueError(f"batch_norm eps must be positive during training, but got {eps}")
    if eps < 0.0:
        raise ValueError(f"batch_norm eps must be non-negative, but got {eps}")
    return by_channel(input, running_mean, running_var, weight, bias, training, momentum, eps)


def by_channel(
    input: Array,
    running_mean: Any,
    running_var: Any,
    weight: Any,
    bias: Any,
    training: bool,
    momentum: float | Array,
    eps: float,
    axis_name: Any = None,
) -> Any:
    """``batch_norm`` over the whole of a mesh's axes too; values per channel are not counted."""
    running_mean, running_var, weight, bias = (
        None if each is None else jnp.asarray(each) for each in (running_mean, running_var, weight, bias)
    )
    _check(input, running_mean, running_var, weight, bias, training)
    if not training:
        return _by_past(input, running_mean, running_var, weight, bias, eps)
    if input.size == 0:  # what is remembered stays as it is
        return input if running_mean is None else (input, (running_mean, running_var))
    output, mean, var, n = _by_batch(input, weight, bias, eps, axis_name)
    if running_mean is None:
        return output
    mean, var = jax.lax.stop_gradient((mean, var * (n / (n - 1))))
    return output, (_mixed(running_mean, mean, momentum), _mixed(running_var, var, momentum))


@operation("NativeBatchNormBackward0")
def _by_past(input: Array, mean: Array, var: Array, weight: Array | None, bias: Array | None, eps: float) -> Array:
    laid = [_by_channel(each, input.ndim) for each in (mean, var, weight, bias)]
    x, mean, var, weight, bias = widen(input, *laid)
    return affine((x - mean) * jax.lax.rsqrt(var + eps), weight, bias).astype(input.dtype)


@operation("NativeBatchNormBackward0")
def _by_batch(
    input: Array, weight: Array | None, bias: Array | None, eps: float, axis_name: Any
) -> tuple[Array, Array, Array, Array]:
    laid = [_by_channel(each, input.ndim) for each in (weight, bias)]
    x, weight, bias = widen(input, *laid)
    axes = tuple(axis for axis in range(input.ndim) if axis != 1)
    y, mean, var = standardize(x, axes, eps, axis_name)
    return affine(y, weight, bias).astype(input.dtype), mean.reshape(-1), var.reshape(-1), count(x, axes, axis_name)


def _by_channel(parameter: Array | None, ndim: int) -> Array | None:
    """Laid along the axis of the channels; an input without that axis is empty, and any shape does."""
    return None if parameter is None else along(parameter, min(1, ndim - 1), ndim)


def _mixed(old: Array, new: Array, momentum: float | Array) -> Array:
    """``(1 - m) * old + m * new``; 1 - m is taken in double precision if m is a number."""
    taken: Any = momentum
    kept: Any = 1 - momentum
    if not isinstance(momentum, jax.Array):
        taken, kept = np.asarray(taken, new.dtype), np.asarray(kept, new.dtype)
    return (kept * old.astype(new.dtype) + taken * new).astype(old.dtype)


def check_more_than_one_value(shape: tuple[int, ...], shown: str | None = None) -> None:
    """Raise torch's ValueError if a channel has a single value, whose variance would be 0."""
    if math.prod((*shape[:1], *shape[2:])) == 1:
        shown = f"torch.Size({list(shape)})" if shown is None else shown
        raise ValueError(
            explain(
                f"Expected more than 1 value per channel when training, got input size {shown}",
                remedy="a larger batch (DataLoader(drop_last=True)), or training=False",
            )
        )


def _check(
    input: Array,
    running_mean: Array | None,
    running_var: Array | None,
    weight: Array | None,
    bias: Array | None,
    training: bool,
) -> None:
    if not training:
        for name, value in (("running_mean", running_mean), ("running_var", running_var)):
            if value is None:
                raise RuntimeError(f"{name} must be defined in evaluation mode")
    elif (running_mean is None) != (running_var is None):
        raise ValueError("running_mean and running_var must either both be None or neither be None")
    channels = input.shape[1] if input.ndim > 1 else 0
    named = {"running_mean": running_mean, "running_var": running_var, "weight": weight, "bias": bias}
    for name, value in named.items():
        if value is not None and value.size != channels:
            raise RuntimeError(
                explain(
                    f"{name} should contain {channels} elements not {value.size}",
                    got=f"input {input.shape}, {name} {value.shape}",
                    expected=f"{name} ({channels},)",
                )
            )
    check_dtypes(input, "batch_norm", weight, bias, running_mean, running_var)
