"""Integer-valued draws: ranges and permutations."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.dtypes import keep_dtype
from jaxgrad._core.types import Array
from jaxgrad.random import host
from jaxgrad.random.checks import Shape, as_shape
from jaxgrad.random.dispatch import draw
from jaxgrad.random.dtypes import FLOATS, INTEGERS, check_dtype
from jaxgrad.random.generator import Generator

_OMITTED: Any = object()


def default_integer() -> np.dtype:
    """int64 as torch's, int32 with JAX's 64-bit mode off."""
    return np.dtype(jax.dtypes.canonicalize_dtype(np.int64))


def randint(
    generator: Generator, low: int, high: int, shape: Shape | int, *, dtype: Any = None
) -> tuple[Array, Generator]:
    """Integers in [low, high): ``torch.randint(low, high, shape)``, bit for bit.

    Args:
        generator: where the stream stands.
        low, high: the range; ``high`` is excluded.
        shape: sizes, or one size.
        dtype: integer or floating; by default int64, or int32 with JAX's 64-bit mode off (a range that does not
            fit raises).

    Raises:
        RuntimeError: ``random_ expects 'from' to be less than 'to', but got from=3 >= to=3``, or a bound that the
            dtype cannot hold.

    >>> from jaxgrad import random
    >>> value, generator = random.randint(random.manual_seed(42), 0, 10, 6)
    >>> print(value)
    [2 7 6 4 6 5]
    """
    dtype = default_integer() if dtype is None else dtype
    return random_(generator, shape, int(low), int(high), dtype=dtype)


def random_(
    generator: Generator,
    shape: Shape | int,
    from_: int | None = None,
    to: Any = _OMITTED,
    *,
    dtype: Any = jnp.float32,
) -> tuple[Array, Generator]:
    """``torch.empty(shape, dtype=dtype).random_(from_, to)``, bit for bit, in each of its forms.

    ``random_(g, shape)`` draws every integer that the dtype holds from 0 on (for floats, every one that it holds
    exactly), ``random_(g, shape, to)`` from [0, to), ``random_(g, shape, from_, to)`` from [from_, to), and
    ``random_(g, shape, from_, None)`` from ``from_`` to the largest integer of the dtype.

    Args:
        generator: where the stream stands.
        shape: sizes, or one size.
        from_, to: as in torch, where one bound alone is the upper one.
        dtype: boolean, integer or floating.

    >>> from jaxgrad import random
    >>> value, generator = random.random_(random.manual_seed(0), 3, dtype="int8")
    >>> print(value)
    [ 44  47 117]
    """
    shape = as_shape(shape)
    dtype = keep_dtype(check_dtype(dtype, ("bool", *INTEGERS, "uint16", "uint32", "uint64", *FLOATS), "random_"))
    low, high = (None, from_) if to is _OMITTED else (from_, to)
    fill = partial(host.random_, shape=shape, low=low, high=high, dtype=dtype)
    return draw(generator, fill, shape=shape, dtype=dtype)


def randperm(generator: Generator, n: int, *, dtype: Any = None) -> tuple[Array, Generator]:
    """A permutation of 0 .. n-1: ``torch.randperm(n)``, the same order; what shuffles a data set.

    >>> from jaxgrad import random
    >>> value, generator = random.randperm(random.manual_seed(0), 5)
    >>> print(value)
    [4 0 1 3 2]
    """
    n = as_shape(n)[0]
    dtype = keep_dtype(check_dtype(default_integer() if dtype is None else dtype, (*INTEGERS, *FLOATS), "randperm"))
    return draw(generator, partial(host.randperm, n=n, dtype=dtype), shape=(n,), dtype=dtype)
