"""Loss and gradients of a batch, or of micro-batches one after the other."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp

from jaxgrad import autograd
from jaxgrad._core.dtypes import promoted
from jaxgrad._core.errors import describe, explain
from jaxgrad._core.trees import is_none, key_order, map_keeping_none, named_leaves, with_key_order
from jaxgrad._core.types import Array, Batch, Buffers, Grads, Metrics, Params
from jaxgrad.func import Aux
from jaxgrad.train.loss import Loss, updated


class Computed(NamedTuple):
    """What one forward and backward left."""

    loss: Array
    grads: Grads
    params: Params
    buffers: Buffers
    generator: Any
    metrics: Metrics


Scale: TypeAlias = Callable[[Array], Array] | None
"""What is done to a loss before its backward, as ``scaler.scale(loss).backward()`` does."""


def gradient(
    loss: Loss, params: Params, batch: Batch, buffers: Buffers, generator: Any, scale: Scale = None
) -> Computed:
    """``zero_grad()``, forward and ``backward()``; the gradients are of the scaled loss, the loss is not scaled."""

    def loss_and_aux(params: Params, batch: Batch) -> tuple[Any, tuple[Any, Aux]]:
        value, aux = loss(params, batch, buffers=buffers, generator=generator, training=True)
        return (value if scale is None else scale(value)), (value, aux)

    trained = None if loss.frozen is None else autograd.requires_grad(params, loss.frozen, False)
    (scaled, (value, aux)), grads = autograd.backward(loss_and_aux, params, batch, has_aux=True, inputs=trained)
    return Computed(
        scaled if scale is None else value,
        with_key_order(key_order(params), grads),
        params if aux.params is None else {**params, **aux.params},
        updated(buffers, aux.buffers),
        generator if aux.generator is None else aux.generator,
        aux.metrics or {},
    )


def accumulated(
    loss: Loss,
    params: Params,
    batches: Batch,
    buffers: Buffers,
    generator: Any,
    count: int,
    reduction: str,
    scale: Scale = None,
) -> Computed:
    """The loss of ``count`` micro-batches and its gradient: ``backward()`` for one after another.

    One scan: the memory is that of one micro-batch and one more gradient, whatever the count.

    Args:
        loss: the loss function.
        params: where the gradient is taken.
        batches: arrays with a leading axis of micro-batches.
        buffers: they run through the micro-batches in order.
        generator: so does the stream.
        count: of micro-batches.
        reduction: "mean" is torch's ``(loss / count).backward()``, "sum" its ``loss.backward()``; "weighted" is the
            mean with the weights that the loss function reports as ``metrics["weight"]``.
        scale: of ``gradient``; torch's ``scaler.scale(loss / count).backward()``.
    """
    _check_leading_axis(batches, count)
    divides_first = scale is not None and reduction == "mean"  # the smaller loss overflows later in half precision
    scaled_loss = partial(_scale_share, scale=scale, count=count) if divides_first else scale

    def one(params: Params, batch: Batch, buffers: Buffers, generator: Any) -> tuple[Computed, Array]:
        computed = gradient(loss, params, batch, buffers, generator, scaled_loss)
        weight = _weight(computed.metrics) if reduction == "weighted" else jnp.ones((), computed.loss.dtype)
        of_grads = "sum" if divides_first else reduction
        scaled = map_keeping_none(partial(_scaled, weight=weight, count=count, reduction=of_grads), computed.grads)
        grads = with_key_order(key_order(params), scaled)
        value = _scaled(computed.loss, weight=weight, count=count, reduction=reduction)
        return computed._replace(loss=value, grads=grads), weight

    def body(carried: tuple[Any, ...], batch: Batch) -> tuple[tuple[Any, ...], tuple[Array, Array, Metrics]]:
        params, grads, buffers, generator = carried  # a scan sorts the keys of a dict
        new, weight = one(with_key_order(order, params), batch, with_key_order(order_of_buffers, buffers), generator)
        return (new.params, _sum(grads, new.grads), new.buffers, new.generator), (new.loss, weight, new.metrics)

    order, order_of_buffers = key_order(params), key_order(buffers)
    shapes, _ = jax.eval_shape(one, params, jax.tree.map(lambda leaf: leaf[0], batches), buffers, generator)
    zeros = map_keeping_none(lambda each: jnp.zeros(each.shape, each.dtype), shapes.grads)
    carried, (losses, weights, metrics) = jax.lax.scan(body, (params, zeros, buffers, generator), batches)
    after, grads, buffers, generator = carried
    value = jnp.sum(losses, axis=0)
    if reduction == "weighted":
        total = jnp.sum(weights)
        value = _divided(value, total)
        grads = map_keeping_none(lambda grad: _divided(grad, total).astype(grad.dtype), grads)
    after, grads = with_key_order(order, after), with_key_order(order, grads)
    return Computed(value, grads, after, with_key_order(order_of_buffers, buffers), generator, metrics)


def _divided(value: Array, total: Array) -> Array:
    value, total = promoted(value, total)
    return value / total


def _scaled(value: Array, *, weight: Array, count: int, reduction: str) -> Array:
    if reduction == "mean":
        return value / count
    return value if reduction == "sum" else value * weight.astype(value.dtype)


def _scale_share(value: Array, *, scale: Scale, count: int) -> Array:
    share = value / count
    return share if scale is None else scale(share)


def _weight(metrics: Metrics) -> Array:
    if "weight" not in metrics:
        raise ValueError(
            explain(
                'accumulate_reduction="weighted" needs the weight of each micro-batch',
                got=f"metrics {sorted(metrics)}",
                remedy='return loss, train.Aux(metrics={"weight": number_of_examples})',
            )
        )
    return jnp.asarray(metrics["weight"])


def _sum(grads: Grads, new: Grads) -> Grads:
    return jax.tree.map(lambda a, b: None if b is None else a + b, grads, new, is_leaf=is_none)


def _check_leading_axis(batches: Batch, count: int) -> None:
    for name, leaf in named_leaves(batches).items():
        if jnp.ndim(leaf) == 0 or jnp.shape(leaf)[0] != count:
            raise ValueError(
                explain(
                    f"with accumulate={count} every array of a batch has a leading axis of {count} micro-batches",
                    got=f"{name}: {describe(leaf)}",
                    expected=f"({count}, B, ...)",
                    remedy=f"x.reshape({count}, -1, *x.shape[1:])",
                )
            )
