"""Arguments of a loader that cannot be, in torch's words."""

import multiprocessing
import multiprocessing.context
import os
import warnings
from typing import Any

from jaxgrad._core.arguments import as_callable, as_integer, as_number
from jaxgrad._core.errors import explain
from jaxgrad.random import Generator


def check_workers(
    num_workers: int, timeout: float, prefetch_factor: int | None, persistent_workers: bool, context: Any
) -> None:
    """Raise torch's ValueError for workers that exclude each other's options."""
    num_workers = as_integer(num_workers, "num_workers", "DataLoader")
    timeout = as_number(timeout, "timeout", "DataLoader")
    if num_workers < 0:
        raise ValueError("num_workers option should be non-negative; use num_workers=0 to disable multiprocessing.")
    if timeout < 0:
        raise ValueError("timeout option should be non-negative")
    if num_workers == 0 and prefetch_factor is not None:
        raise ValueError(
            "prefetch_factor option could only be specified in multiprocessing."
            "let num_workers > 0 to enable multiprocessing, otherwise set prefetch_factor to None."
        )
    if prefetch_factor is not None and as_integer(prefetch_factor, "prefetch_factor", "DataLoader") < 0:
        raise ValueError("prefetch_factor option should be non-negative")
    if persistent_workers and num_workers == 0:
        raise ValueError("persistent_workers option needs num_workers > 0")
    check_context(num_workers, context)
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if num_workers > available:
        warnings.warn(
            f"This DataLoader will create {num_workers} worker processes in total. "
            f"Our suggested max number of worker in current system is {available}, which is smaller "
            "than what this DataLoader is going to create. "
            "Please be aware that excessive worker creation might get DataLoader running slow or even freeze, "
            "lower the worker number to avoid potential slowness/freeze if necessary.",
            stacklevel=3,
        )


def check_context(num_workers: int, context: Any) -> None:
    """Raise torch's error for a way of starting processes that is unknown, or unsafe here."""
    if context is None:
        return
    if num_workers == 0:
        raise ValueError(
            "multiprocessing_context can only be used with multi-process loading (num_workers > 0), "
            f"but got num_workers={num_workers}"
        )
    if not isinstance(context, str | multiprocessing.context.BaseContext):
        raise TypeError(
            "multiprocessing_context option should be a valid context object or a string specifying the start method, "
            f"but got multiprocessing_context={context}"
        )
    method = context if isinstance(context, str) else context.get_start_method()
    if method != "spawn":
        raise ValueError(
            explain(
                f"multiprocessing_context option should specify a valid start method in ['spawn'], "
                f"but got multiprocessing_context={context!r}",
                remedy="None or 'spawn': JAX runs threads, and a process with threads cannot be forked safely",
            )
        )


def check_stream(shuffle: Any, sampler: Any, batch_sampler: Any) -> None:
    """Raise torch's ValueError for a sampler beside a stream."""
    prefix = "DataLoader with IterableDataset: expected unspecified "
    if shuffle is not None and shuffle is not False:
        raise ValueError(f"{prefix}shuffle option, but got shuffle={shuffle}")
    if sampler is not None:
        raise ValueError(f"{prefix}sampler option, but got sampler={sampler}")
    if batch_sampler is not None:
        raise ValueError(f"{prefix}batch_sampler option, but got batch_sampler={batch_sampler}")


def check_batching(batch_size: Any, shuffle: Any, sampler: Any, batch_sampler: Any, drop_last: Any) -> None:
    """Raise torch's ValueError for ways of forming batches that exclude each other."""
    if sampler is not None and shuffle:
        raise ValueError("sampler option is mutually exclusive with shuffle")
    if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
        raise ValueError("batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last")
    if batch_sampler is None and batch_size is None and drop_last:
        raise ValueError("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")


def check_ready(num_workers: int, timeout: float, prefetch_factor: int | None) -> None:
    """Raise what torch's loader does when an epoch of it begins.

    Raises:
        AssertionError: a timeout without workers, or workers that may not read ahead.
    """
    if not num_workers and timeout:
        raise AssertionError(
            explain(
                "_SingleProcessDataLoaderIter requires timeout == 0",
                got=f"timeout={timeout}, num_workers=0",
                remedy="timeout is how long a batch of a worker is waited for: num_workers=1, or no timeout",
            )
        )
    if num_workers and not prefetch_factor:
        raise AssertionError("prefetch_factor must be greater than 0 for MultiProcessingDataLoaderIter")


def check_callables(collate_fn: Any, worker_init_fn: Any) -> None:
    """Raise TypeError for a function that cannot be called."""
    for name, fn in (("collate_fn", collate_fn), ("worker_init_fn", worker_init_fn)):
        if fn is not None:
            as_callable(fn, name, "DataLoader")


def check_generator(generator: Any) -> None:
    """Raise TypeError unless the loader's own stream is one, or None."""
    if generator is not None and not isinstance(generator, Generator):
        raise TypeError(
            explain(
                f"DataLoader(): argument 'generator' must be a Generator, not {type(generator).__name__}",
                expected="jaxgrad.random.Generator",
                remedy="random.manual_seed(seed), or None to draw from the one that each epoch is given",
            )
        )
