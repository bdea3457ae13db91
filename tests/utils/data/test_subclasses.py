"""Samplers of the user's own, as they are written for torch, and what a dataset is asked for."""

import numpy as np
import pytest
import torch
from torch.utils import data as torch_data

from jaxgrad import random
from jaxgrad.utils import data

LIBRARIES = (data, torch_data)


def backwards(lib, base):
    """A subclass that only overrides ``__iter__``."""

    class Backwards(getattr(lib, base)):
        def __iter__(self):
            return iter(reversed(list(super().__iter__())))

    return Backwards


def doubled(lib):
    class Doubled(lib.Sampler):
        """Holds another sampler and passes it twice."""

        def __init__(self, sampler):
            self.sampler = sampler

        def __iter__(self):
            yield from self.sampler
            yield from self.sampler

        def __len__(self):
            return 2 * len(self.sampler)

    return Doubled


def by_length(lib):
    class ByLength(lib.BatchSampler):
        """A batch sampler of the common kind: takes from ``self.sampler`` and sorts each batch."""

        def __iter__(self):
            batch = []
            for index in self.sampler:
                batch.append(index)
                if len(batch) == self.batch_size:
                    yield sorted(batch)
                    batch = []
            if batch and not self.drop_last:
                yield batch

    return ByLength


def mixed(lib):
    class Skipping:
        def __iter__(self):
            return (index for index in super().__iter__() if index % 3)

    class Mixed(Skipping, lib.RandomSampler):
        pass

    return Mixed


def counting(lib):
    class Counting(lib.RandomSampler):
        """Remembers something, as samplers of the user's may."""

        passes = 0

        def __iter__(self):
            self.passes += 1
            return super().__iter__()

    return Counting


SAMPLERS = {
    "sequential": lambda lib: backwards(lib, "SequentialSampler")(range(9)),
    "random": lambda lib: backwards(lib, "RandomSampler")(range(9)),
    "replaced": lambda lib: backwards(lib, "RandomSampler")(range(9), True, 40),
    "subset": lambda lib: backwards(lib, "SubsetRandomSampler")([3, 1, 4, 1, 5]),
    "weighted": lambda lib: backwards(lib, "WeightedRandomSampler")([0.2, 0.3, 0.5], 7),
    "distributed": lambda lib: backwards(lib, "DistributedSampler")(range(9), 2, 1),
    "doubled": lambda lib: doubled(lib)(lib.RandomSampler(range(5))),
    "doubled twice": lambda lib: doubled(lib)(doubled(lib)(lib.WeightedRandomSampler([1.0, 2.0], 3))),
    "mixed in": lambda lib: mixed(lib)(range(9)),
    "counting": lambda lib: counting(lib)(range(9)),
}
BATCH_SAMPLERS = {
    "sequential": lambda lib: backwards(lib, "BatchSampler")(lib.SequentialSampler(range(9)), 2, False),
    "random": lambda lib: backwards(lib, "BatchSampler")(lib.RandomSampler(range(9)), 2, True),
    "by length": lambda lib: by_length(lib)(lib.RandomSampler(range(9)), 2, False),
    "of backwards": lambda lib: lib.BatchSampler(backwards(lib, "RandomSampler")(range(9)), 4, False),
    "a list": lambda lib: [[0, 1], [2], [5, 6, 7]],
}
SAMPLERS_OF_THEIR_OWN = {
    "random": lambda lib, g: backwards(lib, "RandomSampler")(range(9), generator=g),
    "doubled": lambda lib, g: doubled(lib)(lib.RandomSampler(range(5), generator=g)),
    "by length": lambda lib, g: by_length(lib)(lib.RandomSampler(range(9), generator=g), 2, False),
}


def two_epochs(lib, loader, seed):
    """What the dataset was asked for, with the types of the indices, and the state of the generator afterwards."""
    if lib is torch_data:
        torch.manual_seed(seed)
        return [[batch for batch in loader] for _ in range(2)], torch.get_rng_state().numpy()
    generator, epochs = random.manual_seed(seed), []
    for _ in range(2):
        batches, generator = loader.epoch(generator)
        epochs.append(list(batches))
    return epochs, generator.get_state()


class Asked:
    """Gives back the index it was asked for, and its type."""

    def __getitem__(self, index):
        return index, type(index).__name__

    def __len__(self):
        return 9


def compare(build):
    (ours, mine), (theirs, yours) = (two_epochs(lib, build(lib), 11) for lib in LIBRARIES)
    assert ours == theirs
    np.testing.assert_array_equal(mine, yours)


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("batch_size", [1, 4, None])
def test_an_order_of_ones_own_is_taken(name, batch_size):
    collate = {"collate_fn": list} if batch_size else {"collate_fn": tuple}
    compare(lambda lib: lib.DataLoader(Asked(), batch_size, sampler=SAMPLERS[name](lib), **collate))


@pytest.mark.parametrize("name", BATCH_SAMPLERS)
def test_batches_of_ones_own_are_taken(name):
    compare(lambda lib: lib.DataLoader(Asked(), batch_sampler=BATCH_SAMPLERS[name](lib), collate_fn=list))


@pytest.mark.parametrize("name", SAMPLERS)
def test_drawn_alone(name):
    torch.manual_seed(5)
    theirs = list(SAMPLERS[name](torch_data))
    indices, generator = SAMPLERS[name](data).draw(random.manual_seed(5))
    assert list(indices) == theirs
    np.testing.assert_array_equal(generator.get_state(), torch.get_rng_state().numpy())


@pytest.mark.parametrize("name", SAMPLERS_OF_THEIR_OWN)
def test_a_stream_of_its_own_is_kept(name):
    sampler = SAMPLERS_OF_THEIR_OWN[name](torch_data, torch.Generator().manual_seed(3))
    key = "batch_sampler" if name == "by length" else "sampler"
    torch.manual_seed(1)
    loader = torch_data.DataLoader(Asked(), collate_fn=list, **{key: sampler})
    theirs = [list(loader) for _ in range(2)]
    loader = data.DataLoader(
        Asked(), collate_fn=list, **{key: SAMPLERS_OF_THEIR_OWN[name](data, random.manual_seed(3))}
    )
    generator, batches, ours = random.manual_seed(1), None, []
    for _ in range(2):
        batches, generator = loader.epoch(generator, after=batches)
        ours.append(list(batches))
    assert ours == theirs
    np.testing.assert_array_equal(generator.get_state(), torch.get_rng_state().numpy())


def test_two_streams_in_one_sampler_are_refused():
    two = doubled(data)(data.RandomSampler(range(3), generator=random.manual_seed(0)))
    two.other = data.RandomSampler(range(3), generator=random.manual_seed(1))
    with pytest.raises(ValueError, match="a sampler draws from one stream"):
        data.DataLoader(Asked(), sampler=two)


def test_a_failed_pass_leaves_nothing_open():
    class Failing(data.RandomSampler):
        def __iter__(self):
            yield from super().__iter__()
            raise LookupError("gone")

    sampler = Failing(range(3))
    with pytest.raises(LookupError):
        sampler.draw(random.manual_seed(0))
    with pytest.raises(TypeError, match=r"sampler\.draw\(generator\)"):
        list(sampler)


@pytest.mark.parametrize(
    "arguments",
    [
        {"batch_size": None},
        {"batch_size": None, "shuffle": True},
        {"batch_size": 2, "shuffle": True},
        {"batch_size": 2},
    ],
    ids=str,
)
def test_a_dataset_is_asked_for_pythons_integers(arguments):
    compare(lambda lib: lib.DataLoader(Asked(), collate_fn=list, **arguments))


def test_an_index_that_is_returned_stays_a_number():
    class Index:
        def __len__(self):
            return 3

        def __getitem__(self, i):
            return {"i": i}

    batches, _ = data.DataLoader(Index(), batch_size=None).epoch(random.manual_seed(0))
    assert [repr(batch) for batch in batches] == ["{'i': 0}", "{'i': 1}", "{'i': 2}"]


@pytest.mark.parametrize("order", [np.array([2, 0]), np.array([2, 0], np.int32), (2, 0), range(2)])
def test_indices_of_the_users_are_handed_on_as_they_are(order):
    compare(lambda lib: lib.DataLoader(Asked(), batch_size=None, sampler=order, collate_fn=tuple))
    compare(lambda lib: lib.DataLoader(Asked(), sampler=order, collate_fn=list))
