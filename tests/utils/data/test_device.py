"""Batches on the device: the numbers and the order of the loader, whatever is under way."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from torch.utils import data as torch_data

from jaxgrad import random, train
from jaxgrad.utils import data


def test_prefetch_gives_the_same_batches_ahead_of_time():
    drawn = []

    def batches():
        for i in range(5):
            drawn.append(i)
            yield {"x": np.full(2, i, np.float32), "name": [str(i)]}

    sent = data.prefetch_to_device(batches(), size=2)
    assert drawn == []
    for i, batch in enumerate(sent):
        assert isinstance(batch["x"], jax.Array) and batch["x"].tolist() == [i, i] and batch["name"] == [str(i)]
        assert drawn[-1] == min(i + 2, 4)


def test_prefetch_onto_a_sharded_batch():
    mesh = Mesh(jax.devices()[:2], "data")
    sharding = NamedSharding(mesh, PartitionSpec("data"))
    batches, _ = data.DataLoader(np.arange(16, dtype=np.float32).reshape(8, 2), batch_size=4).epoch(
        random.manual_seed(0)
    )
    for batch in data.prefetch_to_device(batches, sharding=sharding):
        assert batch.sharding == sharding
        assert [shard.data.shape for shard in batch.addressable_shards] == [(2, 2), (2, 2)]


@pytest.mark.parametrize("read", [0, 1, 3, 5])
def test_prefetched_batches_are_not_lost_by_a_state(read):
    loader = data.DataLoader(range(10), batch_size=2, shuffle=True)
    batches, _ = loader.epoch(random.manual_seed(3))
    sent = data.prefetch_to_device(batches, size=3)
    before = [next(sent).tolist() for _ in range(read)]
    after = [batch.tolist() for batch in loader.resume(sent.state())]
    whole = [batch.tolist() for batch in loader.epoch(random.manual_seed(3))[0]]
    assert before + after == whole


def test_an_error_comes_in_its_place():
    class Broken:
        def __len__(self):
            return 4

        def __getitem__(self, index):
            if index == 2:
                raise OSError("unreadable")
            return index

    sent = data.prefetch_to_device(data.DataLoader(Broken()).epoch(random.manual_seed(0))[0], size=3)
    assert [next(sent).tolist(), next(sent).tolist()] == [[0], [1]]
    with pytest.raises(OSError, match="unreadable"):
        next(sent)
    assert next(sent).tolist() == [3]
    with pytest.raises(StopIteration):
        next(sent)


def test_nothing_is_narrowed_in_silence():
    (labels,) = data.prefetch_to_device([np.array([1, 2**31 - 1])])
    assert labels.dtype == np.int32 and labels.tolist() == [1, 2**31 - 1]
    for wide in (np.array([2**31]), np.array([1.0]), np.array([1 + 2j])):
        with pytest.raises(TypeError, match="64-bit mode"):
            next(data.prefetch_to_device([wide]))
    with jax.enable_x64(True):
        assert next(data.prefetch_to_device([np.array([2**40])])).dtype == np.int64
    with pytest.raises(ValueError, match="less than one batch"):
        data.prefetch_to_device([], size=0)


@settings(deadline=None, max_examples=15)
@given(
    seed=st.integers(0, 2**32),
    n=st.sampled_from([7, 12]),
    drop_last=st.booleans(),
    subset=st.booleans(),
    own=st.booleans(),
)
def test_a_stacked_epoch_is_torchs_epoch(seed, n, drop_last, subset, own):
    x, y = np.arange(2 * n, dtype=np.float32).reshape(n, 2), np.arange(n, dtype=np.int32)
    ours, theirs = (
        data.TensorDataset(jnp.array(x), jnp.array(y)),
        torch_data.TensorDataset(torch.tensor(x), torch.tensor(y)),
    )
    if subset:
        ours = data.Subset(data.Subset(ours, range(n - 1, -1, -1)), list(range(1, n)))
        theirs = torch_data.Subset(torch_data.Subset(theirs, range(n - 1, -1, -1)), list(range(1, n)))
    arguments = {"batch_size": 3, "shuffle": True, "drop_last": drop_last}
    torch.manual_seed(seed)
    expected = torch_data.DataLoader(theirs, generator=torch.Generator().manual_seed(1) if own else None, **arguments)
    loader = data.DataLoader(ours, generator=random.manual_seed(1) if own else None, **arguments)
    generator, after = random.manual_seed(seed), None
    for _ in range(2):
        stacked, generator = data.stacked_epoch(loader, generator, after)
        after = stacked.epoch
        batches = [list(pair) for pair in zip(*stacked.batches, strict=True)]
        batches += [] if stacked.rest is None else [list(stacked.rest)]
        for mine, torchs in zip(batches, expected, strict=True):
            for a, b in zip(mine, torchs, strict=True):
                np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(generator.get_state(), torch.get_rng_state().numpy())


def test_a_stacked_epoch_feeds_make_epoch():
    """A scan over the stacked epoch gives what the steps over its batches give."""
    from jaxgrad import optim

    x = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
    loader = data.DataLoader(data.TensorDataset(jnp.array(x), jnp.array(x.sum(1))), batch_size=4, shuffle=True)
    tx = optim.SGD(0.1)

    def loss_fn(params, x, y):
        return jnp.mean((x @ params["w"] - y) ** 2)

    step = train.make_train_step(loss_fn, tx, donate=False)
    start = train.init_state({"w": jnp.zeros(3)}, tx)
    stacked, _ = data.stacked_epoch(loader, random.manual_seed(2))
    scanned, _ = train.make_epoch(step, donate=False)(start, stacked.batches)
    state = start
    for batch in data.prefetch_to_device(loader.epoch(random.manual_seed(2))[0]):
        state, _ = step(state, tuple(batch))
    np.testing.assert_allclose(scanned.params["w"], state.params["w"], rtol=1e-6)
    assert np.abs(state.params["w"]).min() > 0.01


def test_what_cannot_be_stacked():
    generator = random.manual_seed(0)
    with pytest.raises(TypeError, match="needs arrays"):
        data.stacked_epoch(data.DataLoader([1, 2]), generator)
    arrays = data.TensorDataset(jnp.arange(4))
    with pytest.raises(TypeError, match="default collation"):
        data.stacked_epoch(data.DataLoader(arrays, collate_fn=list), generator)
    with pytest.raises(ValueError, match="need not be of one size"):
        data.stacked_epoch(data.DataLoader(arrays, batch_sampler=[[0], [1, 2]]), generator)
    with pytest.raises(TypeError, match="default collation"):
        data.stacked_epoch(data.DataLoader(arrays, batch_size=None), generator)
    with pytest.raises(TypeError, match="after=batches"):
        data.stacked_epoch(data.DataLoader(arrays, generator=generator), generator)
