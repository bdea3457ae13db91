"""Reading one batch from a dataset, in the main process and in workers alike; what fails is named."""

from collections.abc import Callable
from typing import Any

import numpy as np

from jaxgrad.utils.data.collate import default_collate
from jaxgrad.utils.data.dataset import TensorDataset, is_stream


class MapFetcher:
    """Reads the samples of given indices and collates them.

    Args:
        dataset: anything with ``__getitem__``; ``__getitems__`` is used where there is one.
        batched: whether an index stands for a list of indices, or for one sample that is not collated.
        collate_fn: from the list of samples (or the one sample) to the batch.
    """

    def __init__(self, dataset: Any, batched: bool, collate_fn: Callable[[Any], Any]):
        self.dataset, self.batched, self.collate_fn = dataset, batched, collate_fn
        self._arrays: list[np.ndarray] | None = None
        if type(dataset) is TensorDataset and batched and collate_fn is default_collate:
            self._arrays = [np.asarray(tensor) for tensor in dataset.tensors]

    def fetch(self, index: Any) -> Any:
        """The batch of a list of indices, or the sample of one."""
        if self._arrays is not None:  # what stacking the samples one by one would give
            arrays = self._arrays
            return self._named(lambda: [array[index] for array in arrays], f"one of the samples {index}")
        if not self.batched:
            samples = self._sample(index)
        elif getattr(self.dataset, "__getitems__", None):
            samples = self._named(lambda: self.dataset.__getitems__(index), f"one of the samples {index}")
        else:
            samples = [self._sample(i) for i in index]
        return self._named(lambda: self.collate_fn(samples), f"collating the samples {index}")

    def _sample(self, index: Any) -> Any:
        return self._named(lambda: self.dataset[index], f"sample {index!r}")

    def _named(self, read: Callable[[], Any], what: str) -> Any:
        note = f"raised by {what} of {type(self.dataset).__name__}"
        try:
            return read()
        except StopIteration as error:  # would end the epoch early, in silence
            raise RuntimeError(f"StopIteration was {note}") from error
        except Exception as error:
            error.add_note(note)
            raise


class StreamFetcher:
    """Takes the next samples of a stream and collates them.

    Args:
        dataset: an ``IterableDataset``.
        batch_size: samples in a batch; None gives them one by one.
        drop_last: whether a last batch that is not full is left out.
        collate_fn: from the list of samples (or the one sample) to the batch.
    """

    def __init__(self, dataset: Any, batch_size: int | None, drop_last: bool, collate_fn: Callable[[Any], Any]):
        self.samples = iter(dataset)
        self.batch_size, self.drop_last, self.collate_fn = batch_size, drop_last, collate_fn
        self.ended = False

    def fetch(self, index: Any = None) -> Any:
        """The next batch.

        Raises:
            StopIteration: the stream has ended.
        """
        del index
        if self.ended:
            raise StopIteration
        if self.batch_size is None:
            return self.collate_fn(next(self.samples))
        batch = []
        for _ in range(self.batch_size):
            try:
                batch.append(next(self.samples))
            except StopIteration:
                self.ended = True
                break
        if not batch or (self.drop_last and len(batch) < self.batch_size):
            raise StopIteration
        return self.collate_fn(batch)


def make_fetcher(
    dataset: Any, batched: bool, batch_size: int | None, drop_last: bool, collate_fn: Callable[[Any], Any]
) -> Any:
    """The fetcher for this kind of dataset."""
    if is_stream(dataset):
        return StreamFetcher(dataset, batch_size, drop_last, collate_fn)
    return MapFetcher(dataset, batched, collate_fn)
