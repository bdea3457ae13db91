"""Datasets, samplers and the loader, after ``torch.utils.data``: the same batches, in the same order, from one seed.

    loader = DataLoader(dataset, batch_size=64, shuffle=True)
    batches, generator = loader.epoch(generator)
    for batch in prefetch_to_device(batches):
        state, metrics = step(state, batch)

- datasets: Dataset, IterableDataset, TensorDataset, StackDataset, ConcatDataset, ChainDataset, Subset, random_split
- samplers: SequentialSampler, RandomSampler, SubsetRandomSampler, WeightedRandomSampler, BatchSampler,
  DistributedSampler; ``sampler.draw(generator) -> (indices, generator)``
- from samples to batches: default_collate, default_convert
- DataLoader: ``epoch``, ``open`` (torch's two moments of drawing), ``at_epoch``, ``resume(batches.state())``;
  get_worker_info in worker processes
- on the accelerator: prefetch_to_device, stacked_epoch
"""

from jaxgrad.utils.data._workers.info import get_worker_info
from jaxgrad.utils.data.batch_sampler import BatchSampler
from jaxgrad.utils.data.collate import default_collate, default_convert
from jaxgrad.utils.data.dataloader import DataLoader
from jaxgrad.utils.data.dataset import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)
from jaxgrad.utils.data.device import StackedEpoch, prefetch_to_device, stacked_epoch
from jaxgrad.utils.data.distributed import DistributedSampler
from jaxgrad.utils.data.epoch import Epoch
from jaxgrad.utils.data.sampler import (
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

__all__ = [
    "get_worker_info",
    "BatchSampler",
    "default_collate",
    "default_convert",
    "DataLoader",
    "ChainDataset",
    "ConcatDataset",
    "Dataset",
    "IterableDataset",
    "StackDataset",
    "Subset",
    "TensorDataset",
    "random_split",
    "StackedEpoch",
    "prefetch_to_device",
    "stacked_epoch",
    "DistributedSampler",
    "Epoch",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "SubsetRandomSampler",
    "WeightedRandomSampler",
]
