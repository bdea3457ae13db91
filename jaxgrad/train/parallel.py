"""The gradient on many devices: every replica computes its own, and what goes on is their mean.

Torch's ``DistributedDataParallel``, written down. With N replicas, each with its rows :math:`B_r` of the batch,

.. math:: g = \\frac{1}{N} \\sum_r \\nabla_\\theta\\, L(\\theta, B_r)

- A replica sees its rows alone. ``nn.BatchNorm`` takes their statistics, and the buffers that go on are replica 0's,
  as torch broadcasts them before every forward; ``nn.SyncBatchNorm`` takes all rows'.
- With "data" the replicas talk once a step: with accumulation each adds up its micro-batches first (``no_sync()``).
- Where parameters are split ("fsdp"), a replica gathers them for its forward and backward; the derivative of gathering
  is to add up and scatter, so that each is left with its share of the mean and no other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxgrad._core.errors import explain, quoted
from jaxgrad._core.replicas import SPLIT
from jaxgrad._core.trees import key_order, with_key_order
from jaxgrad._core.types import Array, Batch, Buffers, Params
from jaxgrad.func import Aux
from jaxgrad.train.gradient import Computed
from jaxgrad.train.loss import Loss
from jaxgrad.train.mesh import is_per_replica, row_spec, split_axis, split_spec
from jaxgrad.train.sharding import shardings
from jaxgrad.train.state import TrainState


@dataclass(frozen=True)
class Replicas:
    """The devices of a mesh, each of which computes a gradient.

    Attributes:
        mesh: from ``replicas_of``.
        rows: the axis of the batch's rows: 1 behind an axis of micro-batches.
    """

    mesh: Mesh
    rows: int

    def mean(
        self,
        compute: Callable[..., Computed],
        loss: Loss,
        params: Params,
        batch: Batch,
        buffers: Buffers,
        generator: Any,
    ) -> Computed:
        """What ``compute(loss, params, batch, buffers, generator)`` gives, as the mean over the replicas.

        Gradients lie where the parameters do; metrics of the loss function come with a leading axis of replicas.
        """
        axes = self.mesh.axis_names
        split = {name: split_axis(leaf.shape, self.mesh) for name, leaf in params.items()}
        of_replica = OfReplica(**vars(loss), split=split)
        own_stream = is_per_replica(generator)

        def replica(params: Params, batch: Batch, buffers: Buffers, generator: Any) -> tuple[Any, ...]:
            drawn_from = jax.tree.map(lambda leaf: leaf[0], generator) if own_stream else generator
            computed = compute(of_replica, params, batch, buffers, drawn_from)
            grads = {name: self._mean(grad, split[name]) for name, grad in computed.grads.items()}
            kept = {name: new if new is buffers[name] else self._first(new) for name, new in computed.buffers.items()}
            after = jax.tree.map(lambda leaf: leaf[None], computed.generator) if own_stream else computed.generator
            metrics = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], computed.metrics)
            return jax.lax.pmean(computed.loss, axes), grads, kept, after, metrics

        whole, per_replica = PartitionSpec(), PartitionSpec(axes)
        of_params = {name: split_spec(leaf.shape, self.mesh) for name, leaf in params.items()}
        of_batch = jax.tree.map(lambda leaf: row_spec(jnp.ndim(leaf), self.mesh, self.rows), batch)
        of_stream = per_replica if own_stream else whole
        run = jax.shard_map(
            replica,
            mesh=self.mesh,
            in_specs=(of_params, of_batch, whole, of_stream),
            out_specs=(whole, of_params, whole, of_stream, per_replica),
            check_vma=False,
        )
        value, grads, kept, after, metrics = run(params, batch, buffers, generator)
        grads = with_key_order(key_order(params), grads)
        return Computed(value, grads, params, {name: kept[name] for name in buffers}, after, metrics)

    def _mean(self, grad: Array | None, split: int | None) -> Array | None:
        """Over all replicas; a split one was added up over "fsdp" where it was scattered."""
        if grad is None:
            return None
        others = tuple(name for name in self.mesh.axis_names if split is None or name != SPLIT)
        return (jax.lax.psum(grad, others) if others else grad) / self.mesh.size

    def _first(self, value: Array) -> Array:
        """Replica 0's, for all."""
        value = jnp.asarray(value)
        first = jax.lax.axis_index(self.mesh.axis_names) == 0
        number = value.astype(jnp.int8) if value.dtype == bool else value
        return jax.lax.psum(jnp.where(first, number, jnp.zeros_like(number)), self.mesh.axis_names).astype(value.dtype)

    def place(self, after: TrainState, before: TrainState) -> TrainState:
        """Inside a program: the arrays that are new, where they belong."""
        old = {id(leaf) for leaf in jax.tree.leaves(before)}

        def placed(leaf: Array, where: NamedSharding) -> Array:
            return leaf if id(leaf) in old else jax.lax.with_sharding_constraint(leaf, where)

        return jax.tree.map(placed, after, shardings(after, self.mesh))


@dataclass(frozen=True)
class OfReplica(Loss):
    """A loss function of whole parameters, called with a replica's share of them.

    Attributes:
        split: along which axis each parameter is split, if it is.
    """

    split: dict[str, int | None]

    def __call__(
        self, params: Params, batch: Batch, *, buffers: Buffers, generator: Any, training: bool
    ) -> tuple[Any, Aux]:
        """The loss of the replica's rows."""
        whole = {name: self._gathered(leaf, self.split[name]) for name, leaf in params.items()}
        loss, aux = super().__call__(whole, batch, buffers=buffers, generator=generator, training=training)
        if aux.params:
            raise RuntimeError(
                explain(
                    "the forward pass changes parameters, on every replica to other values",
                    got=quoted(aux.params),
                    remedy="nn.Embedding without max_norm, which torch's replicas do not keep equal either",
                )
            )
        return loss, aux

    def _gathered(self, leaf: Array, axis: int | None) -> Array:
        return leaf if axis is None else jax.lax.all_gather(leaf, SPLIT, axis=axis, tiled=True)
