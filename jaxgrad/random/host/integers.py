"""Integers on the host: ``random_``, ``randint`` and permutations."""

import math
import warnings

import numpy as np

from jaxgrad._core.caller import users_level
from jaxgrad._core.dtype_names import c_name, torch_name
from jaxgrad._core.types import Shape
from jaxgrad.random.checks import check_range
from jaxgrad.random.dtypes import DIGITS, is_float, round_to
from jaxgrad.random.host.stream import Stream

WIDE = 1 << 28  # from this range on torch 2.13 takes 64-bit words
BIG_PERMUTATION = (2**32 - 1) // 20


def random_(stream: Stream, shape: Shape, low: int | None, high: int | None, dtype: np.dtype) -> np.ndarray:
    """``random_()``, ``random_(from, None)`` and ``random_(from, to)``."""
    n = math.prod(shape)
    if low is None and high is None:
        return _whole_range(stream, n, dtype).reshape(shape)
    if is_full(low, high, dtype):
        return _cast(stream.words64(n).view(np.int64), dtype).reshape(shape)
    return between(stream, n, *bounds(low or 0, high, dtype), dtype).reshape(shape)


def is_full(low: int | None, high: int | None, dtype: np.dtype) -> bool:
    """Whether this is ``random_(-2**63, None)``: every 64-bit word as it is, without the base that others add.

    Raises:
        NotImplementedError: ``"random_full_64_bits_range_kernel_cpu" not implemented for 'Half'``.
        RuntimeError: ``random_full_64_bits_range_kernel_cpu handles only int64, double, float and bfloat16``.
    """
    if low != -(2**63) or high is not None:
        return False
    kernel = "random_full_64_bits_range_kernel_cpu"
    if dtype.name in ("float16", "bool", "uint16", "uint32", "uint64"):
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{torch_name(dtype)}'")
    if dtype.name not in ("int64", "float64", "float32", "bfloat16"):
        raise RuntimeError(f"{kernel} handles only int64, double, float and bfloat16")
    return True


def bounds(low: int, high: int | None, dtype: np.dtype) -> tuple[int, int]:
    """The range [low, high) that is drawn from, checked; without ``high`` it ends where the dtype ends."""
    if high is None:
        high = last(dtype) + 1
    check_range(low, high, dtype)
    if is_float(dtype):
        _warn_beyond_digits(low, high, dtype)
        low, high = _representable_from(low, dtype), _representable_to(high, dtype)
        if low >= high:
            raise RuntimeError(
                "random_ expects 'from' casted to dtype to be less than 'to' casted to dtype, "
                f"but got from={low} >= to={high}"
            )
    return low, high


def between(stream: Stream, n: int, low: int, high: int, dtype: np.dtype) -> np.ndarray:
    """``word % (high - low) + low``; a 64-bit word from a range of 2**28 on."""
    span = high - low
    if span >= 2**64:
        offsets = stream.words64(n)
    elif span >= WIDE:
        offsets = stream.words64(n) % np.uint64(span)
    else:
        offsets = stream.words(n)
        offsets %= np.uint32(span)
        offsets = offsets.astype(np.uint64 if not -(2**31) <= low <= high <= 2**31 else np.int64)
    return _cast((offsets.astype(np.uint64) + np.uint64(low % 2**64)).view(np.int64), dtype)


def _whole_range(stream: Stream, n: int, dtype: np.dtype) -> np.ndarray:
    if dtype == np.int64:
        return (stream.words64(n) & np.uint64(2**63 - 1)).view(np.int64)
    if dtype == np.float64:
        return (stream.words64(n) % np.uint64(2**53 + 1)).astype(np.float64)
    words = stream.words(n)
    if is_float(dtype):
        return _cast((words % np.uint32(2 ** DIGITS[dtype.name] + 1)).astype(np.int64), dtype)
    return (words & np.uint32(last(dtype))).astype(dtype)


def _cast(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    if dtype.name in ("float16", "bfloat16"):
        return round_to(values.astype(np.float32), dtype)
    return values.astype(dtype)


def last(dtype: np.dtype) -> int:
    """The largest integer up to which ``random_()`` draws."""
    if is_float(dtype):
        return 2 ** DIGITS[dtype.name]
    return 1 if dtype == np.bool_ else int(np.iinfo(dtype).max)


def _warn_beyond_digits(low: int, high: int, dtype: np.dtype) -> None:
    digits, name = DIGITS[dtype.name], c_name(dtype)
    for which, value in (("from", low), ("to - 1", high - 1)):
        if not -(2**digits) <= value <= 2**digits:
            warnings.warn(
                f"{which} is out of bounds [-(2^{digits}), 2^{digits}]. Due to precision limitations {name} can "
                "support discrete uniform distribution only within this range. This warning will become an error "
                "in version 1.7 release, please fix the code in advance",
                UserWarning,
                stacklevel=users_level(),
            )


def _representable_from(low: int, dtype: np.dtype) -> int:
    """The least number of the dtype that is not below ``low``."""
    above = int(float(_cast(np.array(low + 1, np.int64), dtype)))
    if above < low:
        above += 1 << (abs(low + 1).bit_length() - DIGITS[dtype.name])
        return above
    return low


def _representable_to(high: int, dtype: np.dtype) -> int:
    """The greatest number of the dtype that is not above ``high``."""
    below = int(float(_cast(np.array(high - 1, np.int64), dtype)))
    if below >= high:
        return below - (1 << (abs(high - 1).bit_length() - DIGITS[dtype.name]))
    return high


def randperm(stream: Stream, n: int, dtype: np.dtype) -> np.ndarray:
    """The permutation of 0 .. n-1 that torch's ``randperm`` draws."""
    if n >= BIG_PERMUTATION:
        return _inside_out(stream, n).astype(dtype)
    targets = stream.words(max(n - 1, 0)) % np.arange(n, 1, -1, dtype=np.uint32)
    targets += np.arange(max(n - 1, 0), dtype=np.uint32)
    return shuffled(targets.astype(np.int64), n).astype(dtype)


def shuffled(targets: np.ndarray, n: int) -> np.ndarray:
    """0 .. n-1 after the swaps of i with ``targets[i] >= i`` for i = 0, 1, ..., all at once.

    Step i puts out what stands at ``targets[i]`` and leaves there what stood at i. Who wrote last to a place is the
    previous step with the same target, found by sorting (target, step); what stood at i is found by following the
    last writer of i to its own place, and so on: pointers that are doubled until they rest.
    """
    steps = np.arange(targets.size)
    standing = np.arange(n)
    moved = np.flatnonzero(targets != steps)
    standing[targets[moved]] = moved  # the last of equal targets stays
    while True:
        further = standing[standing]
        if np.array_equal(further, standing):
            break
        standing = further
    keys = np.sort(targets << 32 | steps)
    place, step = keys >> 32, keys & 0xFFFFFFFF
    again = np.flatnonzero(place[1:] == place[:-1])
    result = np.concatenate([targets, np.arange(targets.size, n)])
    result[step[again + 1]] = standing[step[again]]
    result[targets.size :] = standing[targets.size :]
    return result


def _inside_out(stream: Stream, n: int) -> np.ndarray:
    """The other algorithm, from 214,748,364 elements on: k = word % (i + 1); p[i] = p[k]; p[k] = i."""
    result = np.empty(n, np.int64)
    chunk = 1 << 20
    for start in range(0, n, chunk):
        steps = np.arange(start, min(start + chunk, n), dtype=np.uint64)
        for i, k in zip(steps.tolist(), (stream.words64(steps.size) % (steps + np.uint64(1))).tolist(), strict=True):
            result[i] = result[k]
            result[k] = i
    return result
