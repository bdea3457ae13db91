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

from jaxgrad.utils.data._workers.info import get_worker_info as get_worker_info
from jaxgrad.utils.data.batch_sampler import BatchSampler as BatchSampler
from jaxgrad.utils.data.collate import default_collate as default_collate
from jaxgrad.utils.data.collate import default_convert as default_convert
from jaxgrad.utils.data.dataloader import DataLoader as DataLoader
from jaxgrad.utils.data.dataset import ChainDataset as ChainDataset
from jaxgrad.utils.data.dataset import ConcatDataset as ConcatDataset
from jaxgrad.utils.data.dataset import Dataset as Dataset
from jaxgrad.utils.data.dataset import IterableDataset as IterableDataset
from jaxgrad.utils.data.dataset import StackDataset as StackDataset
from jaxgrad.utils.data.dataset import Subset as Subset
from jaxgrad.utils.data.dataset import TensorDataset as TensorDataset
from jaxgrad.utils.data.dataset import random_split as random_split
from jaxgrad.utils.data.device import StackedEpoch as StackedEpoch
from jaxgrad.utils.data.device import prefetch_to_device as prefetch_to_device
from jaxgrad.utils.data.device import stacked_epoch as stacked_epoch
from jaxgrad.utils.data.distributed import DistributedSampler as DistributedSampler
from jaxgrad.utils.data.epoch import Epoch as Epoch
from jaxgrad.utils.data.sampler import RandomSampler as RandomSampler
from jaxgrad.utils.data.sampler import Sampler as Sampler
from jaxgrad.utils.data.sampler import SequentialSampler as SequentialSampler
from jaxgrad.utils.data.sampler import SubsetRandomSampler as SubsetRandomSampler
from jaxgrad.utils.data.sampler import WeightedRandomSampler as WeightedRandomSampler
