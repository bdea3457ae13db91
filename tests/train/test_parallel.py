"""A step on eight devices beside torch's replicas: the mean of the gradients, what each sees, what each holds."""

import subprocess
import sys
from itertools import chain
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad import amp, func, nn, optim, random, train
from jaxgrad.nn import functional as F
from jaxgrad.utils.data import DataLoader, DistributedSampler
from tests.train.devices import CASES, REPLICAS, ROWS, data, layers, optimizer

torch = pytest.importorskip("torch", reason="the reference is not installed")


@pytest.fixture(scope="module")
def on_eight_devices(tmp_path_factory):
    path = tmp_path_factory.mktemp("devices") / "found.npz"
    subprocess.run([sys.executable, "-m", "tests.train.devices", str(path)], check=True, cwd=Path(__file__).parents[2])
    with np.load(path) as found:
        return dict(found)


def in_torch(optimizer_name="SGD", clip=None, streams=False, accumulate=1, sync=False, **case):
    """Replicas one after the other: each its rows and stream; replica 0's buffers, and the mean of the gradients."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(*layers(torch.nn)).double()
    common = torch.get_rng_state()
    stream = [torch.Generator().manual_seed(10 + r).get_state() if streams else common for r in range(REPLICAS)]
    tx = optimizer(torch.optim, optimizer_name, model.parameters())
    everything = "all" in case
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(tx, T_max=6) if everything else None
    average = torch.optim.swa_utils.AveragedModel(model, avg_fn=torch.optim.swa_utils.get_ema_avg_fn(0.9))
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=2, enabled=everything)
    buffers = dict(model.named_buffers())
    count, rows = (1, REPLICAS * ROWS) if sync else (REPLICAS, ROWS)
    seen = []
    for xs, ys in zip(*map(torch.tensor, data(accumulate)), strict=True):
        tx.zero_grad()
        before = {name: value.clone() for name, value in buffers.items()}
        total = 0.0
        for r in range(count):
            torch.set_rng_state(stream[r])
            for name, value in buffers.items():
                value.copy_(before[name])
            for x, y in zip(xs, ys, strict=True) if accumulate > 1 else [(xs, ys)]:
                mine = slice(r * rows, (r + 1) * rows)
                out = synchronised(model, x) if sync else model(x[mine])
                loss = torch.nn.functional.cross_entropy(out, y[mine]) / accumulate
                scaler.scale(loss / count).backward()
                total += loss.item() / count
            stream[r] = torch.get_rng_state()
            if r == 0:
                after = {name: value.clone() for name, value in buffers.items()}
        for name, value in buffers.items():
            value.copy_(after[name])
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        scaler.step(tx)
        scaler.update()
        average.update_parameters(model)
        seen.append({"loss": total, **{name: value.numpy().copy() for name, value in model.state_dict().items()}})
        if everything:
            schedule.step()
            averages = {
                f"average.{name}": value.numpy(force=True).copy() for name, value in average.module.named_parameters()
            }
            seen[-1] |= averages | {"lr": tx.param_groups[0]["lr"], "scale": scaler.get_scale()}
    return seen, stream


def synchronised(model, x):
    """Statistics over all rows, and yet each replica its masks, which start from one stream."""
    first, norm, relu, dropout, last = model
    hidden = relu(norm(first(x)))
    state, dropped = torch.get_rng_state(), []
    for r in range(REPLICAS):
        torch.set_rng_state(state)
        dropped.append(dropout(hidden[r * ROWS : (r + 1) * ROWS]))
    return last(torch.cat(dropped))


@pytest.mark.parametrize("name", CASES)
def test_as_torchs_replicas(on_eight_devices, name):
    case = CASES[name]
    seen, streams = in_torch(case.get("optimizer", "SGD"), **case)
    for i, values in enumerate(seen):
        for key, value in values.items():
            mine = on_eight_devices[f"{name}/{i}/{key}"]
            np.testing.assert_allclose(mine, value, rtol=1e-10, atol=1e-12, err_msg=f"{key} after step {i}")
    np.testing.assert_array_equal(on_eight_devices[f"{name}/stream of the first"], streams[0].numpy())
    if not case.get("sync"):
        np.testing.assert_array_equal(on_eight_devices[f"{name}/stream of the last"], streams[-1].numpy())
    assert on_eight_devices[f"{name}/programs"] == 1


def test_the_cases_move_something_and_differ(on_eight_devices):
    ends = {name: on_eight_devices[f"{name}/3/0.weight"] for name in CASES}
    for name, end in ends.items():
        assert np.abs(end - on_eight_devices[f"{name}/fresh"]).max() > 1e-3
    assert len({end.tobytes() for end in ends.values()}) == len(CASES)


def test_a_split_state_takes_a_devices_share_of_the_memory(on_eight_devices):
    share = {name: on_eight_devices[f"{name}/held"] / on_eight_devices[f"{name}/size"] for name in CASES}
    assert share["data"] == 1.0
    assert share["fsdp"] < 1.35 / 8  # one bias of 3 numbers and the optimizer's own numbers are everywhere
    assert share["both"] < 1.35 / 4


MESH = jax.make_mesh((2,), ("data",))


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("epoch", [0, 1])
def test_rows_come_as_to_torchs_processes(drop_last, epoch):
    dataset = np.arange(23)
    sampler = DistributedSampler(dataset, num_replicas=3, rank=0, seed=5)
    loader = DataLoader(dataset, batch_sampler=train.ReplicaBatches(sampler, 2, drop_last)).at_epoch(epoch)
    batches, _ = loader.epoch(random.manual_seed(0))
    rows = [batch.tolist() for batch in batches]
    theirs = []
    for rank in range(3):
        order = torch.utils.data.DistributedSampler(dataset, num_replicas=3, rank=rank, seed=5)
        order.set_epoch(epoch)
        theirs.append([b.tolist() for b in torch.utils.data.DataLoader(dataset, 2, sampler=order, drop_last=drop_last)])
    assert rows == [list(chain.from_iterable(each)) for each in zip(*theirs, strict=True)]
    half = train.ReplicaBatches(sampler.at_epoch(epoch), 2, drop_last, ranks=[2])
    assert list(half) == theirs[2]


def test_a_place_in_the_rows_is_found_again():
    dataset = np.arange(23)
    batches = train.ReplicaBatches(DistributedSampler(dataset, num_replicas=3, rank=0), 2)
    loader = DataLoader(dataset, batch_sampler=batches)
    epoch, _ = loader.epoch(random.manual_seed(0))
    next(epoch)
    rest = [batch.tolist() for batch in loader.resume(epoch.state())]
    assert rest == [batch.tolist() for batch in epoch] and len(rest) == 3


def small(**options):
    tx = optim.SGD(0.5)
    step = train.make_train_step(lambda params, x: ((params["w"] - x) ** 2).mean(), tx, **options)
    return train.init_state({"w": jnp.zeros(())}, tx), step


def test_an_epoch_of_steps_on_devices():
    state, step = small(mesh=MESH)
    state = train.shard(state, MESH)
    x = train.shard_batch(np.arange(8.0, dtype=np.float32).reshape(2, 4), MESH, axis=1)
    state, metrics = train.make_epoch(step)(state, x)
    np.testing.assert_allclose(metrics["loss"], [3.5, 17.25])
    assert state.params["w"].sharding.is_fully_replicated


def test_autocast_and_a_parameter_without_a_gradient():
    rngs = nn.Rngs(random.manual_seed(0))
    model = nn.Sequential(nn.Linear(5, 16, rngs=rngs), nn.ReLU(), nn.Linear(16, 3, rngs=rngs))
    params = {**func.extract(model)[0], "idle": jnp.ones(2)}
    tx = optim.Adam(lr=0.01)

    def loss_fn(params, x, y):
        held = {name: value for name, value in params.items() if name != "idle"}
        return F.cross_entropy(func.functional_call(model, held, x), y)

    x, y = (array[0] for array in data())
    losses = {}
    for name, options in {"mesh": {"mesh": MESH}, "one": {}, "float32": {"mesh": MESH, "autocast": None}}.items():
        step = train.make_train_step(loss_fn, tx, **{"autocast": amp.autocast("cpu", jnp.bfloat16), **options})
        state = train.init_state(params, tx)
        for _ in range(3):
            state, metrics = step(state, (x.astype(np.float32), y))
        losses[name] = float(metrics["loss"])
        np.testing.assert_array_equal(state.params["idle"], [1.0, 1.0])
    np.testing.assert_allclose(losses["mesh"], losses["one"], rtol=1e-3)
    assert abs(losses["mesh"] - losses["float32"]) > 1e-5


def test_metrics_are_each_replicas_own():
    tx = optim.SGD(0.5)

    def loss_fn(params, x):
        return (params["w"] * x).mean(), train.Aux(metrics={"sum": x.sum()})

    step = train.make_train_step(loss_fn, tx, mesh=MESH)
    _, metrics = step(train.init_state({"w": jnp.zeros(())}, tx), jnp.arange(4.0))
    assert metrics["sum"].tolist() == [1.0, 5.0]


def test_sentences():
    state, step = small(mesh=MESH)
    with pytest.raises(ValueError, match=r"3 rows cannot be spread evenly over 2 replicas"):
        step(state, jnp.zeros(3))
    with pytest.raises(ValueError, match=r"(?s)called data and fsdp.*model"):
        small(mesh=jax.make_mesh((2,), ("model",)))
    with pytest.raises(TypeError, match=r"mesh is a jax.sharding.Mesh"):
        small(mesh=2)
    streams = train.per_replica([random.manual_seed(0)] * 3)
    with pytest.raises(ValueError, match=r"(?s)every replica has a stream.*3 of them"):
        train.shard(state.replace(generator=streams), MESH)
    with pytest.raises(ValueError, match=r"every replica has a stream"):
        train.per_replica([])
    several = train.per_replica([random.manual_seed(0)] * 2)
    with pytest.raises(ValueError, match=r"(?s)draws from one stream.*2 of them.*a stream of its own"):
        DataLoader(range(4)).epoch(several)
    batches, _ = DataLoader(range(4), generator=random.manual_seed(0)).epoch(several, after=None)
    assert len(list(batches)) == 4
    with pytest.raises(TypeError, match=r"come from a DistributedSampler"):
        train.ReplicaBatches(range(4), 2)
    with pytest.raises(ValueError, match=r"numbers of replicas"):
        train.ReplicaBatches(DistributedSampler(range(4), num_replicas=2, rank=0), 2, ranks=[2])
    kept = train.shard(state, MESH)
    step(kept, jnp.zeros(2))
    with pytest.raises(RuntimeError, match=r"cannot be used again"):
        step(kept, jnp.zeros(2))
    model = nn.Embedding(4, 2, max_norm=1.0, rngs=nn.Rngs(random.manual_seed(0)))
    tx = optim.SGD(0.1)
    step = train.make_train_step(train.supervised(model, F.mse_loss), tx, mesh=MESH)
    with pytest.raises(RuntimeError, match=r"changes parameters, on every replica"):
        step(train.init_state(func.extract(model)[0], tx), (jnp.arange(4), jnp.zeros((4, 2))))


def test_jax_keys_as_streams():
    tx = optim.SGD(0.5)

    def loss_fn(params, x, *, generator):
        key, used = jax.random.split(generator)
        drawn = jax.random.uniform(used)
        return (params["w"] * x).mean() * drawn, train.Aux(generator=key, metrics={"drawn": drawn})

    step = train.make_train_step(loss_fn, tx, mesh=MESH)
    for streams, same in (
        (jax.random.key(0), True),
        (train.per_replica(list(jax.random.split(jax.random.key(0)))), False),
    ):
        state = train.init_state({"w": jnp.zeros(())}, tx, generator=streams)
        for _ in range(2):
            state, metrics = step(state, jnp.arange(2.0))
            assert (metrics["drawn"][0] == metrics["drawn"][1]) == same
        assert state.generator.shape == streams.shape
