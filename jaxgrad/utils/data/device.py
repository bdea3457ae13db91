"""Batches where the accelerator is: sent ahead one by one, or a whole epoch gathered from data that lies there.

Both leave the order of the samples to :class:`DataLoader`.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgrad._core.arguments import as_integer, wrong_kind
from jaxgrad._core.dtypes import keep_dtype
from jaxgrad._core.errors import explain
from jaxgrad._core.types import Array
from jaxgrad.utils.data.batch_sampler import Slices
from jaxgrad.utils.data.carrier import T
from jaxgrad.utils.data.collate import default_collate
from jaxgrad.utils.data.dataloader import _UNSAID, DataLoader
from jaxgrad.utils.data.dataset import Subset, TensorDataset
from jaxgrad.utils.data.epoch import Epoch


def prefetch_to_device(batches: Iterable[Any], size: int = 2, sharding: Any = None) -> "OnDevice":
    """Send batches to the accelerator ahead of their use, so that it does not wait for them.

    While one batch is computed with, ``size`` further ones are on their way: transfers run in the background, the
    numbers and their order are those of ``batches``. It takes the place of torch's ``pin_memory=True`` with
    ``tensor.to(device, non_blocking=True)``.

    Arrays become JAX arrays; strings stay what they are. With JAX's 64-bit mode off, 64-bit integers that fit into
    32 bits are sent as such; anything else that would be narrowed raises.

    Args:
        batches: an iterable of trees of arrays, such as an epoch of a loader.
        size: batches under way; at least 1.
        sharding: a ``jax.sharding.Sharding`` or device for every array, to split batches over several devices, say
            ``NamedSharding(mesh, PartitionSpec("data"))``; None is the default device.

    Returns:
        An iterator; where ``batches`` has a ``state()``, it has one too, at the batch handed out last.

    Raises:
        ValueError: ``size`` is less than 1.

    >>> [int(batch.sum()) for batch in prefetch_to_device([np.arange(3), np.arange(4)])]
    [3, 6]
    """
    if as_integer(size, "size", "prefetch_to_device") < 1:
        raise ValueError(explain("a prefetch of less than one batch sends nothing ahead", got=size, expected=">= 1"))
    if not isinstance(batches, Iterable):
        raise wrong_kind(batches, "batches", "prefetch_to_device", "an iterable of batches")
    return OnDevice(iter(batches), size, sharding)


class OnDevice(Iterator[Any]):
    """The iterator of :func:`prefetch_to_device`."""

    def __init__(self, batches: Iterator[Any], size: int, sharding: Any):
        self._batches, self._size, self._sharding = batches, size, sharding
        self._ahead: deque[Any] = deque()
        self._error: Exception | None = None

    def __next__(self) -> Any:
        while len(self._ahead) <= self._size and self._error is None:
            try:
                self._ahead.append(jax.tree.map(self._send, next(self._batches)))
            except Exception as raised:  # also the end: it comes after the batches that are under way
                self._error = raised
        if self._ahead:
            return self._ahead.popleft()
        assert self._error is not None
        failure = self._error
        if not isinstance(failure, StopIteration):
            self._error = None  # what follows a batch that failed can still be had
        raise failure

    def _send(self, leaf: Any) -> Any:
        if not isinstance(leaf, np.ndarray | np.generic | jax.Array) or leaf.dtype.kind in "SUO":
            return leaf
        return jax.device_put(fitting(leaf), self._sharding)

    def state(self) -> dict[str, Any]:
        """The state of the epoch at the batch handed out last; batches under way do not count."""
        state = self._batches.state()  # type: ignore[attr-defined]
        return {**state, "position": state["position"] - len(self._ahead)}


def fitting(array: Any) -> Any:
    """An array in a dtype that JAX keeps: 64-bit integers in 32 bits if they fit and the 64-bit mode is off.

    Raises:
        TypeError: something would be lost.
    """
    narrow = jax.dtypes.canonicalize_dtype(array.dtype)
    if narrow == array.dtype:
        return array
    if array.dtype.kind in "iu":
        info = np.iinfo(narrow)
        if not array.size or (info.min <= array.min() and array.max() <= info.max):
            return array.astype(narrow)
    keep_dtype(array.dtype)
    return array


class StackedEpoch(NamedTuple):
    """An epoch as arrays on the device, for ``train.make_epoch``.

    Attributes:
        batches: one array (steps, batch size, ...) for each tensor of the dataset.
        rest: one array (samples, ...) each for the last batch if it is smaller; None if there is none.
        epoch: which order it is; the ``after`` of the next one.

    >>> StackedEpoch._fields
    ('batches', 'rest', 'epoch')
    """

    batches: tuple[Array, ...]
    rest: tuple[Array, ...] | None
    epoch: Epoch


def stacked_epoch(loader: DataLoader, generator: T, after: Epoch | None = _UNSAID) -> tuple[StackedEpoch, T]:
    """An epoch gathered on the device from data that lies there, in the order in which torch would read it.

    Only the indices are sent to the device. For data that fits there twice: once as it is, once in order.

    Args:
        loader: of a :class:`TensorDataset`, or subsets of one, of JAX arrays (numpy arrays work too, but are sent
            anew each time), without workers and with the default collation.
        generator, after: as in :meth:`DataLoader.epoch`.

    Returns:
        The epoch as arrays, and the generator (or its carrier) after it.

    Raises:
        TypeError: the dataset is not made of arrays, or the loader collates by itself.
        ValueError: the batches are not of one size.

    >>> import jax.numpy as jnp
    >>> from jaxgrad import random
    >>> loader = DataLoader(TensorDataset(jnp.arange(5)), batch_size=2, shuffle=True)
    >>> stacked, generator = stacked_epoch(loader, random.manual_seed(0))
    >>> stacked.batches[0].tolist(), stacked.rest[0].tolist()
    ([[1, 4], [2, 3]], [0])
    """
    if loader.num_workers or loader.collate_fn is not default_collate:
        raise TypeError(
            explain(
                "an epoch on the device needs a loader without workers and with the default collation",
                got=f"num_workers={loader.num_workers}, collate_fn={loader.collate_fn}",
            )
        )
    tensors, chosen = _arrays_of(loader.dataset)
    epoch, generator = loader.epoch(generator, after)
    slices = epoch.index_batches
    if not isinstance(slices, Slices):
        raise ValueError(
            explain("the batches of a batch_sampler need not be of one size", remedy="batch_size= with sampler=")
        )
    order = np.asarray(slices.order)
    order = (order if chosen is None else chosen[order]).astype(np.int32)
    steps = len(order) // slices.batch_size
    full = steps * slices.batch_size
    rest = None if slices.drop_last or full == len(order) else _gather(tensors, order[full:])
    return StackedEpoch(_gather(tensors, order[:full].reshape(steps, slices.batch_size)), rest, epoch), generator


def _arrays_of(dataset: Any) -> tuple[tuple[Any, ...], np.ndarray | None]:
    """The arrays beneath subsets, and which of their rows the dataset consists of."""
    if isinstance(dataset, TensorDataset):
        return tuple(fitting(tensor) for tensor in dataset.tensors), None
    if isinstance(dataset, Subset):
        tensors, chosen = _arrays_of(dataset.dataset)
        indices = np.asarray(dataset.indices)
        return tensors, indices if chosen is None else chosen[indices]
    raise TypeError(
        explain("an epoch on the device needs arrays", got=type(dataset).__name__, expected="TensorDataset or Subset")
    )


@jax.jit
def _gather(tensors: tuple[Any, ...], order: Array) -> tuple[Array, ...]:
    return tuple(tensor.at[order].get(mode="promise_in_bounds") for tensor in map(jax.numpy.asarray, tensors))
