"""Loss and gradients of a batch, or of micro-batches one after the other."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgrad import autograd
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


def gradient(loss: Loss, params: Params, batch: Batch, buffers: Buffers, generator: Any) -> Computed:
    """``zero_grad()``, forward and ``backward()``."""

    def loss_and_aux(params: Params, batch: Batch) -> tuple[Any, Aux]:
        return loss(params, batch, buffers=buffers, generator=generator, training=True)

    (value, aux), grads = autograd.backward(loss_and_aux, params, batch, has_aux=True)
    return Computed(
        value,
        with_key_order(key_order(params), grads),
        params if aux.params is None else {**params, **aux.params},
        updated(buffers, aux.buffers),
        generator if aux.generator is None else aux.generator,
        aux.metrics or {},
    )


def accumulated(loss: Loss, params: Params, batches: Batch, buffers: Buffers, generator: Any, count: int) -> Computed:
    """The mean of ``count`` losses and its gradient: ``(loss / count).backward()`` for one micro-batch after another.

    One scan: the memory is that of one micro-batch and one more gradient, whatever the count.

    Args:
        loss: the loss function.
        params: where the gradient is taken.
        batches: arrays with a leading axis of micro-batches.
        buffers: they run through the micro-batches in order.
        generator: so does the stream.
        count: of micro-batches.
    """
    _check_leading_axis(batches, count)

    def one(params: Params, batch: Batch, buffers: Buffers, generator: Any) -> Computed:
        computed = gradient(loss, params, batch, buffers, generator)
        grads = map_keeping_none(lambda grad: grad / count, computed.grads)
        return computed._replace(grads=with_key_order(key_order(params), grads))

    def body(carried: tuple[Any, ...], batch: Batch) -> tuple[tuple[Any, ...], tuple[Array, Metrics]]:
        params, grads, buffers, generator = carried
        new = one(params, batch, buffers, generator)
        return (new.params, _sum(grads, new.grads), new.buffers, new.generator), (new.loss, new.metrics)

    shapes = jax.eval_shape(one, params, jax.tree.map(lambda leaf: leaf[0], batches), buffers, generator)
    zeros = jax.tree.map(lambda each: None if each is None else jnp.zeros(each.shape, each.dtype), shapes.grads)
    carried, (losses, metrics) = jax.lax.scan(body, (params, zeros, buffers, generator), batches)
    order = key_order(params)
    after, grads, buffers, generator = carried
    mean = jnp.sum(losses / count, axis=0)
    return Computed(mean, with_key_order(order, grads), with_key_order(order, after), dict(buffers), generator, metrics)


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
