"""Datasets and random_split beside torch's."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils import data as torch_data

from jaxgrad import random
from jaxgrad.utils import data


def both(build):
    """The same expression in both libraries."""
    return build(data), build(torch_data)


def raised(fn):
    with pytest.raises(Exception) as caught:
        fn()
    return type(caught.value), str(caught.value)


def test_tensor_dataset():
    x, y = np.arange(12).reshape(4, 3), np.arange(4)
    ours, theirs = data.TensorDataset(x, y), torch_data.TensorDataset(torch.tensor(x), torch.tensor(y))
    assert len(ours) == len(theirs) == 4
    for i in (0, 3, -1):
        for a, b in zip(ours[i], theirs[i], strict=True):
            np.testing.assert_array_equal(a, b)
    assert raised(lambda: data.TensorDataset(x, y[:3])) == (AssertionError, "Size mismatch between tensors")
    assert raised(lambda: torch_data.TensorDataset(torch.tensor(x), torch.tensor(y[:3]))) == (
        AssertionError,
        "Size mismatch between tensors",
    )


@settings(deadline=None, max_examples=30)
@given(lengths=st.lists(st.integers(0, 5), min_size=1, max_size=5), index=st.integers(-30, 30))
def test_concat_dataset(lengths, index):
    parts = [[(i, j) for j in range(n)] for i, n in enumerate(lengths)]
    ours, theirs = both(lambda lib: lib.ConcatDataset(parts))
    assert len(ours) == len(theirs) == sum(lengths)
    try:
        expected = theirs[index]
    except Exception:
        assert raised(lambda: ours[index]) == raised(lambda: theirs[index])
    else:
        assert ours[index] == expected


def test_adding_datasets():
    def build(lib):
        class Few(lib.Dataset):
            def __len__(self):
                return 2

            def __getitem__(self, i):
                return i

        class Stream(lib.IterableDataset):
            def __iter__(self):
                return iter("ab")

            def __len__(self):
                return 2

        both_few, both_streams = Few() + Few(), Stream() + Stream()
        return [both_few[i] for i in range(4)], list(both_streams), len(both_streams)

    ours, theirs = both(build)
    assert ours == theirs == ([0, 1, 0, 1], ["a", "b", "a", "b"], 4)


def test_stack_dataset_reads_batches_where_it_can():
    class Batched(list):
        def __getitems__(self, indices):
            return [("batched", self[i]) for i in indices]

    for build in (
        lambda lib: lib.StackDataset([1, 2, 3], Batched("abc")),
        lambda lib: lib.StackDataset(number=[1, 2, 3], letter=Batched("abc")),
    ):
        ours, theirs = both(build)
        assert len(ours) == len(theirs)
        assert ours[1] == theirs[1]
        assert ours.__getitems__([2, 0]) == theirs.__getitems__([2, 0])


def test_subset():
    ours, theirs = both(lambda lib: lib.Subset("abcdef", [4, 1, 0]))
    assert [ours[i] for i in range(3)] == [theirs[i] for i in range(3)] == ["e", "b", "a"]
    assert ours.__getitems__([2, 1]) == theirs.__getitems__([2, 1])
    array = np.arange(10) * 10
    assert data.Subset(array, [3, 5])[[1, 0]].tolist() == torch_data.Subset(array, [3, 5])[[1, 0]].tolist() == [50, 30]


class Batchless:
    def __len__(self):
        return 3

    def __getitem__(self, i):
        return i


@pytest.mark.parametrize(
    "fail",
    [
        lambda lib: lib.Dataset()[0],
        lambda lib: lib.ConcatDataset([]),
        lambda lib: lib.IterableDataset(),
        lambda lib: lib.ConcatDataset([lib.ChainDataset([])]),
        lambda lib: list(lib.ChainDataset([[1]])),
        lambda lib: len(lib.ChainDataset([[1]])),
        lambda lib: lib.StackDataset(),
        lambda lib: lib.StackDataset([1], [1, 2]),
        lambda lib: lib.StackDataset([1], a=[1]),
        lambda lib: type("Odd", (lib.Subset,), {"__getitem__": lambda self, i: i})([1], [0]),
    ],
)
def test_errors_are_torchs(fail):
    ours, theirs = both(lambda lib: raised(lambda: fail(lib)))
    assert ours == theirs


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**63 - 1), data_=st.data())
def test_random_split(seed, data_):
    n = data_.draw(st.integers(1, 60))
    if data_.draw(st.booleans()):
        cuts = sorted(data_.draw(st.lists(st.integers(0, n), max_size=4)))
        lengths = np.diff([0, *cuts, n]).tolist()
    else:
        shares = data_.draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))
        lengths = [share / sum(shares) for share in shares]
    torch.manual_seed(seed)
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # both warn of empty splits
        try:
            theirs = torch_data.random_split(range(n), lengths, generator=None)
        except ValueError as error:  # the fractions do not sum to 1 exactly enough
            with pytest.raises(ValueError, match=str(error)[:40]):
                data.random_split(range(n), lengths, random.manual_seed(seed))
            return
        ours, generator = data.random_split(range(n), lengths, random.manual_seed(seed))
    assert [list(part) for part in ours] == [list(part) for part in theirs]
    np.testing.assert_array_equal(generator.get_state(), torch.get_rng_state().numpy())


def test_random_split_complains_as_torch():
    for lengths in ([3, 3], [0.5, 0.6, -0.1]):
        ours = raised(lambda lengths=lengths: data.random_split(range(7), lengths, random.manual_seed(0)))
        theirs = raised(lambda lengths=lengths: torch_data.random_split(range(7), lengths))
        assert ours[0] is theirs[0] and ours[1].startswith(theirs[1])
    with pytest.warns(UserWarning, match="Length of split at index 1 is 0"):
        data.random_split(range(1), [0.5, 0.5], random.manual_seed(0))
