"""One of two processes, gloo between them: ``python -m tests.train.processes jax|torch RANK PORT FILE``.

Both read rank RANK's rows by a ``DistributedSampler``, and start from rank 0's parameters and their own masks.
"""

import sys
from pathlib import Path

import numpy as np

WORLD, EPOCHS, ROWS, FEATURES = 2, 2, 4, 5


def dataset():
    rng = np.random.default_rng(0)
    n = 21
    return rng.standard_normal((n, FEATURES)), rng.integers(0, 3, n)


def layers(nn, **rngs):
    return (
        nn.Linear(FEATURES, 8, bias=False, **rngs),
        nn.BatchNorm1d(8),
        nn.ReLU(),
        nn.Dropout(0.25),
        nn.Linear(8, 3, **rngs),
    )


def in_jax(rank, port, folder):
    import jax

    jax.distributed.initialize(f"127.0.0.1:{port}", WORLD, rank)
    jax.config.update("jax_enable_x64", True)
    ways = {axis: along(axis, rank, folder) for axis in ("data", "fsdp")}
    ways["fitted"] = fitted(folder)
    return {f"{axis}/{name}": value for axis, found in ways.items() for name, value in found.items()}


def fitted(folder):
    """By ``fit``, on all devices of all processes, with one stream for dropout and loader; on from a checkpoint."""
    import jax
    import jax.numpy as jnp

    from jaxgrad import func, nn, optim, random, train
    from jaxgrad.nn import functional as F
    from jaxgrad.utils.data import DataLoader, DistributedSampler, TensorDataset

    mesh = jax.make_mesh((jax.device_count(),), ("fsdp",))
    rngs = nn.Rngs(random.manual_seed(0))
    model = nn.Sequential(*layers(nn, rngs=rngs))
    params, buffers = func.cast(func.extract(model), jnp.float64)
    tx = optim.SGD(lr=0.1, momentum=0.9)
    step = train.make_train_step(train.supervised(model, F.cross_entropy), tx, mesh=mesh)
    data = TensorDataset(*dataset())
    rows = train.ReplicaBatches(DistributedSampler(data, mesh.size, rank=0), ROWS, ranks=train.local_replicas(mesh))
    loader = DataLoader(data, batch_sampler=rows)
    for epochs in (1, 3):
        state = train.init_state(params, tx, buffers=buffers, generator=rngs.generator)
        with train.Checkpoints(folder / "fitted", every=2) as checkpoints:
            found = train.fit(step, state, loader, epochs=epochs, checkpoints=checkpoints, show=False)
    assert found.step == 9
    return {"losses": [record["loss"] for record in found.history], "stream": found.state.generator.get_state()}


def along(axis, rank, folder):
    import jax
    import jax.numpy as jnp

    from jaxgrad import func, nn, optim, random, train
    from jaxgrad.nn import functional as F
    from jaxgrad.utils.data import DataLoader, DistributedSampler, TensorDataset

    mesh = jax.make_mesh((jax.device_count(),), (axis,))
    rngs = nn.Rngs(random.manual_seed(rank))  # each process draws its own; those of the first are everybody's
    model = nn.Sequential(*layers(nn, rngs=rngs))
    params, buffers = func.cast(func.extract(model), jnp.float64)
    tx = optim.SGD(lr=0.1, momentum=0.9)
    streams = train.per_replica([random.manual_seed(10 + r) for r in range(WORLD)])
    state = train.init_state(params, tx, buffers=buffers, generator=streams)
    step = train.make_train_step(train.supervised(model, F.cross_entropy), tx, clip_grad_norm=0.5, mesh=mesh)
    data = TensorDataset(*dataset())
    rows = train.ReplicaBatches(DistributedSampler(data, mesh.size, rank=0), ROWS, ranks=train.local_replicas(mesh))
    loader = DataLoader(data, batch_sampler=rows)
    losses = []
    for epoch in range(EPOCHS):
        batches, _ = loader.at_epoch(epoch).epoch(random.manual_seed(0))
        for x, y in batches:
            state, metrics = step(state, (x, y))
            losses.append(float(metrics["loss"]))
    with train.Checkpoints(folder / axis) as checkpoints:
        checkpoints.save(len(losses), state)
        found = checkpoints.restore(like=state)
    for mine, saved in zip(jax.tree.leaves(found.state), jax.tree.leaves(state), strict=True):
        assert mine.sharding == saved.sharding
        assert np.array_equal(mine.addressable_data(0), saved.addressable_data(0))
    everywhere = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    whole = jax.jit(lambda tree: tree, out_shardings=everywhere)({**state.params, **state.buffers})
    assert state.params["4.weight"].is_fully_replicated == (axis == "data")
    return {"losses": losses, **{name: np.asarray(value) for name, value in whole.items()}}


def in_torch(rank, port, folder):
    import torch
    from torch import distributed
    from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

    distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=WORLD)
    torch.manual_seed(rank)
    inner = torch.nn.Sequential(*layers(torch.nn)).double()
    model = torch.nn.parallel.DistributedDataParallel(inner)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    data = TensorDataset(*map(torch.tensor, dataset()))
    sampler = DistributedSampler(data)
    loader = DataLoader(data, ROWS, sampler=sampler, generator=torch.Generator())
    torch.manual_seed(10 + rank)
    losses = []
    for epoch in range(EPOCHS):
        sampler.set_epoch(epoch)
        for x, y in loader:
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(x), y)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
            mean = loss.detach() / WORLD
            distributed.all_reduce(mean)
            losses.append(mean.item())
    found = {name: value.numpy() for name, value in inner.state_dict().items()}
    distributed.destroy_process_group()
    return {"losses": losses, **found}


if __name__ == "__main__":
    side, rank, port, path = sys.argv[1:]
    np.savez(path, **{"jax": in_jax, "torch": in_torch}[side](int(rank), int(port), Path(path).parent / "run"))
