r"""Binary cross-entropy of logits.

The loss of one element is

.. math:: \ell = (1 - t)\,x - (1 + (p - 1)\,t)\,\log\sigma(x)

with logit x, target t and the weight p of positive examples. Its derivative is taken from the formula, not from the
operations, so that it stays finite where the loss is not: at x = +-inf the value is nan or inf, the derivative
:math:`\sigma(x) - t`.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Float, Num

from jaxgrad._core.castable import castable
from jaxgrad._core.dtype_names import torch_name
from jaxgrad._core.errors import explain
from jaxgrad._core.operations import operation
from jaxgrad._core.shapes import broadcast, torch_size
from jaxgrad._core.types import Array
from jaxgrad.nn.functional.loss.reduction import reduce_loss, resolve_reduction


@castable("binary_cross_entropy_with_logits")
@operation("BinaryCrossEntropyWithLogitsBackward0")
def binary_cross_entropy_with_logits(
    input: Float[Array, "*shape"],
    target: Num[Array, "*shape"],
    weight: Num[Array, "*#weights"] | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Num[Array, "*#weights"] | None = None,
) -> Float[Array, ""] | Float[Array, "*shape"]:
    r"""Mirror of ``torch.nn.functional.binary_cross_entropy_with_logits``.

    :math:`-w\,[p\,t \log\sigma(x) + (1 - t) \log(1 - \sigma(x))]`, reduced. 'mean' divides by the number of elements,
    whatever the weights. Differs from ``optax.sigmoid_binary_cross_entropy`` by the weights, the reduction and the
    derivative at infinite logits (see the module).

    Args:
        input: logits, any shape, floating point.
        target: the same shape, floating point, usually in [0, 1].
        weight: factor for each element, broadcast to ``input``.
        size_average: deprecated in torch; see ``reduction``.
        reduce: deprecated in torch; see ``reduction``.
        reduction: 'none', 'mean' or 'sum'.
        pos_weight: factor for the positive part, broadcast to ``input``; usually one number per class.

    Raises:
        ValueError: target and input differ in shape, or an unknown reduction.
        RuntimeError: an integer target, or weights that cannot be broadcast.
        NotImplementedError: an integer input.

    >>> round(float(binary_cross_entropy_with_logits(jnp.zeros(3), jnp.ones(3))), 4)
    0.6931

    Source: torch/nn/functional.py, ``binary_cross_entropy_with_logits``.
    """
    reduction = resolve_reduction(reduction, size_average, reduce)
    x, t = jnp.asarray(input), jnp.asarray(target)
    if t.shape != x.shape:
        raise ValueError(
            explain(
                f"Target size ({torch_size(t)}) must be the same as input size ({torch_size(x)})",
                got=t.shape,
                expected=x.shape,
            )
        )
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise NotImplementedError(
            explain(
                f"\"log_sigmoid_cpu\" not implemented for '{torch_name(x.dtype)}'",
                got=f"input {x.dtype}",
                expected="a floating point dtype",
            )
        )
    if not jnp.issubdtype(t.dtype, jnp.floating):
        raise RuntimeError(
            explain(
                f"result type {torch_name(x.dtype)} can't be cast to the desired output type {torch_name(t.dtype)}",
                got=f"target {t.dtype}",
                expected="a floating point dtype",
                remedy=f"target.astype({x.dtype})",
            )
        )
    if pos_weight is None:
        loss = _loss(x, t)
    else:
        loss = _loss_with_pos_weight(*broadcast(x, t, jnp.asarray(pos_weight)))
    if weight is not None:
        loss, weight = broadcast(loss, jnp.asarray(weight))
        loss = loss * weight
    return reduce_loss(loss, reduction)


@jax.custom_jvp
def _loss(x: Array, t: Array) -> Array:
    return (1 - t) * x - jax.nn.log_sigmoid(x)


@_loss.defjvp
def _loss_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (x, t), (dx, dt) = primals, tangents
    return _loss(x, t), (jax.nn.sigmoid(x) - t) * dx - x * dt


@jax.custom_jvp
def _loss_with_pos_weight(x: Array, t: Array, p: Array) -> Array:
    return (1 - t) * x - ((p - 1) * t + 1) * jax.nn.log_sigmoid(x)


@_loss_with_pos_weight.defjvp
def _loss_with_pos_weight_jvp(
    primals: tuple[Array, Array, Array], tangents: tuple[Array, Array, Array]
) -> tuple[Array, Array]:
    (x, t, p), (dx, dt, dp) = primals, tangents
    by_x = (p * t + 1 - t) * jax.nn.sigmoid(x) - p * t
    by_t = jax.nn.log_sigmoid(-x) - p * jax.nn.log_sigmoid(x)
    by_p = -t * jax.nn.log_sigmoid(x)
    return _loss_with_pos_weight(x, t, p), by_x * dx + by_t * dt + by_p * dp
