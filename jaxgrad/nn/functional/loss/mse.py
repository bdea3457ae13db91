"""The squared error."""

import jax.numpy as jnp
from jaxtyping import Inexact, Num

from jaxgrad._core.castable import castable
from jaxgrad._core.dtype_names import torch_name
from jaxgrad._core.errors import explain
from jaxgrad._core.operations import operation
from jaxgrad._core.types import Array
from jaxgrad.nn.functional.loss.reduction import reduce_loss, resolve_reduction
from jaxgrad.nn.functional.loss.regression import difference, weighted


@castable("mse_loss")
@operation("MseLossBackward0")
def mse_loss(
    input: Num[Array, "*#shape"],
    target: Num[Array, "*#shape"],
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Num[Array, "*#shape"] | None = None,
) -> Inexact[Array, ""] | Inexact[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.mse_loss``: :math:`\frac1n \sum_i (x_i - t_i)^2`.

    With ``weight`` the mean is :math:`\sum_i w_i (x_i - t_i)^2 / \sum_i w_i`. Differs from ``optax.l2_loss``, which
    has the factor 1/2 and no reduction.

    Args:
        input: any shape.
        target: the same shape; another one is broadcast, with torch's warning.
        size_average: deprecated in torch; see ``reduction``.
        reduce: deprecated in torch; see ``reduction``.
        reduction: 'none', 'mean' or 'sum'.
        weight: the shape of ``input``.

    Returns:
        A scalar, or the broadcast shape for 'none'.

    Raises:
        ValueError: an unknown reduction, or a weight of another shape.
        RuntimeError: shapes that cannot be broadcast.

    >>> float(mse_loss(jnp.array([1.0, 2.0]), jnp.array([1.0, 4.0])))
    2.0

    Source: torch/nn/functional.py, ``mse_loss``.
    """
    reduction = resolve_reduction(reduction, size_average, reduce)
    x, t = difference(input, target)
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        raise NotImplementedError(
            explain(f"\"mse_cpu\" not implemented for '{torch_name(x.dtype)}'", expected="a floating point dtype")
        )
    squared = jnp.square(x - t)
    if weight is None:
        return reduce_loss(squared, reduction)
    return weighted(squared, weight, jnp.shape(input), reduction, by_weight=True)
