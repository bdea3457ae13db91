"""Arguments of the right kind, or torch's sentence for one that is not.

torch's argument parser says ``uniform_(): argument 'from' must be float, not str``. Python would complain of whatever
the wrong value meets first ("'>=' not supported between ..."), several calls further down.
"""

import numbers
import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.errors import explain, is_traced


def wrong_kind(value: Any, name: str, function: str, kind: str, remedy: str | None = None) -> TypeError:
    """The TypeError of torch's argument parser, to be raised.

    >>> raise wrong_kind("a", "lr", "SGD", "float")
    Traceback (most recent call last):
        ...
    TypeError: SGD(): argument 'lr' must be float, not str
      got:      'a'
    """
    shown = repr(value)
    got = shown if len(shown) <= 60 else f"{shown[:57]}..."
    sentence = f"{function}(): argument '{name}' must be {kind}, not {type(value).__name__}"
    return TypeError(explain(sentence, got=got, remedy=remedy))


def as_number(value: Any, name: str, function: str, *, remedy: str | None = None) -> float:
    """A real number as a float: Python's, numpy's, or an array without axes.

    Args:
        value: what was given.
        name: of the argument, as the user writes it.
        function: whose argument it is, as torch calls it.
        remedy: a hint for the mistake that is common here.

    Raises:
        TypeError: ``uniform_(): argument 'from' must be float, not str``, or the number is traced.

    >>> as_number(np.float32(0.5), "p", "bernoulli_")
    0.5
    """
    if is_traced(value):
        raise wrong_kind(
            value, name, function, "a number that is known", remedy or "a traced value cannot choose what is compiled"
        )
    if isinstance(value, numbers.Real | np.number | np.bool_) and not isinstance(value, np.complexfloating):
        return float(value)
    if isinstance(value, np.ndarray | jax.Array) and value.ndim == 0 and value.dtype.kind not in "cOSUV":
        return float(value)
    raise wrong_kind(value, name, function, "float", remedy)


def as_integer(value: Any, name: str, function: str, *, remedy: str | None = None, bits: int | None = None) -> int:
    """An integer as Python's; booleans and whole floats are not, as in torch. With ``bits``, none that needs more.

    Raises:
        TypeError: ``randperm(): argument 'n' must be int, not float``.

    >>> as_integer(np.int64(3), "n", "randperm")
    3
    """
    if is_traced(value):
        raise wrong_kind(
            value, name, function, "an int that is known", remedy or "a traced value cannot choose what is compiled"
        )
    if isinstance(value, bool | np.bool_):
        raise wrong_kind(value, name, function, "int", remedy)
    try:
        found = operator.index(value)
    except TypeError:
        raise wrong_kind(value, name, function, "int", remedy) from None
    if bits is not None and not -(2 ** (bits - 1)) <= found <= 2**bits:
        raise wrong_kind(value, name, function, f"int of {bits} bits", remedy)
    return found


def as_array(value: Any, name: str, function: str, *, remedy: str | None = None) -> jax.Array:
    """An array, or what can become one: numpy's, a number, nested lists of numbers.

    Raises:
        TypeError: ``poisson(): argument 'input' must be Tensor, not str``.

    >>> as_array([1.0, 2.0], "input", "poisson").shape
    (2,)
    """
    try:
        return jnp.asarray(value)
    except (TypeError, ValueError):
        raise wrong_kind(value, name, function, "Tensor", remedy) from None


def as_flag(value: Any, name: str, function: str) -> bool:
    """Yes or no; anything that Python finds true or false serves, as in torch.

    Raises:
        TypeError: ``DataLoader(): argument 'shuffle' must be bool, not ndarray``: it is neither.

    >>> as_flag(1, "shuffle", "DataLoader")
    True
    """
    try:
        return bool(value)
    except (TypeError, ValueError):
        raise wrong_kind(value, name, function, "bool") from None


def as_list(value: Any, name: str, function: str, kind: str) -> list[Any]:
    """The elements of something that can be iterated over.

    Raises:
        TypeError: ``ConcatDataset(): argument 'datasets' must be an iterable of datasets, not int``.

    >>> as_list((1, 2), "datasets", "ConcatDataset", "an iterable of datasets")
    [1, 2]
    """
    try:
        iterator = iter(value)
    except TypeError:
        raise wrong_kind(value, name, function, kind) from None
    return list(iterator)


def as_callable(value: Any, name: str, function: str, *, remedy: str | None = None) -> Callable[..., Any]:
    """Something that can be called.

    Raises:
        TypeError: ``DataLoader(): argument 'collate_fn' must be callable, not int``.

    >>> as_callable(abs, "fn", "Lambda")(-1)
    1
    """
    if not callable(value):
        raise wrong_kind(value, name, function, "callable", remedy)
    return value


def refuse_inplace(inplace: bool) -> None:
    """Raise for torch's ``inplace=True``: whoever relies on the input having changed would be misled."""
    if inplace:
        raise ValueError(
            explain(
                "inplace=True has no meaning here: arrays are values and do not change",
                got="inplace=True",
                expected="inplace=False",
                remedy="use what the function returns",
            )
        )
