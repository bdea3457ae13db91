"""Samplers alone, beside torch's, from one seed: the indices, and where the generator stands afterwards."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils import data as torch_data

from jaxgrad import random
from jaxgrad.utils import data

SEEDS = st.integers(-(2**63), 2**64 - 1)


def compare(seed, build, own):
    """Two passes of a sampler in both libraries, from the global generator or from one of its own."""
    torch.manual_seed(seed)
    if own:
        theirs = build(torch_data, generator=torch.Generator().manual_seed(seed))
        ours = build(data, generator=random.manual_seed(seed))
    else:
        theirs, ours = build(torch_data), build(data)
    generator = random.manual_seed(seed)
    for _ in range(2):
        indices, generator = ours.draw(generator)
        assert np.asarray(indices).tolist() == list(theirs)
    state = theirs.generator.get_state() if own else torch.get_rng_state()
    np.testing.assert_array_equal(generator.get_state(), state.numpy())
    assert len(ours) == len(theirs)


@settings(deadline=None, max_examples=60)
@given(SEEDS, st.integers(1, 50), st.none() | st.integers(1, 120), st.booleans(), st.booleans())
def test_random_sampler(seed, n, num_samples, replacement, own):
    compare(seed, lambda lib, **kw: lib.RandomSampler(range(n), replacement, num_samples, **kw), own)


@settings(deadline=None, max_examples=30)
@given(SEEDS, st.lists(st.integers(0, 99), max_size=30), st.booleans())
def test_subset_random_sampler(seed, indices, own):
    compare(seed, lambda lib, **kw: lib.SubsetRandomSampler(indices, **kw), own)


@settings(deadline=None, max_examples=60)
@given(SEEDS, st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=30), st.data(), st.booleans(), st.booleans())
def test_weighted_random_sampler(seed, weights, data_, replacement, own):
    num_samples = data_.draw(st.integers(1, 60 if replacement else len(weights)))
    compare(seed, lambda lib, **kw: lib.WeightedRandomSampler(weights, num_samples, replacement, **kw), own)


@settings(deadline=None, max_examples=60)
@given(
    n=st.integers(1, 40),
    replicas=st.integers(1, 6),
    shuffle=st.booleans(),
    seed=st.integers(0, 2**31),
    drop_last=st.booleans(),
    epoch=st.integers(0, 5),
)
def test_distributed_sampler(n, replicas, shuffle, seed, drop_last, epoch):
    for rank in range(replicas):
        arguments = (range(n), replicas, rank, shuffle, seed, drop_last)
        theirs = torch_data.DistributedSampler(*arguments)
        theirs.set_epoch(epoch)
        ours = data.DistributedSampler(*arguments).at_epoch(epoch)
        assert list(ours) == list(theirs)
        assert len(ours) == len(theirs) and ours.total_size == theirs.total_size


def test_distributed_sampler_takes_jaxs_processes():
    sampler = data.DistributedSampler(range(4), shuffle=False)
    assert (sampler.num_replicas, sampler.rank) == (1, 0)
    with pytest.raises(TypeError, match=r"remedy:   loader.at_epoch\(3\)"):
        sampler.set_epoch(3)


@settings(deadline=None, max_examples=40)
@given(n=st.integers(0, 30), batch_size=st.integers(1, 9), drop_last=st.booleans())
def test_batch_sampler(n, batch_size, drop_last):
    ours = data.BatchSampler(data.SequentialSampler(range(n)), batch_size, drop_last)
    theirs = torch_data.BatchSampler(torch_data.SequentialSampler(range(n)), batch_size, drop_last)
    assert list(ours) == list(theirs) == list(ours.draw(random.manual_seed(0))[0])
    assert len(ours) == len(theirs)
    assert list(data.BatchSampler("abcdefg", batch_size, drop_last)) == list(
        torch_data.BatchSampler("abcdefg", batch_size, drop_last)
    )


def test_a_wrong_permutation_would_be_seen():
    """The comparison of these tests fails for an order that differs in one place, and for a draw too many."""
    for wrong in (_Off, _Greedy):

        def build(lib, wrong=wrong):
            sampler = lib.RandomSampler(range(9))
            return wrong(sampler) if lib is data else sampler

        with pytest.raises(AssertionError):
            compare(3, build, own=False)


class _Off:
    def __init__(self, sampler):
        self.sampler = sampler

    def draw(self, generator):
        indices, generator = self.sampler.draw(generator)
        indices[[0, 1]] = indices[[1, 0]]
        return indices, generator


class _Greedy(_Off):
    def draw(self, generator):
        indices, generator = self.sampler.draw(generator)
        return indices, random.rand(generator, (1,))[1]

    def __len__(self):
        return 9


@pytest.mark.parametrize(
    "fail",
    [
        lambda lib: lib.RandomSampler([]),
        lambda lib: lib.RandomSampler([1], num_samples=0),
        lambda lib: lib.RandomSampler([1], num_samples=1.5),
        lambda lib: lib.RandomSampler([1], replacement=1),
        lambda lib: lib.WeightedRandomSampler([1.0], 0),
        lambda lib: lib.WeightedRandomSampler([1.0], True),
        lambda lib: lib.WeightedRandomSampler([1.0], 1, replacement=2),
        lambda lib: lib.WeightedRandomSampler([[1.0]], 1),
        lambda lib: lib.BatchSampler([1], 0, False),
        lambda lib: lib.BatchSampler([1], True, False),
        lambda lib: lib.BatchSampler([1], 2, 0),
        lambda lib: lib.DistributedSampler([1], 2, 2),
        lambda lib: lib.DistributedSampler([1], 2, -1),
    ],
)
def test_errors_are_torchs(fail):
    with pytest.raises((TypeError, ValueError)) as theirs:
        fail(torch_data)
    with pytest.raises(type(theirs.value)) as ours:
        fail(data)
    assert str(ours.value) == str(theirs.value)


@pytest.mark.parametrize("weights", [[0.0, 0.0], [1.0, -1.0], [1.0, float("inf")]])
@pytest.mark.parametrize("replacement", [True, False])
def test_weights_that_are_no_distribution(weights, replacement):
    theirs = torch_data.WeightedRandomSampler(weights, 2, replacement)
    with pytest.raises(RuntimeError) as caught:
        list(theirs)
    with pytest.raises(RuntimeError) as ours:
        data.WeightedRandomSampler(weights, 2, replacement).draw(random.manual_seed(0))
    assert str(ours.value).startswith(str(caught.value))


def test_more_draws_than_weights():
    with pytest.raises(RuntimeError) as theirs:
        list(torch_data.WeightedRandomSampler([1.0], 2, replacement=False))
    with pytest.raises(RuntimeError) as ours:
        data.WeightedRandomSampler([1.0], 2, replacement=False).draw(random.manual_seed(0))
    assert str(ours.value).startswith(str(theirs.value))


def test_random_samplers_are_not_iterated_over():
    with pytest.raises(TypeError, match=r"indices, generator = sampler.draw\(generator\)"):
        iter(data.RandomSampler(range(3)))
