r"""Negative log-likelihood of class indices, the half of cross-entropy that knows about targets.

.. math:: \ell_n = -w_{t_n}\, x_{n, t_n}, \qquad
          \text{mean} = \sum_n \ell_n \Big/ \sum_{n:\, t_n \ne \text{ignore}} w_{t_n}

The mean divides by the weights *of the targets that count*. When none counts it is 0/0 = nan with gradient zero.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Integer

from jaxgrad._core.castable import castable
from jaxgrad._core.dtype_names import torch_name
from jaxgrad._core.errors import explain, is_traced
from jaxgrad._core.operations import operation
from jaxgrad._core.shapes import along
from jaxgrad._core.types import Array
from jaxgrad.nn.functional.loss.reduction import resolve_reduction


@castable("nll_loss")
@operation("NllLossBackward0")
def nll_loss(
    input: Float[Array, "*logp"],
    target: Integer[Array, "*target"],
    weight: Float[Array, " classes"] | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Float[Array, ""] | Float[Array, "*target"]:
    r"""Mirror of ``torch.nn.functional.nll_loss`` (the formula is in the module's docstring).

    Differs from torch: inside jit the numbers of the target cannot be looked at, so a target out of range makes the
    loss nan instead of raising; targets may have any integer dtype, since JAX's default is int32.

    Args:
        input: log-probabilities, (C,), (N, C) or (N, C, d1, ..., dk).
        target: class indices in [0, C) or ``ignore_index``; (), (N,) or (N, d1, ..., dk).
        weight: (C,), a factor for each class.
        size_average: deprecated in torch; see ``reduction``.
        ignore_index: targets of this value count for nothing.
        reduce: deprecated in torch; see ``reduction``.
        reduction: 'none', 'mean' or 'sum'.

    Raises:
        IndexError: a target out of range, outside jit.
        ValueError: batch sizes that differ, or an unknown reduction.
        RuntimeError: other shapes or dtypes that do not fit.

    >>> logp = jnp.log(jnp.array([[0.5, 0.25, 0.25], [0.25, 0.25, 0.5]]))
    >>> round(float(nll_loss(logp, jnp.array([0, 2]))), 4)
    0.6931

    Source: torch/nn/functional.py, ``nll_loss``.
    """
    reduction = resolve_reduction(reduction, size_average, reduce)
    input, target = jnp.asarray(input), wide_enough(jnp.asarray(target))
    weight = None if weight is None else jnp.asarray(weight)
    check_class_indices(input, target, weight, ignore_index)
    if input.ndim == 1:
        target = target.reshape(())

    counted = target != ignore_index
    index = jnp.where(counted, target, 0)
    class_axis = class_dim(input)
    loss = jnp.where(counted, -picked(input, index, class_axis), 0)
    if weight is None:
        if reduction == "mean":
            return jnp.sum(loss) / jnp.sum(counted).astype(loss.dtype)
    else:
        w = jnp.where(counted, jnp.take(weight, index, mode="fill", fill_value=jnp.nan), 0)
        loss = jnp.where(counted, loss * w, 0)
        if reduction == "mean":
            return jnp.sum(loss) / jnp.sum(w)
    return jnp.sum(loss) if reduction == "sum" else loss


FEW_CLASSES = 1024


def picked(input: Array, index: Array, axis: int) -> Array:
    """The entry of ``input`` at ``index`` along an axis, nan where there is none.

    Of few classes it is the sum of what a mask leaves: XLA fuses that, and its derivative, with what stands around it,
    where a gather, and above all the scatter that is its derivative, are programs of their own.
    """
    along_axis = jnp.expand_dims(index, axis)
    classes = input.shape[axis]
    if classes > FEW_CLASSES:
        found = jnp.take_along_axis(input, along_axis, axis, mode="fill", fill_value=jnp.nan)
        return jnp.squeeze(found, axis)
    places = jax.lax.broadcasted_iota(index.dtype, input.shape, axis)
    found = jnp.sum(jnp.where(places == along_axis, input, 0), axis)
    return jnp.where((index >= 0) & (index < classes), found, jnp.nan)


def wide_enough(target: Array) -> Array:
    """Class indices in a signed dtype that can be compared with any ``ignore_index``; other targets as they are."""
    narrow = jnp.issubdtype(target.dtype, jnp.integer) and target.dtype.name not in ("int32", "int64")
    return target.astype(jnp.int32) if narrow else target


def class_dim(input: Array) -> int:
    """The axis of the classes: the only one, or the second."""
    return 0 if input.ndim == 1 else 1


def class_weights(weight: Array, input: Array) -> Array:
    """Weights of the classes laid along the class axis of ``input``."""
    return along(weight, class_dim(input), input.ndim)


def check_class_indices(input: Array, target: Array, weight: Array | None, ignore_index: int) -> None:
    """Torch's checks of an input and its class indices, in torch's order."""
    if input.ndim == 0:
        raise RuntimeError(explain("input should be at least 1D", got=f"input {input.shape}"))
    _check_batch(input.shape, target.shape)
    if not jnp.issubdtype(target.dtype, jnp.integer):
        raise RuntimeError(
            explain(
                f"expected target dtype to be Long or Byte, but got {torch_name(target.dtype)}",
                got=f"target {target.dtype}{list(target.shape)}",
                expected="integer class indices, or probabilities in the shape of the input",
            )
        )
    _check_shapes(input.shape, target.shape)
    n_classes = input.shape[class_dim(input)]
    if weight is not None and weight.shape != (n_classes,):
        raise RuntimeError(
            explain(
                f"weight tensor should be defined either for all {n_classes} classes or no classes "
                f"but got weight tensor of shape: {list(weight.shape)}",
                got=weight.shape,
                expected=(n_classes,),
            )
        )
    if weight is not None and weight.dtype != input.dtype:
        raise RuntimeError(
            explain(
                f"expected scalar type {torch_name(input.dtype)} but found {torch_name(weight.dtype)}",
                got=f"weight {weight.dtype}",
                expected=input.dtype,
            )
        )
    if not is_traced(target):
        labels = np.asarray(target)
        wrong = (labels != ignore_index) & ((labels < 0) | (labels >= n_classes))
        if wrong.any():
            first = np.argwhere(wrong)[0]
            raise IndexError(
                explain(
                    f"Target {labels[tuple(first)]} is out of bounds.",
                    got=f"target {labels[tuple(first)]} at index {tuple(int(i) for i in first)}",
                    expected=f"0 <= target < {n_classes}, or ignore_index={ignore_index}",
                )
            )


def _check_batch(x: tuple[int, ...], t: tuple[int, ...]) -> None:
    """Before the dtype is looked at, as in torch."""
    if len(x) > 1 and (len(t) == 0 or x[0] != t[0]):
        got = t[0] if t else "none: a scalar"
        raise ValueError(
            explain(
                f"Expected input batch_size ({x[0]}) to match target batch_size ({got}).",
                got=f"input {x}, target {t}",
                expected=f"target {(x[0], *x[2:])}",
            )
        )


def _check_shapes(x: tuple[int, ...], t: tuple[int, ...]) -> None:
    if len(x) == 1:
        if t not in ((), (1,)):
            size = t[0] if len(t) == 1 else list(t)
            raise ValueError(f"For 1D input, 1D target must have size 1, but got target size: {size}")
        return
    expected = (x[0], *x[2:])
    if t == expected:
        return
    if len(x) == 2:
        sentence = "0D or 1D target tensor expected, multi-target not supported"
    elif len(x) == 4 and len(t) != 3:
        sentence = f"only batches of spatial targets supported (3D tensors) but got targets of dimension: {len(t)}"
    elif len(x) == 4:
        sentence = f"size mismatch (got input: {list(x)} , target: {list(t)}"
    else:
        sentence = f"Expected target size {list(expected)}, got {list(t)}"
    raise RuntimeError(explain(sentence, got=f"target {t}", expected=f"target {expected}"))
