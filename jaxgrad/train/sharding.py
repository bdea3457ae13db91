"""Where the arrays of a train state and of a batch lie on many devices."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxgrad._core.errors import describe, explain, is_traced
from jaxgrad._core.trees import named_leaves, path_name
from jaxgrad._core.types import Batch
from jaxgrad._jaxpr.processes import of_first, same_in_all
from jaxgrad.train.mesh import is_per_replica, local_replicas, replicas_of, row_spec, split_spec
from jaxgrad.train.state import TrainState


def shardings(state: TrainState, mesh: Mesh) -> TrainState:
    """Where each array of a train state belongs, as a state of ``NamedSharding``.

    Parameters, and what the optimizer and the average remember of each, are split over the axis "fsdp", along the
    longest axis that divides evenly (no axis does: repeated); all else is repeated on every device.

    Args:
        state: arrays, or their shapes (``jax.eval_shape``).
        mesh: with axes "data", "fsdp" or both.

    Returns:
        For ``jax.device_put``, or for ``jax.jit(make_state, out_shardings=...)``: a state that no single device could
        hold is made where it is to lie.

    Raises:
        TypeError: not a mesh.
        ValueError: axes of other names.

    >>> from jaxgrad import optim, train
    >>> mesh = jax.make_mesh((jax.device_count(),), ("fsdp",))
    >>> state = train.init_state({"weight": jnp.ones((3, 4 * mesh.size))}, optim.Adam())
    >>> placed = train.shardings(state, mesh)
    >>> placed.params["weight"].shard_shape((3, 4 * mesh.size))
    (3, 4)
    >>> placed.opt_state.state["weight"].exp_avg == placed.params["weight"]
    True
    """
    mesh = replicas_of(mesh)
    names: dict[tuple[int, ...], list[str]] = {}
    for name, leaf in state.params.items():
        names.setdefault(tuple(leaf.shape), []).append(f".{name}.")
    own_streams = is_per_replica(state.generator)

    def place(path: Any, leaf: Any) -> NamedSharding:
        part, where = (name := path_name(path)).split(".")[0], f".{name}."
        if part == "generator" and own_streams:
            return NamedSharding(mesh, row_spec(1, mesh, 0))
        of_a_parameter = any(name in where for name in names.get(tuple(leaf.shape), ()))
        splits = part in ("params", "opt_state", "average") and of_a_parameter
        return NamedSharding(mesh, split_spec(leaf.shape, mesh) if splits else PartitionSpec())

    placed: TrainState = jax.tree_util.tree_map_with_path(place, state)
    return placed


def shard(state: TrainState, mesh: Mesh) -> TrainState:
    """A train state laid out on the devices of a mesh: what torch's ``DistributedDataParallel(model)`` does.

    A step with ``mesh=`` does it by itself with a state that does not lie there yet. Among several processes the
    values are those of process 0, as in torch; only the random stream must be the same in all of them.

    Args:
        state: from ``init_state``; it stays as it is. Arrays that lie where they belong are left there.
        mesh: with axes "data" (the state is repeated), "fsdp" (it is split: see ``shardings``), or both.

    Returns:
        The same numbers in other places.

    Raises:
        TypeError: not a mesh.
        ValueError: axes of other names; streams for another number of replicas; or the processes have different ones.

    >>> from jaxgrad import optim, train
    >>> mesh = jax.make_mesh((jax.device_count(),), ("fsdp",))
    >>> state = train.shard(train.init_state({"w": jnp.arange(2.0 * mesh.size)}, optim.Adam()), mesh)
    >>> state.params["w"].addressable_shards[0].data.tolist()
    [0.0, 1.0]
    """
    mesh = replicas_of(mesh)
    _check_streams(state.generator, mesh)
    if jax.process_count() > 1:
        return _among_processes(state, shardings(state, mesh))
    return jax.tree.map(_placed, state, shardings(state, mesh))


def shard_batch(batch: Batch, mesh: Mesh, *, axis: int = 0) -> Batch:
    """A batch with its rows spread over the replicas, the first ones on the first device.

    A step with ``mesh=`` does it by itself; here it can be done ahead, while the step before is running. Among several
    processes each gives the rows of its own devices.

    Args:
        batch: arrays; a number without axes is everybody's.
        mesh: as for ``shard``.
        axis: that of the rows: 1 behind an axis of micro-batches or of steps.

    Returns:
        The batch on the devices; arrays that lie there already are left alone.

    Raises:
        ValueError: the rows do not divide evenly.

    >>> from jaxgrad import train
    >>> mesh = jax.make_mesh((jax.device_count(),), ("data",))
    >>> x = train.shard_batch(jnp.arange(2 * mesh.size), mesh)
    >>> x.addressable_shards[0].data.tolist()
    [0, 1]
    """
    mesh = replicas_of(mesh)
    shares = len(local_replicas(mesh)) if jax.process_count() > 1 else mesh.size
    for name, leaf in named_leaves(batch).items():
        if not _lies_on(leaf, mesh):
            _check_rows(name, leaf, shares, axis)

    def placed(leaf: Any) -> Any:
        if _lies_on(leaf, mesh):
            return leaf
        sharding = NamedSharding(mesh, row_spec(np.ndim(leaf), mesh, axis))
        if jax.process_count() > 1:
            return jax.make_array_from_process_local_data(sharding, np.asarray(leaf))
        return jax.device_put(leaf, sharding)

    return jax.tree.map(placed, batch)


def on_mesh(state: TrainState, mesh: Mesh) -> TrainState:
    """The state, laid out on the mesh unless it is already, or has no numbers."""
    leaves = jax.tree.leaves(state)
    return state if is_traced(leaves) or all(_lies_on(leaf, mesh) for leaf in leaves) else shard(state, mesh)


def _lies_on(leaf: Any, mesh: Mesh) -> bool:
    return isinstance(leaf, jax.Array) and isinstance(leaf.sharding, NamedSharding) and leaf.sharding.mesh == mesh


def _placed(leaf: Any, sharding: NamedSharding) -> jax.Array:
    """A copy, else a device that keeps its part would share the memory, which a step takes over."""
    if isinstance(leaf, jax.Array) and leaf.sharding == sharding:
        return leaf
    return jax.device_put(jnp.copy(leaf), sharding)


def _among_processes(state: TrainState, wanted: TrainState) -> TrainState:
    """Arrays of one process become those of all, with the values of process 0; others go where they are wanted."""
    leaves, structure = jax.tree.flatten(state)
    targets = jax.tree.leaves(wanted)
    _check_same_stream([leaf for leaf in jax.tree.leaves(state.generator) if not _is_shared(leaf)])
    own = [i for i, leaf in enumerate(leaves) if not _is_shared(leaf)]
    values = dict(zip(own, of_first([np.asarray(_words(leaves[i])) for i in own]), strict=True))

    def placed(i: int, leaf: Any) -> jax.Array:
        if i not in values:
            return jax.device_put(leaf, targets[i])
        value = np.asarray(values[i])
        whole = jax.make_array_from_callback(value.shape, targets[i], lambda index: value[index])
        return jax.random.wrap_key_data(whole, impl=jax.random.key_impl(leaf)) if _is_key(leaf) else whole

    return jax.tree.unflatten(structure, [placed(i, leaf) for i, leaf in enumerate(leaves)])


def _is_shared(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array) and not leaf.is_fully_addressable


def _check_rows(name: str, leaf: Any, shares: int, axis: int) -> None:
    shape = np.shape(leaf)
    if shape and (len(shape) <= axis or shape[axis] % shares):
        rows = shape[axis] if len(shape) > axis else "no"
        raise ValueError(
            explain(
                f"{rows} rows cannot be spread evenly over {shares} replicas",
                got=f"{name}: {describe(leaf)}, with the rows in axis {axis}",
                remedy="a batch of every replica's rows, one after the other: train.ReplicaBatches gives it",
            )
        )


def _check_streams(generator: Any, mesh: Mesh) -> None:
    if not is_per_replica(generator):
        return
    count = len(jax.tree.leaves(generator)[0])
    if count != mesh.size:
        raise ValueError(explain("every replica has a stream", got=f"{count} of them", expected=f"{mesh.size}"))


def _check_same_stream(leaves: list[Any]) -> None:
    """Which process's stream goes on is nothing to be decided in silence."""
    if leaves and not same_in_all([np.asarray(_words(leaf)) for leaf in leaves]):
        raise ValueError(
            explain(
                "the processes start from different random streams",
                remedy="the same seed in all of them; train.per_replica([...]) for a stream for each replica",
            )
        )


def _is_key(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _words(leaf: Any) -> Any:
    return jax.random.key_data(leaf) if _is_key(leaf) else leaf
