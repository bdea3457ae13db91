"""Integer-valued draws: ranges, permutations, coins, counts and choices."""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Integer, Num, Shaped

from jaxgrad._core.arguments import as_array, as_integer, as_number, wrong_kind
from jaxgrad._core.dtypes import keep_dtype
from jaxgrad._core.errors import explain
from jaxgrad._core.types import Array, Shape
from jaxgrad.random import host, traced
from jaxgrad.random.checks import (
    as_shape,
    check_geometric,
    check_multinomial,
    check_probability,
    takes_generator,
)
from jaxgrad.random.dispatch import draw
from jaxgrad.random.dtypes import FLOATS, INTEGERS, check_dtype
from jaxgrad.random.generator import Generator

_OMITTED: Any = object()
_ANY = ("bool", *INTEGERS, *FLOATS)


def default_integer() -> np.dtype:
    """int64 as torch's, int32 with JAX's 64-bit mode off."""
    return np.dtype(jax.dtypes.canonicalize_dtype(np.int64))


@takes_generator
def randint(
    generator: Generator,
    low: int = 0,
    high: int | None = None,
    shape: Shape | int | None = None,
    *,
    dtype: Any = None,
) -> tuple[Num[Array, "*shape"], Generator]:
    """Integers in [low, high): ``torch.randint(low, high, shape)``, bit for bit; also ``torch.randint(high, shape)``.

    ``word % (high - low) + low``: the slight bias of the remainder is torch's. One word a value, two from a range of
    2**28 on.

    Args:
        generator: where the stream stands.
        low, high: the range; ``high`` is excluded. With one bound before the shape, ``low`` is 0.
        shape: sizes, or one size.
        dtype: integer or floating; by default int64, or int32 with JAX's 64-bit mode off (a range that does not
            fit raises).

    Returns:
        The values, and the generator after them.

    Raises:
        RuntimeError: ``random_ expects 'from' to be less than 'to', but got from=3 >= to=3``, or a bound that the
            dtype cannot hold.
        TypeError: ``randint(): argument 'high' must be int, not float``.

    >>> from jaxgrad import random
    >>> value, generator = random.randint(random.manual_seed(42), 0, 10, 6)
    >>> print(value)
    [2 7 6 4 6 5]
    >>> value, generator = random.randint(random.manual_seed(42), 10, (6,))
    >>> print(value)
    [2 7 6 4 6 5]
    """
    first, last, sizes = (low, high, shape) if shape is not None else (0, low, high)
    if last is None or sizes is None:
        raise TypeError(
            explain(
                "randint needs an upper bound and a shape",
                got=f"low={low}, high={high}, shape={shape}",
                remedy="randint(generator, high, shape) or randint(generator, low, high, shape)",
            )
        )
    first, last = as_integer(first, "low", "randint"), as_integer(last, "high", "randint")
    return random_(generator, sizes, first, last, dtype=default_integer() if dtype is None else dtype)


@takes_generator
def random_(
    generator: Generator,
    shape: Shape | int,
    from_: int | None = None,
    to: Any = _OMITTED,
    *,
    dtype: Any = jnp.float32,
) -> tuple[Shaped[Array, "*shape"], Generator]:
    """``torch.empty(shape, dtype=dtype).random_(from_, to)``, bit for bit, in each of its forms.

    ``random_(g, shape)`` draws every integer that the dtype holds from 0 on (for floats, every one that it holds
    exactly), ``random_(g, shape, to)`` from [0, to), ``random_(g, shape, from_, to)`` from [from_, to), and
    ``random_(g, shape, from_, None)`` from ``from_`` to the largest integer of the dtype.

    Args:
        generator: where the stream stands.
        shape: sizes, or one size.
        from_, to: as in torch, where one bound alone is the upper one.
        dtype: boolean, integer or floating.

    Returns:
        The values, and the generator after them.

    Raises:
        RuntimeError: as :func:`randint`, and for ``random_(g, shape, -2**63, None)`` in a dtype that torch refuses.

    >>> from jaxgrad import random
    >>> value, generator = random.random_(random.manual_seed(0), 3, dtype="int8")
    >>> print(value)
    [ 44  47 117]
    """
    shape = as_shape(shape)
    low, high = (
        None if bound is None else as_integer(bound, name, "random_", bits=64)
        for name, bound in (("from_", None if to is _OMITTED else from_), ("to", from_ if to is _OMITTED else to))
    )
    whole = low is None and high is None
    allowed = _ANY if whole else (*_ANY, "uint16", "uint32", "uint64")
    dtype = keep_dtype(check_dtype(dtype, allowed, "random_kernel_cpu" if whole else "random_from_to"))
    arguments: dict[str, Any] = {"shape": shape, "low": low, "high": high, "dtype": dtype}
    inside = partial(traced.random_, **arguments)
    return draw(generator, partial(host.random_, **arguments), shape=shape, dtype=dtype, traced=inside)


@takes_generator
def randperm(generator: Generator, n: int, *, dtype: Any = None) -> tuple[Num[Array, " n"], Generator]:
    """A permutation of 0 .. n-1: ``torch.randperm(n)``, the same order; what shuffles a data set.

    torch swaps one pair after the other; here all swaps are resolved at once by sorting.

    Args:
        generator: where the stream stands.
        n: how many; below 214,748,364 under jit.
        dtype: by default int64, or int32 with JAX's 64-bit mode off.

    Returns:
        The permutation (n,), and the generator after it.

    Raises:
        RuntimeError: ``n`` is negative, or does not fit into the dtype.

    >>> from jaxgrad import random
    >>> value, generator = random.randperm(random.manual_seed(0), 5)
    >>> print(value)
    [4 0 1 3 2]
    """
    (n,) = as_shape(as_integer(n, "n", "randperm"))
    dtype = keep_dtype(check_dtype(default_integer() if dtype is None else dtype, (*INTEGERS, *FLOATS), "randperm"))
    _check_permutation(n, dtype)
    arguments: dict[str, Any] = {"n": n, "dtype": dtype}
    inside = partial(traced.randperm, **arguments) if n < host.BIG_PERMUTATION else None
    return draw(generator, partial(host.randperm, **arguments), shape=(n,), dtype=dtype, traced=inside)


def _check_permutation(n: int, dtype: np.dtype) -> None:
    if dtype.name == "float16" and n > 2049:
        raise RuntimeError("n cannot be greater than 2049 for Half type.")
    if dtype.kind in "iu" and n and n - 1 > np.iinfo(dtype).max:
        name = f"{dtype.name}_t"
        raise RuntimeError(explain(f"value cannot be converted to type {name} without overflow", got=f"n={n}"))


@takes_generator
def bernoulli(
    generator: Generator,
    shape: Shape | int | None = None,
    p: float | Num[Array, "*probabilities"] = 0.5,
    *,
    dtype: Any = None,
) -> tuple[Shaped[Array, "*drawn"], Generator]:
    """Ones with probability p: ``torch.empty(shape).bernoulli_(p)`` or ``torch.bernoulli(p)``, bit for bit.

    For a number, u < p with u of 53 bits and two words a value, whatever the dtype: a comparison of integers, so it
    is exact under jit without 64 bits too. For an array, u has 24 bits and one word unless p is float64.

    Args:
        generator: where the stream stands.
        shape: sizes, or one size; None with an array p, whose shape is meant.
        p: a number, or an array that broadcasts to ``shape``.
        dtype: any; by default float32, or what the array p has.

    Returns:
        The values, and the generator after them.

    Raises:
        RuntimeError: ``bernoulli_ expects p to be in [0, 1], but got p=1.5`` (a traced p cannot be checked).

    >>> from jaxgrad import random
    >>> value, generator = random.bernoulli(random.manual_seed(0), 6, 0.5, dtype=bool)
    >>> value.shape, value.dtype
    ((6,), dtype('bool'))
    """
    if getattr(shape, "dtype", np.dtype(int)).kind not in "iu":
        raise TypeError(
            explain(
                "argument 'shape' must be tuple of ints, not an array of floats",
                remedy="torch.bernoulli(input) is random.bernoulli(generator, p=input)",
            )
        )
    if isinstance(p, int | float | np.number | np.bool_):
        dtype = keep_dtype(check_dtype(jnp.float32 if dtype is None else dtype, _ANY, "bernoulli_scalar_cpu_"))
        check_probability(float(p))
        if shape is None:
            raise TypeError(explain("bernoulli needs a shape when p is a number", remedy="bernoulli(g, (), p)"))
        shape = as_shape(shape)
        arguments: dict[str, Any] = {"shape": shape, "p": float(p), "dtype": dtype}
        inside = partial(traced.bernoulli, **arguments)
        return draw(generator, partial(host.bernoulli, **arguments), shape=shape, dtype=dtype, traced=inside)
    p = as_array(p, "p", "bernoulli")
    check_dtype(p.dtype, FLOATS, "bernoulli_tensor_cpu_p_")
    dtype = keep_dtype(check_dtype(p.dtype if dtype is None else dtype, _ANY, "bernoulli_tensor_cpu_self_"))
    shape = p.shape if shape is None else as_shape(shape)
    arguments = {"shape": shape, "dtype": dtype}
    inside = partial(traced.bernoulli_each, **arguments)
    return draw(generator, partial(host.bernoulli_each, **arguments), p, shape=shape, dtype=dtype, traced=inside)


@takes_generator
def geometric(
    generator: Generator, shape: Shape | int, p: float, *, dtype: Any = jnp.float32
) -> tuple[Num[Array, "*shape"], Generator]:
    """Trials up to the first success: ``torch.empty(shape).geometric_(p)``, bit for bit: ceil(log u / log(1 - p)).

    Args:
        generator: where the stream stands.
        shape: sizes, or one size.
        p: the probability of success in one trial.
        dtype: integer or floating.

    Returns:
        The values, and the generator after them.

    Raises:
        RuntimeError: ``geometric_ expects p to be in (0, 1), but got p=1``.

    >>> from jaxgrad import random
    >>> value, generator = random.geometric(random.manual_seed(0), 3, 0.5)
    >>> bool((value >= 1).all())
    True
    """
    p = as_number(p, "p", "geometric")
    check_geometric(p)
    shape, dtype = as_shape(shape), keep_dtype(check_dtype(dtype, (*INTEGERS, *FLOATS), "geometric_cpu"))
    return draw(generator, partial(host.geometric, shape=shape, p=p, dtype=dtype), shape=shape, dtype=dtype)


@takes_generator
def poisson(generator: Generator, input: Float[Array, "*shape"]) -> tuple[Float[Array, "*shape"], Generator]:
    """Poisson counts of the rates in ``input``, in its dtype: ``torch.poisson(input)``, bit for bit.

    How many words a count takes is itself random, so under jit the program calls back to the host.

    Args:
        generator: where the stream stands.
        input: rates, of a floating dtype; what does not fit into 64 bits overflows as torch's.

    Returns:
        Counts in the shape and dtype of ``input``, and the generator after them.

    Raises:
        RuntimeError: ``invalid Poisson rate, expected rate to be non-negative``.

    Source: Knuth for rates below 10, Hoermann (1993) from there on.

    >>> from jaxgrad import random
    >>> value, generator = random.poisson(random.manual_seed(0), jnp.array([0.0, 4.0, 100.0]))
    >>> float(value[0])
    0.0
    """
    rate = as_array(input, "input", "poisson")
    dtype = check_dtype(rate.dtype, FLOATS, "poisson_cpu")
    return draw(generator, partial(host.poisson, dtype=dtype), rate, shape=rate.shape, dtype=dtype)


@takes_generator
def multinomial(
    generator: Generator, input: Float[Array, "*rows categories"], num_samples: int, replacement: bool = False
) -> tuple[Integer[Array, "*rows samples"], Generator]:
    """Indices drawn with the weights in ``input``: ``torch.multinomial(input, num_samples, replacement)``.

    Bit for bit with replacement, for one sample, and in float64. Without replacement the categories are ranked by
    weight / exponential: equal keys, rare in float32 (14 of 100,000 positions, 5,000 drawn of 1e5 categories) and
    common in 16 bits, are ordered by index here and by the accidents of a partial sort in torch.

    Args:
        generator: where the stream stands.
        input: (categories,) or (rows, categories), non-negative weights; they need not sum to one.
        num_samples: how many for each row.
        replacement: whether an index can come twice.

    Returns:
        Indices (num_samples,) or (rows, num_samples): int64, or int32 with JAX's 64-bit mode off; the generator.

    Raises:
        RuntimeError: torch's sentences for bad weights and counts; under jit the weights are checked on the host.

    >>> from jaxgrad import random
    >>> value, generator = random.multinomial(random.manual_seed(0), jnp.array([0.0, 1.0]), 3, replacement=True)
    >>> print(value)
    [1 1 1]
    """
    weights, num_samples = (
        as_array(input, "input", "multinomial"),
        as_integer(num_samples, "num_samples", "multinomial"),
    )
    if not isinstance(replacement, bool | np.bool_):
        raise wrong_kind(replacement, "replacement", "multinomial", "bool")
    check_multinomial(weights.shape, np.dtype(weights.dtype), num_samples, replacement)
    shape, dtype = (*weights.shape[:-1], num_samples), default_integer()

    def fill(stream: host.Stream, weights: np.ndarray) -> np.ndarray:
        return host.multinomial(stream, weights, num_samples, replacement).astype(dtype)

    if math.prod(shape) == 0:
        return jnp.zeros(shape, dtype), generator
    return draw(generator, fill, weights, shape=shape, dtype=dtype)
