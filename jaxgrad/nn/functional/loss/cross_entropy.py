"""Cross-entropy of logits, against class indices or class probabilities."""

import math
from typing import Any

import jax.numpy as jnp
from jaxtyping import Float, Integer

from jaxgrad._core.castable import castable
from jaxgrad._core.diagnosis import diagnosed
from jaxgrad._core.dtype_names import torch_name
from jaxgrad._core.errors import explain
from jaxgrad._core.types import Array
from jaxgrad.nn.functional.activation import log_softmax
from jaxgrad.nn.functional.loss.nll import check_class_indices, class_dim, class_weights, nll_loss, wide_enough
from jaxgrad.nn.functional.loss.reduction import resolve_reduction


@diagnosed
@castable("cross_entropy_loss")
def cross_entropy(
    input: Float[Array, "*logits"],
    target: Integer[Array, "*target"] | Float[Array, "*logits"],
    weight: Float[Array, " classes"] | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Float[Array, ""] | Float[Array, "*target"] | Float[Array, "*samples"]:
    r"""Mirror of ``torch.nn.functional.cross_entropy``.

    With :math:`p = \log\mathrm{softmax}(x)` over C classes and smoothing :math:`\varepsilon`:

    - class indices: :math:`(1 - \varepsilon)\, \mathrm{nll}(p, t) + \frac{\varepsilon}{C} \sum_c -w_c p_c`, where the
      mean of both parts divides by the summed weights of the targets that are not ignored;
    - class probabilities (a floating target of the input's shape): :math:`-\sum_c w_c t_c p_c`, where
      :math:`t \leftarrow (1 - \varepsilon)\,t + \varepsilon / C` and the mean divides by the number of samples,
      weights or not.

    Differs from optax's cross-entropies, which have neither weights, ``ignore_index``, nor reductions.

    Args:
        input: logits, (C,), (N, C) or (N, C, d1, ..., dk).
        target: class indices, (), (N,) or (N, d1, ..., dk), any integer dtype; or probabilities, as ``input``.
        weight: (C,), a factor for each class.
        size_average: deprecated in torch; see ``reduction``.
        ignore_index: class indices of this value count for nothing.
        reduce: deprecated in torch; see ``reduction``.
        reduction: 'none', 'mean' or 'sum'.
        label_smoothing: in [0, 1].

    Returns:
        A scalar, or for 'none' the shape of the class indices.

    Raises:
        IndexError: a class index out of range. Inside jit the loss is nan instead.
        ValueError: batch sizes that differ, or an unknown reduction.
        RuntimeError: other shapes, dtypes or arguments that do not fit, in torch's words.

    >>> logits = jnp.array([[1.0, 2.0, 3.0], [3.0, 1.0, 0.0]])
    >>> round(float(cross_entropy(logits, jnp.array([2, -100]))), 4)
    0.4076
    >>> cross_entropy(logits, jnp.array([0, 7]))
    Traceback (most recent call last):
        ...
    IndexError: Target 7 is out of bounds.
      got:      target 7 at index (1,)
      expected: 0 <= target < 3, or ignore_index=-100

    Source: torch/nn/functional.py, ``cross_entropy``; label smoothing after Szegedy et al., 2016.
    """
    reduction = resolve_reduction(reduction, size_average, reduce)
    input, target = jnp.asarray(input), jnp.asarray(target)
    given = target.dtype
    target = wide_enough(target)
    weight = None if weight is None else jnp.asarray(weight)
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    if input.shape == target.shape:
        _check_probabilities(input, given, weight, ignore_index)
        return _probabilities(input, target, weight, reduction, label_smoothing)

    check_class_indices(input, target, weight, ignore_index)
    logp = log_softmax(input, dim=class_dim(input))
    nll = nll_loss(logp, target, weight, ignore_index=ignore_index, reduction=reduction)
    if label_smoothing == 0.0:
        return nll
    n_classes = input.shape[class_dim(input)]
    smooth = _smooth_loss(logp, target, weight, ignore_index, reduction)
    return (1 - label_smoothing) * nll + smooth * (label_smoothing / n_classes)


def _smooth_loss(logp: Array, target: Array, weight: Array | None, ignore_index: int, reduction: str) -> Array:
    """The loss against a uniform target, not yet divided by the number of classes."""
    axis = class_dim(logp)
    weighted = logp if weight is None else logp * class_weights(weight, logp)
    loss = -jnp.sum(weighted, axis=axis)
    counted = (target != ignore_index).reshape(loss.shape)
    loss = jnp.where(counted, loss, 0)
    if reduction == "mean":
        if weight is None:
            return jnp.sum(loss) / jnp.sum(counted).astype(loss.dtype)
        of_target = jnp.take(weight, jnp.where(counted, target.reshape(loss.shape), 0), mode="fill", fill_value=jnp.nan)
        return jnp.sum(loss) / jnp.sum(jnp.where(counted, of_target, 0))
    return jnp.sum(loss) if reduction == "sum" else loss


def _probabilities(input: Array, target: Array, weight: Array | None, reduction: str, label_smoothing: float) -> Array:
    axis = class_dim(input)
    n_classes = input.shape[axis]
    if label_smoothing > 0.0:
        target = target * (1 - label_smoothing) + label_smoothing / n_classes
    terms = log_softmax(input, dim=axis) * target
    if weight is not None:
        terms = terms * class_weights(weight, input)
    if reduction == "none":
        return -jnp.sum(terms, axis=axis)
    total = -jnp.sum(terms)
    if reduction == "sum":
        return total
    return total / math.prod(n for dim, n in enumerate(input.shape) if dim != axis)


def _check_probabilities(input: Array, given: Any, weight: Array | None, ignore_index: int) -> None:
    if not jnp.issubdtype(given, jnp.floating):
        raise RuntimeError(
            explain(
                f"Expected floating point type for target with class probabilities, got {torch_name(given)}",
                got=f"target {given}{list(input.shape)}",
                expected="probabilities in the shape of the input, or class indices without the class axis",
            )
        )
    if ignore_index >= 0:
        raise RuntimeError("ignore_index is not supported for floating point target")
    n_classes = input.shape[class_dim(input)] if input.ndim else 0
    if weight is not None and weight.shape != (n_classes,):
        raise RuntimeError(
            explain(
                f"cross_entropy: weight tensor should be defined either for all {n_classes} classes or no classes "
                f"but got weight tensor of shape: {list(weight.shape)}",
                got=weight.shape,
                expected=(n_classes,),
            )
        )
