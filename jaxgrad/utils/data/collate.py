"""From a list of samples to one batch: numpy arrays with a leading batch axis, in the shape of one sample.

The rules are torch's, container by container and dtype by dtype; where torch makes a tensor there is a numpy array
here, which a train step or :func:`prefetch_to_device` moves to the accelerator. Objects that can turn themselves
into an array (JAX arrays, torch tensors) are taken as arrays.
"""

import collections.abc
import copy
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxgrad._core.arguments import wrong_kind
from jaxgrad._core.dtypes import wider_dtype

_NUMBERS = "float64 float32 float16 complex64 complex128 int64 int32 int16 int8 uint64 uint32 uint16 uint8".split()
_UNKNOWN = "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"


def default_collate(batch: Sequence[Any]) -> Any:
    """Mirror of ``torch.utils.data.default_collate``.

    Arrays and numbers are stacked: ``int`` to int64, ``float`` to float64 (as in torch; JAX alone would make them 32
    bits wide), arrays keep their dtype, mixed dtypes are promoted by torch's rules. Strings and bytes stay a list. A
    dict gives a dict, a namedtuple a namedtuple, a list a list, and a tuple, as in torch, a list.

    Args:
        batch: samples, all of one structure.

    Returns:
        The structure of one sample, with a batch axis before every array.

    Raises:
        RuntimeError: ``stack expects each tensor to be equal size, ...``, or
            ``each element in list of batch should be of equal size``.
        TypeError: ``default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found ...``.

    >>> default_collate([{"x": np.zeros(2, np.float32), "y": 3}, {"x": np.ones(2, np.float32), "y": 4}])
    {'x': array([[0., 0.], [1., 1.]], dtype=float32), 'y': array([3, 4])}
    >>> default_collate([("a", 1.5), ("b", 2.5)])
    [('a', 'b'), array([1.5, 2.5])]
    """
    if not isinstance(batch, collections.abc.Sequence | np.ndarray):
        raise wrong_kind(batch, "batch", "default_collate", "a list of samples")
    first = batch[0]
    if _is_array(first):
        return _stack([_as_array(each) for each in batch])
    if isinstance(first, np.generic) and not isinstance(first, str | bytes):
        if not (isinstance(first, np.number | np.bool_) or _is_numeric(first.dtype)):
            raise TypeError(_UNKNOWN.format(type(first)))
        return _stack([np.asarray(each) for each in batch])
    if isinstance(first, float):
        return np.array([_as_float(each) for each in batch], np.float64)
    if isinstance(first, int):
        return _numbers(batch)
    if isinstance(first, str | bytes):
        return batch
    if isinstance(first, collections.abc.Mapping):
        return _rebuild_mapping(first, {key: default_collate([each[key] for each in batch]) for key in first})
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*(default_collate(column) for column in zip(*batch, strict=False)))
    if isinstance(first, collections.abc.Sequence):
        if any(len(each) != len(first) for each in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        columns = [default_collate(column) for column in zip(*batch, strict=True)]
        return columns if isinstance(first, tuple) else _rebuild_sequence(first, columns)
    raise TypeError(_UNKNOWN.format(type(first)))


def default_convert(data: Any) -> Any:
    """Mirror of ``torch.utils.data.default_convert``: arrays anywhere in a sample become numpy arrays.

    It stands in for collation where batches are not formed by the loader (``batch_size=None``).

    Args:
        data: a sample.

    Returns:
        The sample with numpy arrays where torch has tensors.

    >>> default_convert({"x": np.float32(1), "y": (1, "a")})
    {'x': array(1., dtype=float32), 'y': [1, 'a']}
    """
    return _convert(data, default_convert)


def _convert(data: Any, convert: Callable[[Any], Any]) -> Any:
    if isinstance(data, str | bytes):
        return data
    if isinstance(data, np.generic) or hasattr(data, "__array__"):
        return np.asarray(data)
    if isinstance(data, collections.abc.Mapping):
        return _rebuild_mapping(data, {key: convert(data[key]) for key in data})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*(convert(each) for each in data))
    if isinstance(data, tuple):
        return [convert(each) for each in data]
    if isinstance(data, collections.abc.Sequence):
        return _rebuild_sequence(data, [convert(each) for each in data])
    return data


def _is_array(value: Any) -> bool:
    return hasattr(value, "__array__") and not isinstance(value, np.generic)


def _as_array(value: Any) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind in "SUO":
        raise TypeError(_UNKNOWN.format(array.dtype))
    return array


def _stack(arrays: list[np.ndarray]) -> np.ndarray:
    first = arrays[0]
    if not _is_numeric(first.dtype):
        raise TypeError(
            f"can't convert np.ndarray of type numpy.{first.dtype.type.__name__}. "
            f"The only supported types are: {', '.join(_NUMBERS)}, and bool."
        )
    for i, array in enumerate(arrays):
        if array.shape != first.shape:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(first.shape)} at entry 0 "
                f"and {list(array.shape)} at entry {i}"
            )
    dtype = first.dtype
    for array in arrays:
        if array.dtype != dtype:
            dtype = wider_dtype(dtype, array.dtype)  # torch's lattice: int32 with float32 is float32
    return np.stack(arrays, dtype=dtype) if dtype != first.dtype else np.stack(arrays)


def _is_numeric(dtype: np.dtype) -> bool:
    """Whether torch has this dtype, or JAX has it beyond numpy's (bfloat16 and smaller ones)."""
    return dtype.name in (*_NUMBERS, "bool") or (dtype.kind == "V" and jnp.issubdtype(dtype, np.number))


def _as_float(value: Any) -> float:
    if isinstance(value, str | bytes):
        raise TypeError(f"must be real number, not {type(value).__name__}")
    return float(value)


def _numbers(batch: Sequence[Any]) -> np.ndarray:
    """Python numbers of which the first is an int or a bool: torch infers the dtype from all of them."""
    if all(isinstance(each, bool) for each in batch):
        return np.array(batch, np.bool_)
    if any(isinstance(each, float) for each in batch):
        return np.array(batch, np.float32)
    if not all(isinstance(each, int | np.integer | np.bool_) for each in batch):
        wrong = next(each for each in batch if not isinstance(each, int | np.integer | np.bool_))
        if isinstance(wrong, str | bytes):
            raise TypeError(f"new(): invalid data type '{type(wrong).__name__}'")
        raise RuntimeError(f"Could not infer dtype of {type(wrong).__name__}")
    if any(not -(2**63) <= each < 2**63 for each in batch):
        raise ValueError("Overflow when unpacking long long")
    return np.array(batch, np.int64)


def _rebuild_mapping(like: Any, content: dict[Any, Any]) -> Any:
    """A mapping of the type of ``like``, with whatever else it carries, and other values."""
    try:
        if isinstance(like, collections.abc.MutableMapping):
            clone = copy.copy(like)
            clone.update(content)
            return clone
        return type(like)(content)
    except TypeError:
        return content


def _rebuild_sequence(like: Any, content: list[Any]) -> Any:
    try:
        if isinstance(like, collections.abc.MutableSequence):
            clone = copy.copy(like)
            for i, each in enumerate(content):
                clone[i] = each
            return clone
        return type(like)(content)
    except TypeError:
        return content
