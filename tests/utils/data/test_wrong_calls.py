"""Loaders, samplers and datasets that are called wrongly: torch's sentence and type where it has one, else ours."""

import inspect
import warnings

import numpy as np
import pytest
import torch
from torch.utils import data as torch_data

from jaxgrad import random
from jaxgrad.utils import data
from tests.support.sentences import complaint

G = random.manual_seed(0)


def consumed(lib, loader):
    if lib is torch_data:
        return list(loader)
    batches, _ = loader.epoch(G)
    return list(batches)


def passed(lib, sampler):
    return list(sampler) if lib is torch_data else list(sampler.draw(G)[0])


SAME_SENTENCE = {
    "context object": lambda lib: lib.DataLoader([1], num_workers=1, multiprocessing_context=3),
    "context without workers": lambda lib: lib.DataLoader([1], multiprocessing_context="spawn"),
    "negative workers": lambda lib: lib.DataLoader([1], num_workers=-1),
    "negative timeout": lambda lib: lib.DataLoader([1], timeout=-1),
    "negative prefetch": lambda lib: lib.DataLoader([1], num_workers=1, prefetch_factor=-1),
    "timeout without workers": lambda lib: consumed(lib, lib.DataLoader([1], timeout=5)),
    "persistent without workers": lambda lib: lib.DataLoader([1], persistent_workers=True),
    "batch size": lambda lib: lib.DataLoader([1], batch_size=0),
    "batch size as float": lambda lib: lib.DataLoader([1], batch_size=2.0),
    "batch size as numpy": lambda lib: lib.DataLoader([1], batch_size=np.int64(2)),
    "drop_last": lambda lib: lib.DataLoader([1], drop_last=1),
    "nothing to shuffle": lambda lib: lib.DataLoader([], shuffle=True),
    "sampler and shuffle": lambda lib: lib.DataLoader([1], sampler=[0], shuffle=True),
    "batch sampler and size": lambda lib: lib.DataLoader([1], 2, batch_sampler=[[0]]),
    "no batches to drop": lambda lib: lib.DataLoader([1], None, drop_last=True),
    "nothing weighted": lambda lib: passed(lib, lib.WeightedRandomSampler([], 1)),
    "nothing weighted, once": lambda lib: passed(lib, lib.WeightedRandomSampler([], 1, False)),
    "weights without an axis": lambda lib: lib.WeightedRandomSampler(5, 1),
    "rank": lambda lib: lib.DistributedSampler([1, 2], 0, 0),
    "too long": lambda lib: lib.random_split([1, 2, 3], [2, 2]),
    "fractions": lambda lib: lib.random_split([1, 2, 3], [1.2, -0.2], *[G] * (lib is data)),
    "date": lambda lib: lib.default_collate([np.datetime64("2020-01-01")]),
    "dates": lambda lib: lib.default_collate([np.array(["2020-01-01"], "datetime64[D]")]),
    "durations": lambda lib: lib.default_collate([np.timedelta64(3, "D")]),
    "records": lambda lib: lib.default_collate([np.zeros(1, [("a", "i4")])]),
    "long doubles": lambda lib: lib.default_collate([np.zeros(2, np.longdouble)]),
    "numbers and text": lambda lib: lib.default_collate([1, "a"]),
}
"""Beside the type also the first line is torch's."""

SAME_TYPE = {
    "context name": lambda lib: lib.DataLoader([1], num_workers=1, multiprocessing_context="x"),
    "workers as text": lambda lib: lib.DataLoader([1], num_workers="a"),
    "timeout as text": lambda lib: lib.DataLoader([1], timeout="a"),
    "a number as dataset": lambda lib: consumed(lib, lib.DataLoader(5)),
    "a number shuffled": lambda lib: lib.DataLoader(5, shuffle=True),
    "a number as sampler": lambda lib: consumed(lib, lib.DataLoader([1], sampler=5)),
    "a number as batch sampler": lambda lib: consumed(lib, lib.DataLoader([1], batch_sampler=5)),
    "a number as function": lambda lib: consumed(lib, lib.DataLoader([1], collate_fn=5)),
    "a number as generator": lambda lib: consumed(lib, lib.DataLoader([1], generator=5)),
    "subset of a number": lambda lib: passed(lib, lib.SubsetRandomSampler(5)),
    "random of a number": lambda lib: lib.RandomSampler(5),
    "rank as text": lambda lib: lib.DistributedSampler([1, 2], 2, "a"),
    "split of a number": lambda lib: lib.random_split(5, [5], *[G] * (lib is data)),
    "split by a number": lambda lib: lib.random_split([1, 2, 3], 3, *[G] * (lib is data)),
    "no batch": lambda lib: lib.default_collate(3),
}


@pytest.mark.parametrize("name", [*SAME_SENTENCE, *SAME_TYPE])
def test_refused_as_by_torch(name):
    fail = (SAME_SENTENCE | SAME_TYPE)[name]
    if "split" in name or name == "too long":
        ours_fail = fail if "split" in name else lambda lib: lib.random_split([1, 2, 3], [2, 2], G)
    else:
        ours_fail = fail
    with pytest.raises(Exception) as theirs:
        fail(torch_data)
    with pytest.raises(theirs.type) as ours:
        ours_fail(data)
    if name in SAME_SENTENCE:
        assert str(ours.value).splitlines()[0] == str(theirs.value).splitlines()[0]
    assert complaint(ours_fail, data) is None


ANYTHING = [None, "a", 2.5, -1, 1j, (), [1.5], {}, np.nan, np.ones(2), object(), int, [[1], [2, 3]], torch.Generator()]
CALLS = {
    "DataLoader": {"dataset": range(3)},
    "SequentialSampler": {"data_source": range(3)},
    "RandomSampler": {"data_source": range(3)},
    "SubsetRandomSampler": {"indices": [0, 1]},
    "WeightedRandomSampler": {"weights": [1.0, 2.0], "num_samples": 2},
    "BatchSampler": {"sampler": range(3), "batch_size": 2, "drop_last": False},
    "DistributedSampler": {"dataset": range(3), "num_replicas": 2, "rank": 0},
    "random_split": {"dataset": range(3), "lengths": [1, 2], "generator": G},
    "TensorDataset": {},
    "ConcatDataset": {"datasets": [range(2)]},
    "Subset": {"dataset": range(3), "indices": [1]},
    "prefetch_to_device": {"batches": [np.ones(2)]},
}


def use(name, **arguments):
    made = getattr(data, name)(**arguments)
    if name == "DataLoader":
        list(made.epoch(G, after=None)[0]) if not made.num_workers else None
    elif hasattr(made, "draw"):
        list(made.draw(G)[0])


def test_nothing_but_our_words_comes_out():
    said = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, usual in CALLS.items():
            for argument, parameter in inspect.signature(getattr(data, name)).parameters.items():
                if parameter.kind is parameter.VAR_POSITIONAL:
                    continue
                for odd in ANYTHING:
                    if argument == "collate_fn" and callable(odd):  # what a user's function says is the user's
                        continue
                    words = complaint(use, name, **{**usual, argument: odd})
                    said += [f"{name}({argument}={odd!r}): {words}"] if words else []
    assert not said, "\n".join(said)


class Carrier:
    """Something that carries a generator as a train state does."""

    def __init__(self, generator, steps=3):
        self.generator, self.steps = generator, steps

    def replace(self, **changes):
        return Carrier(**{"generator": self.generator, "steps": self.steps, **changes})


def test_a_train_state_is_taken_and_returned():
    loader = data.DataLoader(range(9), batch_size=2, shuffle=True)
    batches, generator = loader.epoch(G)
    expected = [batch.tolist() for batch in batches]
    carried, state = loader.epoch(Carrier(G))
    assert [batch.tolist() for batch in carried] == expected
    assert state.steps == 3
    np.testing.assert_array_equal(state.generator.get_state(), generator.get_state())

    opened, state = loader.open(Carrier(G))
    carried, state = opened.start(state)
    assert [batch.tolist() for batch in carried] == expected
    np.testing.assert_array_equal(state.generator.get_state(), generator.get_state())

    pieces, state = data.random_split(range(5), [3, 2], Carrier(G))
    again, generator = data.random_split(range(5), [3, 2], G)
    assert [list(piece) for piece in pieces] == [list(piece) for piece in again]
    np.testing.assert_array_equal(state.generator.get_state(), generator.get_state())

    stacked, state = data.stacked_epoch(data.DataLoader(data.TensorDataset(np.arange(4)), 2), Carrier(G))
    assert stacked.batches[0].shape == (2, 2) and isinstance(state, Carrier)


@pytest.mark.parametrize("nothing", [None, 42, Carrier(None), object(), torch.Generator()])
def test_what_carries_no_generator(nothing):
    with pytest.raises(TypeError, match="a DataLoader draws from a generator") as caught:
        data.DataLoader(range(3)).epoch(nothing)
    assert "random.manual_seed(seed)" in str(caught.value)
