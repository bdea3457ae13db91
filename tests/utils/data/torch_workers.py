"""Run in a process of its own, without JAX, whose threads torch's fork must not meet: what torch's workers give."""

import itertools
import json
import sys

import torch
from torch.utils import data

from tests.utils.data.worker_datasets import Augmented, announce


class Sharded(data.IterableDataset):
    """Every worker reads its own share, and the shares are not of one length."""

    def __iter__(self):
        info = data.get_worker_info()
        return iter(range(100 * info.id, 100 * info.id + (3, 8)[info.id]))


def plain(batch):
    if isinstance(batch, torch.Tensor):
        return batch.tolist()
    if isinstance(batch, dict):
        return {key: plain(value) for key, value in batch.items()}
    return batch


def epochs(seed, between, n_epochs, owned=False, dataset=None, leave=None, **arguments):
    """The batches of several epochs, with draws between ``iter`` and ``next``, and the generator's state at the end.

    All but the last are left after ``leave`` batches.
    """
    torch.manual_seed(seed)
    if owned:
        arguments["generator"] = torch.Generator().manual_seed(5)
    dataset = Augmented("torch") if dataset is None else dataset
    loader = data.DataLoader(dataset, num_workers=2, **arguments)
    read = []
    for epoch in range(n_epochs):
        iterator = iter(loader)
        torch.rand(between)
        batches = iterator if leave is None or epoch == n_epochs - 1 else itertools.islice(iterator, leave)
        read.append([plain(batch) for batch in batches])
    return {"epochs": read, "state": torch.get_rng_state().tolist()}


def main():
    results = {
        "plain": epochs(3, 2, 2, batch_size=2, shuffle=True, worker_init_fn=announce),
        "persistent": epochs(4, 1, 3, batch_size=3, shuffle=True, persistent_workers=True),
        "own": epochs(5, 1, 2, owned=True, batch_size=2, shuffle=True),
        "persistent own": epochs(6, 3, 3, owned=True, batch_size=2, shuffle=True, persistent_workers=True),
        "persistent uneven": epochs(8, 0, 3, dataset=Augmented("torch", 5), persistent_workers=True),
        "persistent left": epochs(9, 1, 3, shuffle=True, persistent_workers=True, leave=3),
        "stream": epochs(7, 0, 1, dataset=Sharded(), batch_size=2),
        "stream drop": epochs(7, 0, 1, dataset=Sharded(), batch_size=2, drop_last=True),
        "persistent stream": epochs(7, 2, 2, dataset=Sharded(), batch_size=2, persistent_workers=True),
    }
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
