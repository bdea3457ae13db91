"""The devices of a mesh as replicas of a training step.

A mesh has one or both of two axes, and each of its devices is a *replica*, with its own rows of every batch:

- ``"data"``: each replica holds the whole state (torch's ``DistributedDataParallel``);
- ``"fsdp"``: each replica holds its share of parameters, optimizer state and average (torch's ``fully_shard``).

With both, the state is split over ``"fsdp"`` and repeated over ``"data"`` (torch's hybrid sharding).
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, Mesh, PartitionSpec

from jaxgrad._core.errors import explain
from jaxgrad._core.replicas import AXES, SPLIT
from jaxgrad.random import Generator


def replicas_of(mesh: Any) -> Mesh:
    """The mesh with axes whose shardings XLA works out (``jax.make_mesh`` makes explicit ones).

    Raises:
        TypeError: not a mesh.
        ValueError: axes of other names.
    """
    if not isinstance(mesh, Mesh):
        raise TypeError(
            explain(
                "mesh is a jax.sharding.Mesh",
                got=type(mesh).__name__,
                remedy='jax.make_mesh((jax.device_count(),), ("data",))',
            )
        )
    strange = [name for name in mesh.axis_names if name not in AXES]
    if strange or not mesh.axis_names:
        raise ValueError(
            explain(
                "the axes of a mesh for training are called data and fsdp",
                got=", ".join(map(str, mesh.axis_names)) or "none",
                expected='"data": the state repeated; "fsdp": the state split; or both',
                remedy='jax.make_mesh((jax.device_count(),), ("data",))',
            )
        )
    return Mesh(mesh.devices, mesh.axis_names, axis_types=(AxisType.Auto,) * len(mesh.axis_names))


def split_axis(shape: Sequence[int], mesh: Mesh) -> int | None:
    """The axis along which an array is split over "fsdp": the longest that divides evenly, or None."""
    count = dict(mesh.shape).get(SPLIT, 1)
    even = [axis for axis, length in enumerate(shape) if length and length % count == 0]
    return max(even, key=lambda axis: (shape[axis], -axis), default=None) if count > 1 else None


def split_spec(shape: Sequence[int], mesh: Mesh) -> PartitionSpec:
    """The same as JAX has it."""
    axis = split_axis(shape, mesh)
    return PartitionSpec() if axis is None else PartitionSpec(*[None] * axis, SPLIT)


def row_spec(ndim: int, mesh: Mesh, axis: int) -> PartitionSpec:
    """A batch's array: its rows over all replicas; a number is everybody's."""
    return PartitionSpec() if ndim == 0 else PartitionSpec(*[None] * axis, mesh.axis_names)


def is_per_replica(generator: Any) -> bool:
    """Whether a stream is one for each replica, side by side, as ``per_replica`` makes it."""
    if isinstance(generator, Generator):
        return jnp.ndim(generator.position) == 1
    return isinstance(generator, jax.Array) and (
        jnp.issubdtype(generator.dtype, jax.dtypes.prng_key) and generator.ndim == 1
    )


def local_replicas(mesh: Mesh) -> list[int]:
    """Which replicas are this process's: the ``ranks`` for its ``ReplicaBatches``.

    Args:
        mesh: as for ``shard``.

    Returns:
        Their numbers, those of the mesh's devices in order.

    >>> from jaxgrad import train
    >>> mesh = jax.make_mesh((jax.device_count(),), ("data",))
    >>> train.local_replicas(mesh) == list(range(mesh.size))
    True
    """
    here = jax.process_index()
    return [rank for rank, device in enumerate(mesh.devices.flat) if device.process_index == here]


def per_replica(streams: Sequence[Any]) -> Any:
    """Random streams side by side, one for each replica, for ``init_state(..., generator=)`` of a step with a mesh.

    In torch each process has a stream of its own. Where all were seeded alike, they draw the same masks, and one
    stream serves; where rank r was seeded with ``seed + r``, this is for it.

    Args:
        streams: a ``random.Generator`` for each replica; or JAX keys.

    Returns:
        A stream with an axis of replicas.

    Raises:
        ValueError: there are none.

    >>> from jaxgrad import random, train
    >>> train.per_replica([random.manual_seed(5 + rank) for rank in range(2)]).position.shape
    (2,)
    """
    if not streams:
        raise ValueError(explain("every replica has a stream", got="none"))
    return jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(leaf) for leaf in leaves]), *streams)
