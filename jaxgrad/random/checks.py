"""torch's sentences for arguments that no distribution can have."""

import functools
import inspect
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ParamSpec, TypeVar

import numpy as np

from jaxgrad._core.diagnosis import in_place_of, with_diagnosis
from jaxgrad._core.dtype_names import c_name, torch_name
from jaxgrad._core.dtypes import as_dtype
from jaxgrad._core.errors import explain, is_traced
from jaxgrad._core.types import Shape
from jaxgrad.random.dtypes import FLOATS, is_float
from jaxgrad.random.generator import Generator

P = ParamSpec("P")
R = TypeVar("R")


def takes_generator(fn: Callable[P, R]) -> Callable[P, R]:
    """A draw that says what is wrong when it is called as torch's: without a generator, or with sizes side by side.

    Raises:
        TypeError: by the function, for both.
    """
    check = functools.partial(_check_call, fn, inspect.signature(fn))
    diagnosed = with_diagnosis(fn)

    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        check(args, kwargs)
        return diagnosed(*args, **kwargs)

    return in_place_of(fn, checked)


def _check_call(
    fn: Callable[..., Any], signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    place = list(signature.parameters).index("generator")
    given = args[place : place + 1] or tuple(kwargs[name] for name in ["generator"] if name in kwargs)
    most = sum(p.kind is p.POSITIONAL_OR_KEYWORD for p in signature.parameters.values())
    if given and isinstance(given[0], Generator) and len(args) <= most:
        return
    names = ", ".join(
        name if p.default is p.empty or name in ("generator", "shape") else f"{name}={p.default!r}"
        for name, p in signature.parameters.items()
        if p.kind is p.POSITIONAL_OR_KEYWORD
    )
    remedy = f"value, generator = {fn.__name__}({names})"
    if len(args) > most:
        sentence = f"{fn.__name__}() takes {most} positional arguments but {len(args)} were given"
        hint = ", where the shape is one tuple" if "shape" in signature.parameters else ""
        raise TypeError(explain(sentence, got=", ".join(map(str, args)), remedy=remedy + hint))
    raise TypeError(
        explain(
            f"{fn.__name__}() draws from a generator, which goes in and comes out; torch's is hidden",
            got=f"{type(given[0]).__name__} {given[0]}" if given else "none",
            expected="jaxgrad.random.Generator",
            remedy=f"generator = random.manual_seed(seed), then {remedy}",
        )
    )


def as_shape(shape: Any) -> Shape:
    """A tuple of sizes from an int or any sequence of ints.

    Raises:
        TypeError: ``argument 'shape' must be tuple of ints, not str``.
        RuntimeError: ``Trying to create tensor with negative dimension -1: [-1]``.

    >>> as_shape(3), as_shape([2, 3]), as_shape(())
    ((3,), (2, 3), ())
    """
    if isinstance(shape, str | bytes | Mapping) or not (isinstance(shape, Iterable) or hasattr(shape, "__index__")):
        raise _no_shape(f"not {type(shape).__name__}", shape)
    given = tuple(shape) if isinstance(shape, Iterable) and getattr(shape, "ndim", 1) != 0 else (shape,)
    sizes = tuple(_as_size(size, i, shape) for i, size in enumerate(given))
    for size in sizes:
        if size < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension {size}: {list(sizes)}")
    return sizes


def _as_size(size: Any, i: int, shape: Any) -> int:
    if is_traced(size):
        raise _no_shape(f"but found a traced value at pos {i}: what is compiled has fixed sizes", shape)
    try:
        return operator.index(size)
    except TypeError:
        raise _no_shape(f"but found element of type {type(size).__name__} at pos {i}", shape) from None


def _no_shape(what: str, shape: Any) -> TypeError:
    sentence = f"argument 'shape' must be tuple of ints, {what}"
    remedy = "the sizes follow the generator: fn(generator, shape, ...)"
    if hasattr(shape, "shape"):
        remedy = "nothing is filled in place: give a shape, say that of an array, its .shape"
    return TypeError(
        explain(
            sentence,
            got=f"{type(shape).__name__} of shape {tuple(shape.shape)}" if hasattr(shape, "shape") else shape,
            remedy=remedy,
        )
    )


def check_uniform(low: float, high: float, dtype: np.dtype) -> None:
    """Raise torch's RuntimeError unless [low, high) is a range that ``dtype`` can hold."""
    largest = _largest(dtype)
    for name, value in (("from", low), ("to", high)):
        if not -largest <= value <= largest:
            raise RuntimeError(explain(f"{name} is out of bounds for {c_name(dtype)}", got=value))
    if low > high:
        raise RuntimeError(f"uniform_ expects to return a [from, to) range, but found from={low:g} > to={high:g}")
    if high - low > largest:
        raise RuntimeError(
            f"uniform_ expects to-from <= std::numeric_limits<{torch_name(dtype)}>::max(), but found "
            f"to={high:g} and from={low:g} which result in to-from to exceed the limit"
        )


def check_std(std: float) -> None:
    """Raise torch's RuntimeError for a negative or undefined standard deviation."""
    if not std >= 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std:g}")


def check_probability(p: float) -> None:
    """Raise torch's RuntimeError unless ``p`` is in [0, 1]."""
    if not 0 <= p <= 1:
        raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p:g}")


def check_geometric(p: float) -> None:
    """Raise torch's RuntimeError unless ``p`` is strictly between 0 and 1."""
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p:g}")


def check_positive(value: float, function: str, name: str) -> None:
    """Raise torch's RuntimeError unless a scale is above zero."""
    if not value > 0:
        raise RuntimeError(f"{function} expects {name} > 0.0, but found {name}={value:g}")


def check_continuous(dtype: Any, distribution: str) -> None:
    """Raise torch's RuntimeError if a continuous distribution should fill integers."""
    wanted = as_dtype(dtype)
    if wanted.name not in FLOATS:
        name = (torch_name if distribution == "Exponential" else c_name)(wanted)
        raise RuntimeError(
            f"{distribution} distribution is a continuous probability distribution. dtype must be a floating point "
            f"but you specified {name}"
        )


def check_multinomial(shape: Shape, dtype: np.dtype, num_samples: int, replacement: bool) -> None:
    """Raise torch's RuntimeError unless that many samples can be taken from weights of this shape."""
    if dtype.name not in FLOATS:
        raise RuntimeError(f"multinomial only supports floating-point dtypes for input, got: {torch_name(dtype)}")
    if len(shape) not in (1, 2):
        raise RuntimeError(explain("prob_dist must be 1 or 2 dim", got=shape))
    if num_samples <= 0:
        raise RuntimeError(explain("cannot sample n_sample <= 0 samples", got=num_samples))
    if not replacement and num_samples > shape[-1]:
        raise RuntimeError(
            explain(
                "cannot sample n_sample > prob_dist.size(-1) samples without replacement",
                got=f"{num_samples} of {shape[-1]}",
            )
        )
    if 0 in shape[-1:]:
        raise RuntimeError(
            explain(
                "aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity.",
                got=f"weights of shape {shape}",
                expected="something to choose from",
            )
        )
    if shape[-1] > 2**24:
        raise RuntimeError(explain("number of categories cannot exceed 2^24", got=shape[-1]))


def check_range(low: int, high: int, dtype: np.dtype) -> None:
    """Raise torch's RuntimeError unless the integers [low, high) are not empty and fit into ``dtype``."""
    if low >= high:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    least, largest = _extremes(dtype)
    for name, value in (("from", low), ("to - 1", high - 1)):
        if not least <= value <= largest:
            raise RuntimeError(
                explain(f"{name} is out of bounds for {c_name(dtype)}", got=value, expected=(least, largest))
            )


def _extremes(dtype: np.dtype) -> tuple[int, int]:
    if is_float(dtype):
        largest = int(_largest(dtype))
        return -largest, largest
    if dtype == np.bool_:
        return 0, 1
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)


@functools.cache
def _largest(dtype: np.dtype) -> float:
    exponent, digits = {"float16": (16, 11), "bfloat16": (128, 8), "float32": (128, 24), "float64": (1024, 53)}[
        dtype.name
    ]
    return math.ldexp(1 - 2.0**-digits, exponent)
