"""Hyper-parameters of the right kind, before their values are looked at."""

import numbers
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ParamSpec, TypeVar

import jax
import numpy as np
from flax import nnx

from jaxgrad._core.arguments import wrong_kind
from jaxgrad._core.diagnosis import in_place_of, with_diagnosis
from jaxgrad._core.errors import explain

P = ParamSpec("P")
R = TypeVar("R")

_TUPLES = ("betas", "etas", "step_sizes", "ns_coefficients", "eps")


def check_kinds(function: str, hyperparams: Mapping[str, Any]) -> None:
    """Raise unless every hyper-parameter is a number, or a tuple of numbers where torch has one.

    Raises:
        TypeError: "Adam(): argument 'lr' must be float, not dict", with the remedy for parameters and for a schedule.
        ValueError: "Tensor lr must be 1-element".
    """
    for name, value in hyperparams.items():
        if not isinstance(value, tuple) or name not in _TUPLES or (name == "eps" and function != "Adafactor"):
            _check_number(function, name, value)
            continue
        for index, each in enumerate(value):
            by_default = name == "eps" and index == 0 and each is None
            if not by_default:
                _check_number(function, f"{name}[{index}]", each)


def constructor(fn: Callable[P, R]) -> Callable[P, R]:
    """An optimizer's function that says what is wrong with a call: parameters that come first, as torch's do.

    Raises:
        TypeError: by the function.
    """

    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        check_first(next(iter(args), kwargs.get("params")))
        return diagnosed(*args, **kwargs)

    def check_first(first: Any) -> None:
        if _are_parameters(first):
            raise wrong_kind(first, "lr", fn.__name__, "float", _remedy(fn.__name__, first))

    diagnosed = with_diagnosis(fn)
    return in_place_of(fn, checked)


def _are_parameters(value: Any) -> bool:
    return isinstance(value, nnx.Module | Mapping | list | tuple | Iterator) or type(value).__name__ == "dict_values"


_COUNTED = {"Muon": "Coefficients must be a tuple of exactly 3 values"}
"""Torch's sentence for a wrong count, where it has one."""


def as_tuple(value: Any, name: str, function: str, count: int) -> tuple[Any, ...]:
    """Several numbers, as many as there must be.

    Raises:
        TypeError: "Adam(): argument 'betas' must be tuple of 2 floats, not float".
        ValueError: there are more or fewer.

    >>> as_tuple([0.9, 0.99], "betas", "Adam", 2)
    (0.9, 0.99)
    """
    kind = f"tuple of {count} floats"
    if isinstance(value, (str, dict, set)) or not isinstance(value, Iterable) or getattr(value, "ndim", 1) == 0:
        raise wrong_kind(value, name, function, kind)
    found = tuple(value)
    if len(found) != count:
        sentence = _COUNTED.get(function, f"{function}(): argument '{name}' must be {kind}")
        raise ValueError(explain(sentence, got=f"{len(found)} of them"))
    return found


def _check_number(function: str, name: str, value: Any) -> None:
    if isinstance(value, jax.core.Tracer):
        return
    if isinstance(value, (np.ndarray, np.generic, jax.Array)):
        if np.size(value) != 1:
            raise ValueError(explain(f"Tensor {name} must be 1-element", got=f"shape {np.shape(value)}"))
        if value.dtype.kind in "fiub" or str(value.dtype) in ("bfloat16", "float16"):
            return
    elif isinstance(value, numbers.Real):
        return
    raise wrong_kind(value, name, function, "float", _remedy(function, value))


def _remedy(function: str, value: Any) -> str | None:
    if isinstance(value, nnx.Module) or (isinstance(value, Iterable) and not isinstance(value, str | bytes)):
        return f"the parameters come later: tx = optim.{function}(lr=0.1); state = tx.init(params)"
    if callable(value):
        return (
            "give a schedule to the step: optim.step(..., lr=schedule(count)), train.make_train_step(..., schedule=), "
            f"or optax.inject_hyperparams(optim.{function})(lr=schedule)"
        )
    return None
