"""The loader's batches, their order, and every draw beside torch's, over several epochs with draws in between."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils import data as torch_data

from jaxgrad import random
from jaxgrad.utils import data

SAMPLERS = {
    "sequential": lambda lib, n, own: {},
    "shuffle": lambda lib, n, own: {"shuffle": True},
    "random": lambda lib, n, own: {"sampler": lib.RandomSampler(range(n), generator=own)},
    "replacement": lambda lib, n, own: {"sampler": lib.RandomSampler(range(n), True, 2 * n + 5, generator=own)},
    "more": lambda lib, n, own: {"sampler": lib.RandomSampler(range(n), num_samples=2 * n + 1, generator=own)},
    "subset": lambda lib, n, own: {"sampler": lib.SubsetRandomSampler(range(0, n, 2), generator=own)},
    "weighted": lambda lib, n, own: {
        "sampler": lib.WeightedRandomSampler([1.0 + i for i in range(n)], n + 3, generator=own)
    },
    "unrepeated": lambda lib, n, own: {
        "sampler": lib.WeightedRandomSampler([1.0 + i for i in range(n)], n, False, generator=own)
    },
    "distributed": lambda lib, n, own: {"sampler": lib.DistributedSampler(range(n), 2, 1)},
    "list": lambda lib, n, own: {"sampler": list(range(n))[::-1]},
    "batches": lambda lib, n, own: {
        "batch_sampler": lib.BatchSampler(lib.RandomSampler(range(n), generator=own), 3, True)
    },
    "lists": lambda lib, n, own: {"batch_sampler": [[0], [n - 1, 0]]},
}


@st.composite
def loaders(draw):
    """Arguments of a loader, as functions of the library and of the generators it owns."""
    n = draw(st.integers(1, 30))
    kind = draw(st.sampled_from(sorted(SAMPLERS)))
    arguments = {}
    if "batch_sampler" not in SAMPLERS[kind](data, n, None):
        arguments["batch_size"] = draw(st.none() | st.integers(1, 7))
        if arguments["batch_size"] is not None:
            arguments["drop_last"] = draw(st.booleans())
    return n, kind, arguments, draw(st.sampled_from(["global", "loader", "sampler", "both", "shared"]))


def build(lib, n, kind, arguments, owned, make):
    """The loader in one library. ``make(seed)`` gives its kind of generator."""
    loader_own = make(11) if owned in ("loader", "both", "shared") else None
    sampler_own = loader_own if owned == "shared" else make(12) if owned in ("sampler", "both") else None
    return lib.DataLoader(range(n), **arguments, **SAMPLERS[kind](lib, n, sampler_own), generator=loader_own)


def values(batch):
    return np.asarray(batch).tolist()


@settings(deadline=None, max_examples=200)
@given(loaders(), st.integers(0, 2**64 - 1), st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=1, max_size=3))
def test_epochs_are_torchs(spec, seed, draws):
    """Batches and the state of the global generator, with other draws at every moment where they can fall."""
    torch.manual_seed(seed)
    generator = random.manual_seed(seed)
    theirs = build(torch_data, *spec, lambda s: torch.Generator().manual_seed(s))
    ours = build(data, *spec, random.manual_seed)

    batches = None
    for before, between, during in draws:
        torch.rand(before)
        _, generator = random.rand(generator, before)
        iterator = iter(theirs)
        opened, generator = ours.open(generator, after=batches)
        torch.rand(between)
        _, generator = random.rand(generator, between)
        expected = [next(iterator, None)]
        batches, generator = opened.start(generator)
        torch.rand(during)
        _, generator = random.rand(generator, during)
        expected = [values(batch) for batch in (*expected, *iterator) if batch is not None]
        assert [values(batch) for batch in batches] == expected
        np.testing.assert_array_equal(generator.get_state(), torch.get_rng_state().numpy())
    assert len(ours) == len(theirs)
    if spec[3] in ("loader", "both", "shared"):
        state = theirs.generator.get_state().numpy()
        np.testing.assert_array_equal(batches.own[0].get_state(), state)


@settings(deadline=None, max_examples=60)
@given(loaders(), st.integers(0, 2**64 - 1), st.data())
def test_an_epoch_goes_on_where_it_was_stored(spec, seed, data_):
    """At any batch: what was read before and what is read after are the epoch, and so is what follows it."""
    loader = build(data, *spec, random.manual_seed)
    first, generator = loader.epoch(random.manual_seed(seed), after=None)
    index_batches = list(first.index_batches)
    stop = data_.draw(st.integers(0, len(index_batches)))
    read = [values(next(first)) for _ in range(stop)]
    state = first.state()
    if spec[1] not in ("list", "lists"):
        assert sum(np.asarray(value).nbytes for value in state.values()) < 16_000  # not index by index

    again = build(data, *spec, random.manual_seed).resume(state)
    rest = [values(batch) for batch in again]
    assert read + rest == [values(batch) for batch in loader.resume({**state, "position": 0})]
    assert read + rest == index_batches
    assert rest == [values(batch) for batch in first]

    after_first = [values(b) for b in loader.epoch(generator, after=first)[0]]
    assert [values(b) for b in loader.epoch(generator, after=again)[0]] == after_first


def test_states_survive_a_file(tmp_path):
    loader = data.DataLoader(range(10), batch_size=3, shuffle=True, generator=random.manual_seed(5))
    batches, _ = loader.epoch(random.manual_seed(0), after=None)
    first = next(batches)
    np.savez(tmp_path / "state.npz", **batches.state())
    stored = dict(np.load(tmp_path / "state.npz"))
    rest = list(loader.resume(stored))
    assert sorted(np.concatenate([first, *rest]).tolist()) == list(range(10))


def test_states_of_other_things_are_refused():
    loader = data.DataLoader(range(4))
    state = loader.epoch(random.manual_seed(0))[0].state()
    with pytest.raises(ValueError, match="not the state of an epoch"):
        loader.resume({"position": 1})
    with pytest.raises(ValueError, match="of another loader"):
        loader.resume({**state, "position": 5})
    with pytest.raises(ValueError, match="of another loader"):
        data.DataLoader(range(4), shuffle=True, generator=random.manual_seed(0)).resume(state)


def test_a_stream_is_read_and_resumed():
    class Stream(data.IterableDataset):
        def __iter__(self):
            return iter(range(10))

    class TorchStream(torch_data.IterableDataset):
        def __iter__(self):
            return iter(range(10))

    for arguments in (
        {"batch_size": 4},
        {"batch_size": 4, "drop_last": True},
        {"batch_size": None},
        {"batch_size": 5},
    ):
        torch.manual_seed(1)
        expected = [values(batch) for batch in torch_data.DataLoader(TorchStream(), **arguments)]
        for stream in (Stream(), TorchStream()):
            loader = data.DataLoader(stream, **arguments)
            batches, generator = loader.epoch(random.manual_seed(1))
            assert [values(batch) for batch in batches] == expected
            np.testing.assert_array_equal(generator.get_state(), torch.get_rng_state().numpy())
            batches, _ = loader.epoch(random.manual_seed(1))
            read = [values(next(batches))]
            assert read + [values(batch) for batch in loader.resume(batches.state())] == expected


def test_any_object_with_getitem_serves(tmp_path):
    stored = np.arange(12, dtype=np.float32).reshape(6, 2)
    stored.tofile(tmp_path / "array")
    torch_dataset = torch_data.TensorDataset(torch.tensor(stored), torch.arange(6))
    for dataset in (np.memmap(tmp_path / "array", np.float32, shape=(6, 2)), stored, stored.tolist(), torch_dataset):
        batches, _ = data.DataLoader(dataset, batch_size=3, shuffle=True).epoch(random.manual_seed(4))
        torch.manual_seed(4)
        for ours, theirs in zip(batches, torch_data.DataLoader(dataset, batch_size=3, shuffle=True), strict=True):
            if dataset is torch_dataset:
                ours, theirs = ours[0], theirs[0]
            np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


def test_a_dictionary_with_other_keys():
    dataset = {"a": 1, "b": 2}
    batches, _ = data.DataLoader(dataset, sampler=["b", "a"], batch_size=2).epoch(random.manual_seed(0))
    assert [values(batch) for batch in batches] == [[2, 1]]


def test_getitems_is_used_and_collate_is_called():
    calls = []

    class Batched:
        def __len__(self):
            return 5

        def __getitem__(self, index):
            raise AssertionError("__getitems__ was there")

        def __getitems__(self, indices):
            calls.append(indices)
            return [10 * i for i in indices]

    loader = data.DataLoader(Batched(), batch_size=2, collate_fn=sum)
    assert list(loader.epoch(random.manual_seed(0))[0]) == [10, 50, 40]
    assert calls == [[0, 1], [2, 3], [4]]
    assert all(type(i) is int for indices in calls for i in indices)


@pytest.mark.parametrize("make", [np.asarray, jnp.asarray])
def test_batches_cut_from_arrays_are_those_of_stacked_samples(make):
    tensors = [make(np.arange(14, dtype=np.float32).reshape(7, 2)), make(np.arange(7, dtype=np.int8))]
    dataset = data.TensorDataset(*tensors)
    cut, _ = data.DataLoader(dataset, 3, shuffle=True).epoch(random.manual_seed(0))
    stacked, _ = data.DataLoader(dataset, 3, True, collate_fn=lambda b: data.default_collate(b)).epoch(
        random.manual_seed(0)
    )
    for ours, expected in zip(cut, stacked, strict=True):
        assert type(ours) is type(expected) is list
        for a, b in zip(ours, expected, strict=True):
            assert type(a) is np.ndarray and a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)
    with pytest.raises(IndexError) as caught:
        next(data.DataLoader(dataset, batch_sampler=[[0, 7]]).epoch(random.manual_seed(0))[0])
    assert caught.value.__notes__ == ["raised by one of the samples [0, 7] of TensorDataset"]


def test_a_sample_that_raises_is_named_and_passed_over():
    class Broken:
        def __len__(self):
            return 6

        def __getitem__(self, index):
            if index == 3:
                raise OSError("cannot read")
            return index

    batches, _ = data.DataLoader(Broken(), batch_size=2).epoch(random.manual_seed(0))
    assert values(next(batches)) == [0, 1]
    with pytest.raises(OSError, match="cannot read") as caught:
        next(batches)
    assert caught.value.__notes__ == ["raised by sample 3 of Broken"]
    assert batches.state()["position"] == 2
    assert values(next(batches)) == [4, 5]

    class Ends(Broken):
        def __getitem__(self, index):
            raise StopIteration

    with pytest.raises(RuntimeError, match="StopIteration was raised by sample 0 of Ends"):
        next(data.DataLoader(Ends()).epoch(random.manual_seed(0))[0])


def test_epochs_of_a_distributed_loader():
    for epoch in range(3):
        theirs = torch_data.DistributedSampler(range(11), 3, 1)
        theirs.set_epoch(epoch)
        expected = [values(b) for b in torch_data.DataLoader(range(11), 2, sampler=theirs)]
        loader = data.DataLoader(range(11), 2, sampler=data.DistributedSampler(range(11), 3, 1)).at_epoch(epoch)
        assert [values(b) for b in loader.epoch(random.manual_seed(0))[0]] == expected


class Stream(data.IterableDataset):
    def __iter__(self):
        return iter(())


class TorchStream(torch_data.IterableDataset):
    def __iter__(self):
        return iter(())


STREAMS = {data: Stream, torch_data: TorchStream}


@pytest.mark.parametrize(
    "fail",
    [
        lambda lib: lib.DataLoader([1], num_workers=-1),
        lambda lib: lib.DataLoader([1], timeout=-1),
        lambda lib: lib.DataLoader([1], prefetch_factor=2),
        lambda lib: lib.DataLoader([1], num_workers=1, prefetch_factor=-2),
        lambda lib: lib.DataLoader([1], persistent_workers=True),
        lambda lib: lib.DataLoader([1], multiprocessing_context="spawn"),
        lambda lib: lib.DataLoader([1], shuffle=True, sampler=[0]),
        lambda lib: lib.DataLoader([1], batch_sampler=[[0]], batch_size=2),
        lambda lib: lib.DataLoader([1], batch_sampler=[[0]], shuffle=True),
        lambda lib: lib.DataLoader([1], batch_sampler=[[0]], sampler=[0]),
        lambda lib: lib.DataLoader([1], batch_sampler=[[0]], drop_last=True),
        lambda lib: lib.DataLoader([1], batch_size=None, drop_last=True),
        lambda lib: lib.DataLoader([1], batch_size=0),
        lambda lib: lib.DataLoader([1], batch_size=1.5),
        lambda lib: lib.DataLoader([1], drop_last=1),
        lambda lib: lib.DataLoader([], shuffle=True),
        lambda lib: lib.DataLoader(STREAMS[lib](), shuffle=True),
        lambda lib: lib.DataLoader(STREAMS[lib](), sampler=[0]),
        lambda lib: lib.DataLoader(STREAMS[lib](), batch_sampler=[[0]]),
        lambda lib: len(lib.DataLoader(STREAMS[lib]())),
    ],
)
def test_errors_are_torchs(fail):
    with pytest.raises((TypeError, ValueError)) as theirs:
        fail(torch_data)
    with pytest.raises(type(theirs.value)) as ours:
        fail(data)
    assert str(ours.value).replace("TorchStream", "Stream") == str(theirs.value).replace("TorchStream", "Stream")


def test_errors_of_its_own():
    loader = data.DataLoader(range(3), shuffle=True, generator=random.manual_seed(0))
    with pytest.raises(TypeError, match=r"loader.epoch\(generator, after=batches\)"):
        loader.epoch(random.manual_seed(0))
    other, _ = data.DataLoader(range(3)).epoch(random.manual_seed(0))
    with pytest.raises(ValueError, match="of another loader"):
        loader.epoch(random.manual_seed(0), after=other)
    with pytest.raises(TypeError, match=r"loader.epoch\(generator\)"):
        iter(data.DataLoader(range(3)))
    with pytest.raises(TypeError, match=r"expected: jaxgrad\.random\.Generator"):
        data.DataLoader(range(3)).epoch(42)
    with pytest.raises(TypeError, match=r"expected: jaxgrad\.random\.Generator"):
        data.DataLoader(range(3), generator=torch.Generator())
    with pytest.raises(ValueError, match="cannot be forked safely"):
        data.DataLoader(range(3), num_workers=1, multiprocessing_context="fork")
    with pytest.raises(AssertionError, match="prefetch_factor must be greater than 0 for MultiProcessingDataLoader"):
        data.DataLoader(range(3), num_workers=1, prefetch_factor=0).epoch(random.manual_seed(0))
    with pytest.warns(UserWarning, match="This DataLoader will create 1000 worker processes"):
        data.DataLoader(range(3), num_workers=1000)


def test_a_loader_is_a_value():
    loader, torchs = data.DataLoader(range(3)), torch_data.DataLoader(range(3))
    for name in ("batch_size", "sampler", "batch_sampler", "drop_last", "dataset", "persistent_workers"):
        with pytest.raises(ValueError, match="attribute should not be set after") as theirs:
            setattr(torchs, name, 2)
        with pytest.raises(ValueError, match="attribute should not be set after") as ours:
            setattr(loader, name, 2)
        assert str(ours.value).startswith(str(theirs.value))


def test_an_empty_dataset_in_order_is_an_empty_epoch():
    batches, _ = data.DataLoader([], batch_size=4).epoch(random.manual_seed(0))
    assert list(batches) == [] and len(batches) == 0
